//! Entries of HAR files, of browsers, proxies and Polly.js.

use super::parts::{RecordedBody, RecordedHeaders, unhexed};
use crate::{
    cassette::exchange::{Raw, decoded},
    types::lenient::lenient,
};

lenient! {
    pub(super) struct HarEntry {
        request: HarRequest,
        response: HarResponse,
    }

    #[serde(rename_all = "camelCase")]
    pub(super) struct HarRequest {
        method: String,
        url: String,
        post_data: PostData,
    }

    pub(super) struct PostData {
        text: RecordedBody,
    }

    pub(super) struct HarResponse {
        status: Option<u64>,
        headers: RecordedHeaders,
        content: HarContent,
    }

    pub(super) struct HarContent {
        text: String,
        encoding: Option<String>,
        #[serde(rename = "_isBinary")]
        is_binary: bool,
    }
}

impl From<HarEntry> for Raw {
    fn from(HarEntry { request, response }: HarEntry) -> Self {
        Self {
            method: request.method.to_uppercase(),
            url: request.url,
            request: request.post_data.text.into_bytes(),
            status: response.status,
            headers: response.headers.0,
            response: response.content.into_bytes(),
            ..Self::default()
        }
    }
}

impl HarContent {
    /// Text, or base64 that says so. Polly.js packs the pieces of a packed body into a list of its
    /// own, and used to write hex where there was no text.
    fn into_bytes(self) -> Vec<u8> {
        let decode: fn(&str) -> Option<Vec<u8>> = match self.encoding.as_deref() {
            Some("base64") => decoded,
            _ if self.is_binary => unhexed,
            _ => return self.text.into_bytes(),
        };
        match serde_json::from_str::<Vec<String>>(&self.text) {
            Ok(pieces) => pieces.iter().filter_map(|piece| decode(piece)).flatten().collect(),
            Err(_) => decode(&self.text).unwrap_or_default(),
        }
    }
}
