//! Definitions of nock, as its recorder and `nock.back` write them.

use serde_json::Value;

use super::parts::{RecordedBody, RecordedHeaders, unhexed};
use crate::{cassette::exchange::Raw, types::lenient::lenient};

lenient! {
    #[serde(rename_all = "camelCase")]
    pub(super) struct Definition {
        scope: Option<String>,
        method: String,
        path: Option<String>,
        body: RecordedBody,
        status: Option<u64>,
        /// The status, as older versions wrote it: a text.
        reply: Option<String>,
        response: Value,
        response_is_binary: bool,
        raw_headers: RecordedHeaders,
    }
}

impl Definition {
    /// Whether it is one.
    pub(super) fn is_whole(&self) -> bool {
        self.scope.is_some() && self.path.is_some()
    }

    /// JSON that nock has read, or text. What is no text is in hex: as a whole, or if it is
    /// packed, in pieces.
    fn response(&self) -> Vec<u8> {
        if self.response_is_binary
            && let Some(hex) = self.response.as_str().and_then(unhexed)
        {
            return hex;
        }
        let pieces = self.response.as_array().filter(|_| self.is_packed()).and_then(|pieces| {
            let hex = pieces.iter().map(|piece| piece.as_str().and_then(unhexed));
            hex.collect::<Option<Vec<_>>>()
        });
        match pieces {
            Some(pieces) => pieces.concat(),
            None => RecordedBody(self.response.clone()).into_bytes(),
        }
    }

    fn is_packed(&self) -> bool {
        let mut headers = self.raw_headers.0.iter();
        headers.any(|(name, value)| name == "content-encoding" && !value.is_empty())
    }
}

impl From<Definition> for Raw {
    fn from(definition: Definition) -> Self {
        let response = definition.response();
        let Definition { scope, method, path, body, status, reply, raw_headers, .. } = definition;
        Self {
            method: method.to_uppercase(),
            url: scope.unwrap_or_default() + &path.unwrap_or_default(),
            request: body.into_bytes(),
            status: status.or_else(|| reply?.parse().ok()).or(Some(200)),
            response,
            headers: raw_headers.0,
            ..Self::default()
        }
    }
}
