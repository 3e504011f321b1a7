//! Definitions of nock, as its recorder and `nock.back` write them.

use serde_json::Value;

use super::{bytes, headers, text, unhexed};
use crate::cassette::exchange::Raw;

pub(super) fn is_it(item: &Value) -> bool {
    item["scope"].is_string() && item["path"].is_string()
}

pub(super) fn of(item: &Value) -> Raw {
    let headers = headers(&item["rawHeaders"]);
    let is_packed =
        headers.iter().any(|(name, value)| name == "content-encoding" && !value.is_empty());
    Raw {
        method: text(&item["method"]).to_uppercase(),
        url: format!("{}{}", text(&item["scope"]), text(&item["path"])),
        request: bytes(&item["body"]),
        // Older versions wrote it as text, under another name.
        status: item["status"]
            .as_u64()
            .or_else(|| item["reply"].as_str()?.parse().ok())
            .or(Some(200)),
        response: response(item, is_packed),
        headers,
        ..Raw::default()
    }
}

/// JSON that nock has read, or text. What is no text stands in hex: as a whole, or if it is packed,
/// in pieces.
fn response(item: &Value, is_packed: bool) -> Vec<u8> {
    let response = &item["response"];
    if item["responseIsBinary"] == true
        && let Some(hex) = response.as_str().and_then(unhexed)
    {
        return hex;
    }
    let pieces = response.as_array().filter(|_| is_packed).and_then(|pieces| {
        let hex = pieces.iter().map(|piece| piece.as_str().and_then(unhexed));
        hex.collect::<Option<Vec<_>>>()
    });
    pieces.map_or_else(|| bytes(response), |pieces| pieces.concat())
}
