//! Pairs of a request and a response, which most tools write: vcrpy, VCR for Ruby and for R,
//! go-vcr, php-vcr, ExVCR, betamax for Python and for Java, and people.
//!
//! The tools differ in names and in how they write bodies, and those differences exclude each
//! other, so one reader does for all of them.

use serde_json::Value;

use super::{bytes, decoded, headers, text};
use crate::cassette::exchange::Raw;

/// Whether an item of a list is such a pair.
pub(super) fn is_it(item: &Value) -> bool {
    item["request"].is_object() && item["response"].is_object() && !url(&item["request"]).is_empty()
}

pub(super) fn of(item: &Value) -> Raw {
    read(item, body)
}

/// Betamax for Python says in which encoding it has read a text: of a stream it takes the bytes for
/// Latin-1.
pub(super) fn of_betamax(item: &Value) -> Raw {
    read(item, |value, response| {
        let is_latin =
            value["encoding"].as_str().is_some_and(|name| name.eq_ignore_ascii_case("ISO-8859-1"));
        let of_latin = |text: &str| {
            text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect::<Option<Vec<u8>>>()
        };
        let latin = value["string"].as_str().filter(|_| is_latin).and_then(of_latin);
        latin.unwrap_or_else(|| body(value, response))
    })
}

fn read(item: &Value, body: impl Fn(&Value, &Value) -> Vec<u8>) -> Raw {
    let (request, response) = (&item["request"], &item["response"]);
    let either = |one: &'_ str, other: &'_ str, of: &Value| {
        if of[one].is_null() { of[other].clone() } else { of[one].clone() }
    };
    Raw {
        method: text(&request["method"]).to_uppercase(),
        url: url(request),
        request: body(&either("body", "request_body", request), request),
        status: status(response),
        headers: headers(&response["headers"]),
        response: body(&either("body", "content", response), response),
        ..Raw::default()
    }
}

fn url(request: &Value) -> String {
    ["uri", "url", "path"]
        .iter()
        .find_map(|key| request[*key].as_str())
        .unwrap_or_default()
        .to_owned()
}

/// A number, by itself or within a map or a list, under one of three names.
fn status(response: &Value) -> Option<u64> {
    let within = |value: &Value| {
        let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
        number(value)
            .or_else(|| number(&value["code"]))
            .or_else(|| number(&value["status_code"]))
            .or_else(|| value.as_array()?.iter().find_map(Value::as_u64))
    };
    ["code", "status_code", "status"].iter().find_map(|key| within(&response[*key]))
}

/// A body as it stands, or within a map that says how it is written.
fn body(value: &Value, of: &Value) -> Vec<u8> {
    if let Some(encoded) = value["base64_string"].as_str() {
        return decoded(encoded).unwrap_or_default();
    }
    match value {
        Value::Object(map)
            if map.get("string").is_some_and(|text| text.is_string() || text.is_null()) =>
        {
            bytes(&map["string"])
        }
        // ExVCR keeps what is no text as Elixir does: six bytes in front of it.
        Value::String(encoded) if of["binary"] == true => {
            decoded(encoded).and_then(|term| term.get(6..).map(<[u8]>::to_vec)).unwrap_or_default()
        }
        other => bytes(other),
    }
}
