//! Entries of Azure's test proxy, with which the SDKs of Azure and openai-dotnet record.

use serde_json::Value;

use super::parts::RecordedHeaders;
use crate::{
    cassette::exchange::{Raw, decoded},
    types::lenient::lenient,
};

lenient! {
    #[serde(rename_all = "PascalCase")]
    pub(super) struct ProxyEntry {
        request_method: String,
        request_uri: String,
        request_headers: RecordedHeaders,
        request_body: Value,
        status_code: Option<u64>,
        response_headers: RecordedHeaders,
        response_body: Value,
    }
}

impl From<ProxyEntry> for Raw {
    fn from(entry: ProxyEntry) -> Self {
        Self {
            method: entry.request_method.to_uppercase(),
            url: entry.request_uri,
            request: body(&entry.request_body, &entry.request_headers),
            status: entry.status_code,
            response: body(&entry.response_body, &entry.response_headers),
            headers: entry.response_headers.0,
            ..Self::default()
        }
    }
}

/// JSON as such, text as one string or as the list of its lines, and all else in base64.
fn body(value: &Value, RecordedHeaders(headers): &RecordedHeaders) -> Vec<u8> {
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
