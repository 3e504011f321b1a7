//! Mappings of WireMock, recorded or written by hand, one or many; and the journal of what it was
//! asked.
//!
//! A mapping has no host, and its body may be in a file of its own below `__files`.

use std::{
    fs,
    path::{Component, Path},
};

use serde_json::Value;

use super::{bytes, decoded, headers, text};
use crate::cassette::exchange::Raw;

/// Whether a document is of WireMock.
pub(super) fn is_it(document: &Value) -> bool {
    let first = |list: &str| document[list].as_array().and_then(|items| items.first());
    document["mappings"].is_array()
        || first("requests").is_some_and(|item| item["request"].is_object())
        || is_mapping(document)
}

/// Whether something is a mapping: a pattern of requests, and a response.
pub(super) fn is_mapping(item: &Value) -> bool {
    const RESPONSES: [&str; 5] = ["body", "jsonBody", "base64Body", "bodyFileName", "proxyBaseUrl"];
    let (request, response) = (&item["request"], &item["response"]);
    let is_pattern =
        PATHS.iter().any(|key| request[*key].is_string()) || request["bodyPatterns"].is_array();
    let is_response = response.is_object() && RESPONSES.iter().any(|key| !response[*key].is_null());
    // Pairs of other tools have a whole URL, and a body in the request.
    let is_relative = request["url"].as_str().is_none_or(|url| url.starts_with('/'));
    is_pattern && is_response && is_relative && request["body"].is_null()
}

/// How a mapping names paths, the exact ones first.
const PATHS: [&str; 5] = ["url", "urlPath", "urlPathTemplate", "urlPattern", "urlPathPattern"];

pub(super) fn exchanges(document: &Value, beside: Option<&Path>) -> Vec<Raw> {
    if let Some(items) = document["requests"].as_array() {
        // The newest stands first.
        let mut exchanges = super::numbered(items.iter().map(of_journal));
        exchanges.reverse();
        return exchanges;
    }
    let items = match document {
        Value::Array(items) => items.as_slice(),
        _ => document["mappings"].as_array().map_or(std::slice::from_ref(document), Vec::as_slice),
    };
    let mut exchanges: Vec<_> = items.iter().enumerate().collect();
    exchanges.sort_by_key(|(place, item)| order(item, *place, items));
    exchanges.into_iter().map(|(line, item)| Raw { line, ..of_mapping(item, beside) }).collect()
}

/// Recorded mappings count down from the first; what a recording answered by itself has the newest
/// first, and an id for each. Those that people wrote are in their order.
fn order(item: &Value, place: usize, all: &[Value]) -> i64 {
    let place = i64::try_from(place).unwrap_or(i64::MAX);
    match item["insertionIndex"].as_i64() {
        Some(index) => -index,
        None if all.iter().all(|item| item["uuid"].is_string() && item["persistent"] == true) => {
            -place
        }
        None => place,
    }
}

fn of_mapping(item: &Value, beside: Option<&Path>) -> Raw {
    let (request, response) = (&item["request"], &item["response"]);
    let asked = request["bodyPatterns"].as_array().into_iter().flatten().find_map(|pattern| {
        let given = ["equalToJson", "equalTo"].iter().find_map(|key| pattern.get(*key))?;
        Some(bytes(given))
    });
    let method = match request["method"].as_str() {
        Some(method) if !method.eq_ignore_ascii_case("ANY") => method.to_uppercase(),
        _ if asked.is_some() => "POST".to_owned(),
        _ => "GET".to_owned(),
    };
    let (body, missing) = match body(response, beside) {
        Ok(body) => (body, None),
        Err(missing) => (Vec::new(), Some(missing)),
    };
    Raw {
        method,
        url: url(request),
        request: asked.unwrap_or_default(),
        status: Some(response["status"].as_u64().filter(|status| *status > 0).unwrap_or(200)),
        headers: headers(&response["headers"]),
        response: body,
        missing,
        ..Raw::default()
    }
}

fn url(request: &Value) -> String {
    let path = PATHS.iter().find_map(|key| request[*key].as_str()).unwrap_or_default();
    let queries = request["queryParameters"].as_object().into_iter().flatten();
    let pairs = queries.filter_map(|(name, matcher)| {
        let exact =
            matcher["equalTo"].as_str().or_else(|| matcher["hasExactly"][0]["equalTo"].as_str())?;
        Some(format!("{name}={exact}"))
    });
    let pairs: Vec<_> = pairs.collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

fn body(response: &Value, beside: Option<&Path>) -> Result<Vec<u8>, String> {
    if let Some(name) = response["bodyFileName"].as_str() {
        let read = beside.and_then(|path| in_files(path, name));
        return read.ok_or_else(|| {
            format!("its body is in the file '{name}', which is in no folder '__files' near it")
        });
    }
    if let Some(encoded) = response["base64Body"].as_str() {
        return Ok(decoded(encoded).unwrap_or_default());
    }
    Ok(bytes(if response["jsonBody"].is_null() {
        &response["body"]
    } else {
        &response["jsonBody"]
    }))
}

/// A file below the folder `__files` that is nearest to a mapping. Its name leads nowhere else.
fn in_files(mapping: &Path, name: &str) -> Option<Vec<u8>> {
    let is_below = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    let files = mapping
        .ancestors()
        .skip(1)
        .map(|folder| folder.join("__files").join(name))
        .find(|path| path.is_file())?;
    if is_below { fs::read(files).ok() } else { None }
}

fn of_journal(item: &Value) -> Raw {
    let request = &item["request"];
    let response =
        if item["response"].is_object() { &item["response"] } else { &item["responseDefinition"] };
    let body = |of: &Value| {
        of["bodyAsBase64"].as_str().and_then(decoded).unwrap_or_else(|| bytes(&of["body"]))
    };
    Raw {
        method: text(&request["method"]).to_uppercase(),
        url: format!(
            "{}{}",
            text(&item["responseDefinition"]["proxyBaseUrl"]),
            text(&request["url"])
        ),
        request: body(request),
        status: response["status"].as_u64(),
        headers: headers(&response["headers"]),
        response: body(response),
        ..Raw::default()
    }
}
