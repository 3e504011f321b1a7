//! The formats of recordings: where in them an exchange stands, and how its bodies are written.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{Useless, exchange::Raw};
use crate::fixture;

/// How long a piece of a text is that is shown of something unknown.
const SHOWN: usize = 60;

/// The exchanges of a recording, in its order.
pub(super) fn exchanges(text: &str) -> Result<Vec<Raw>, Useless> {
    let (document, lines) = fixture::lines_of(text, LISTS).map_err(|(line, what)| Useless::Broken { line, what })?;
    for (list, last) in [("interactions", "version"), ("http_interactions", "recorded_with")] {
        // Both tools write that last. A text in YAML that is cut between two lines is still one.
        if !document[list].is_null() && document[last].is_null() && !text.trim_start().starts_with('{') {
            let what = format!("it ends without '{last}', which such a recording has at its end: it is cut");
            return Err(Useless::Broken { line: text.lines().count(), what });
        }
    }
    let at = |index: usize| lines.get(index).copied().unwrap_or(1);
    let of = |items: &[Value], read: fn(&Value) -> Raw| {
        items.iter().enumerate().map(|(index, item)| Raw { line: at(index), ..read(item) }).collect()
    };
    if let Some(items) = document["interactions"].as_array() {
        return Ok(of(items, vcrpy));
    }
    if let Some(items) = document["http_interactions"].as_array() {
        return Ok(of(items, vcr));
    }
    if let Some(items) = document["log"]["entries"].as_array() {
        return Ok(of(items, har));
    }
    let found = match &document {
        Value::Object(map) => format!("its keys are {}", map.keys().map(|key| format!("'{key}'")).collect::<Vec<_>>().join(", ")),
        Value::Null => "it is empty".to_owned(),
        other => format!("it reads {}", other.to_string().chars().take(SHOWN).collect::<String>()),
    };
    Err(Useless::Unknown(format!("{found}; known are cassettes of vcrpy and VCR, and HAR files")))
}

/// The lists that exchanges stand in.
const LISTS: &[&[&str]] = &[&["interactions"], &["http_interactions"], &["log", "entries"]];

fn vcrpy(item: &Value) -> Raw {
    let (request, response) = (&item["request"], &item["response"]);
    let status = &response["status"];
    // Another of its serializers writes them otherwise.
    let status = status["code"].as_u64().or_else(|| status.as_u64()).or_else(|| response["status_code"].as_u64());
    let body = match &response["body"] {
        Value::Object(body) => body.get("string").or_else(|| body.get("base64_string")).cloned().unwrap_or_default(),
        Value::Null => response["content"].clone(),
        other => other.clone(),
    };
    Raw {
        line: 1,
        method: text(&request["method"]),
        url: text(&request["uri"]),
        request: bytes(&request["body"]),
        status,
        headers: headers(&response["headers"]),
        response: bytes(&body),
    }
}

fn vcr(item: &Value) -> Raw {
    let (request, response) = (&item["request"], &item["response"]);
    let body = |body: &Value| match body["base64_string"].as_str() {
        Some(encoded) => decoded(encoded).unwrap_or_default(),
        None => bytes(&body["string"]),
    };
    Raw {
        line: 1,
        method: text(&request["method"]),
        url: text(&request["uri"]),
        request: body(&request["body"]),
        status: response["status"]["code"].as_u64(),
        headers: headers(&response["headers"]),
        response: body(&response["body"]),
    }
}

fn har(entry: &Value) -> Raw {
    let (request, response) = (&entry["request"], &entry["response"]);
    let content = &response["content"];
    let is_encoded = content["encoding"].as_str() == Some("base64");
    let response_body = match content["text"].as_str() {
        Some(encoded) if is_encoded => decoded(encoded).unwrap_or_default(),
        Some(text) => text.as_bytes().to_vec(),
        None => Vec::new(),
    };
    let listed = response["headers"].as_array().into_iter().flatten();
    Raw {
        line: 1,
        method: text(&request["method"]),
        url: text(&request["url"]),
        request: bytes(&request["postData"]["text"]),
        status: response["status"].as_u64(),
        headers: listed.map(|header| (text(&header["name"]).to_lowercase(), text(&header["value"]))).collect(),
        response: response_body,
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A body: text, perhaps in base64 where it was no text, or JSON that some tool has read already.
fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => text.as_bytes().to_vec(),
        other => other.to_string().into_bytes(),
    }
}

pub(super) fn decoded(encoded: &str) -> Option<Vec<u8>> {
    STANDARD.decode(encoded.split_whitespace().collect::<String>()).ok()
}

/// Headers by their names in lower case; of several values the first.
fn headers(value: &Value) -> Vec<(String, String)> {
    let map = value.as_object().into_iter().flatten();
    let first =
        |value: &Value| value.as_array().map_or_else(|| text(value), |values| values.first().map(text).unwrap_or_default());
    map.map(|(name, value)| (name.to_lowercase(), first(value))).collect()
}
