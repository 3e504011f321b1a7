//! Entries of HAR files, of browsers, proxies and Polly.js.

use serde_json::Value;

use super::{bytes, decoded, headers, text, unhexed};
use crate::cassette::exchange::Raw;

pub(super) fn of(entry: &Value) -> Raw {
    let (request, response) = (&entry["request"], &entry["response"]);
    Raw {
        method: text(&request["method"]).to_uppercase(),
        url: text(&request["url"]),
        request: bytes(&request["postData"]["text"]),
        status: response["status"].as_u64(),
        headers: headers(&response["headers"]),
        response: content(&response["content"]),
        ..Raw::default()
    }
}

/// Text, or base64 that says so. Polly.js packs the pieces of a packed body into a list of its own,
/// and used to write hex where there was no text.
fn content(content: &Value) -> Vec<u8> {
    let text = content["text"].as_str().unwrap_or_default();
    let decode: fn(&str) -> Option<Vec<u8>> = match content["encoding"].as_str() {
        Some("base64") => decoded,
        _ if content["_isBinary"] == true => unhexed,
        _ => return text.as_bytes().to_vec(),
    };
    match serde_json::from_str::<Vec<String>>(text) {
        Ok(pieces) => pieces.iter().filter_map(|piece| decode(piece)).flatten().collect(),
        Err(_) => decode(text).unwrap_or_default(),
    }
}
