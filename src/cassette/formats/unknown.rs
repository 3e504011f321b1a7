//! What is no recording that can be read: it is called by its name, if that is known.
//!
//! A file of another tool is known by a few of its keys. No more of it is read.

use serde_json::Value;

use crate::cassette::CassetteError;

/// How long a piece of a text is that is shown of something unknown.
const SHOWN: usize = 60;

/// What can be read, for messages to people.
const KNOWN: &str = "known are cassettes of vcrpy, VCR, go-vcr, php-vcr, ExVCR, betamax and \
                     Polly.js, recordings of nock, mappings and the journal of WireMock, \
                     recordings of Azure's test proxy, HAR files, lists of requests with \
                     responses, and what 'curl -v' prints";

/// The error of a file that is no recording.
pub(super) fn error(what: &str) -> CassetteError {
    CassetteError::Unknown(format!("{what}; {KNOWN}"))
}

/// What a document is, or what is seen in it.
pub(super) fn describe(document: &Value) -> String {
    match name_of_document(document) {
        Some(name) => format!("it is {name}"),
        None => seen_in(document),
    }
}

fn seen_in(document: &Value) -> String {
    match document {
        Value::Object(map) => format!(
            "its keys are {}",
            map.keys().map(|key| format!("'{key}'")).collect::<Vec<_>>().join(", ")
        ),
        Value::Array(items) if items.is_empty() => "it is an empty list".to_owned(),
        Value::Array(items) => {
            format!("it is a list, and its first item reads {}", excerpt(&items[0]))
        }
        Value::Null => "it is empty".to_owned(),
        other => format!("it reads {}", excerpt(other)),
    }
}

fn excerpt(value: &Value) -> String {
    value.to_string().chars().take(SHOWN).collect()
}

/// The name of a text that is known to be something else.
pub(super) fn name_of_text(text: &str) -> Option<&'static str> {
    let start = text.trim_start();
    let has_line = |beginning: &str| text.lines().any(|line| line.starts_with(beginning));
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    if start.starts_with("HTTP/") {
        Some("an answer without its request: 'curl -v' shows both")
    } else if lines.clone().count() > 1
        && lines.all(|line| line.starts_with('{') && line.trim_end().ends_with('}'))
    {
        Some("lines of JSON, and not one list")
    } else if text.lines().any(|line| line.trim_start().starts_with("nock(")) {
        Some("JavaScript of nock: record with 'output_objects: true', or with nock.back")
    } else if has_line("=> Send header, ") {
        Some("a trace of curl, which keeps no line breaks: 'curl -v' does")
    } else if text.contains("!!okreplay.") {
        Some("a tape of OkReplay that has no names")
    } else if text.contains("4:type;4:http;") {
        Some(
            "a file of flows of mitmproxy: 'mitmdump -nr FILE --set hardump=out.har' makes a HAR \
             file of it",
        )
    } else if has_line("## Interaction 0: ") {
        Some("a recording of Servirtium")
    } else {
        None
    }
}

/// The name of a document that is known to be something else.
fn name_of_document(document: &Value) -> Option<&'static str> {
    let has = |value: &Value, keys: &[&str]| keys.iter().all(|key| !value[*key].is_null());
    let first = document.as_array().and_then(|items| items.first()).unwrap_or(document);
    if has(document, &["data", "meta"]) && document["data"]["pairs"].is_array() {
        Some("a simulation of Hoverfly")
    } else if has(document, &["imposters"]) || has(document, &["port", "stubs"]) {
        Some("an imposter of Mountebank")
    } else if document["info"]["schema"]
        .as_str()
        .is_some_and(|schema| schema.contains("getpostman.com"))
    {
        Some("a collection of Postman")
    } else if has(document, &["__export_format"])
        || document["type"].as_str().is_some_and(|kind| kind.contains("insomnia"))
    {
        Some("an export of Insomnia")
    } else if has(document, &["meta", "req", "res"]) {
        Some("a tape of talkback")
    } else if has(document, &["openapi"]) || has(document, &["swagger"]) {
        Some("the description of an API")
    } else if has(first, &["httpRequest"]) {
        Some("a list of expectations of MockServer")
    } else if has(first, &["Request", "RecordedAt"]) {
        Some("a cassette of EasyVCR")
    } else if has(first, &["Guid", "Request"]) || !first["Request"]["Path"].is_null() {
        Some("a mapping of WireMock.Net")
    } else if has(document, &["responses"]) && document["responses"].is_array() {
        Some("a recording of Python's 'responses', which has no requests")
    } else if has(document, &["routes", "lastMigration"]) {
        Some("an environment of Mockoon")
    } else {
        None
    }
}
