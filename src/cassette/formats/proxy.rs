//! Entries of Azure's test proxy, with which the SDKs of Azure and openai-dotnet record.

use serde_json::Value;

use super::{decoded, headers, text};
use crate::cassette::exchange::Raw;

pub(super) fn of(entry: &Value) -> Raw {
    let answered = headers(&entry["ResponseHeaders"]);
    Raw {
        method: text(&entry["RequestMethod"]).to_uppercase(),
        url: text(&entry["RequestUri"]),
        request: body(&entry["RequestBody"], &headers(&entry["RequestHeaders"])),
        status: entry["StatusCode"].as_u64(),
        response: body(&entry["ResponseBody"], &answered),
        headers: answered,
        ..Raw::default()
    }
}

/// JSON as such, text as one string or as the list of its lines, and all else in base64.
fn body(value: &Value, headers: &[(String, String)]) -> Vec<u8> {
    let kind =
        headers.iter().find(|(name, _)| name == "content-type").map_or("", |(_, value)| value);
    let is_text = ["text/", "json", "xml", "urlencoded", "charset=utf-8"]
        .iter()
        .any(|word| kind.contains(word));
    match value {
        Value::Null => Vec::new(),
        Value::Array(lines) => {
            lines.iter().filter_map(Value::as_str).collect::<String>().into_bytes()
        }
        Value::String(encoded) if !is_text => decoded(encoded).unwrap_or_default(),
        Value::String(text) => text.clone().into_bytes(),
        other => other.to_string().into_bytes(),
    }
}
