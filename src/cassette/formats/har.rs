//! Entries of HAR files, of browsers, proxies and Polly.js.

use super::parts::{Body, Headers, unhexed};
use crate::{
    cassette::exchange::{Raw, decoded},
    types::lenient::lenient,
};

lenient! {
    pub(super) struct Entry {
        request: Request,
        response: Response,
    }

    #[serde(rename_all = "camelCase")]
    pub(super) struct Request {
        method: String,
        url: String,
        post_data: PostData,
    }

    pub(super) struct PostData {
        text: Body,
    }

    pub(super) struct Response {
        status: Option<u64>,
        headers: Headers,
        content: Content,
    }

    pub(super) struct Content {
        text: String,
        encoding: Option<String>,
        #[serde(rename = "_isBinary")]
        is_binary: bool,
    }
}

impl From<Entry> for Raw {
    fn from(Entry { request, response }: Entry) -> Self {
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

impl Content {
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
