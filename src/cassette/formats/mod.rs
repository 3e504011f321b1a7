//! The formats of recordings: what a file is, and where in it the exchanges stand.
//!
//! A recording is told by its content alone, never by its name. What most tools share, a list of
//! pairs of a request and a response, is read in one place (`pairs.rs`); files of their own have
//! those that are built otherwise. What is known to be something else is called by its name.

mod curl;
mod har;
mod nock;
mod pairs;
mod proxy;
mod wiremock;

use std::path::Path;

use serde_json::Value;

use super::{
    Useless,
    exchange::{Raw, decoded},
};
use crate::fixture;

/// How long a piece of a text is that is shown of something unknown.
const SHOWN: usize = 60;

/// What can be read, for messages to people.
const KNOWN: &str = "known are cassettes of vcrpy, VCR, go-vcr, php-vcr, ExVCR, betamax and \
                     Polly.js, recordings of nock, mappings and the journal of WireMock, \
                     recordings of Azure's test proxy, HAR files, lists of requests with \
                     responses, and what 'curl -v' prints";

/// The lists that exchanges stand in. The last is the document itself.
const LISTS: &[&[&str]] = &[
    &["interactions"],
    &["http_interactions"],
    &["log", "entries"],
    &["mappings"],
    &["requests"],
    &["Entries"],
    &[],
];

/// The exchanges of a recording, in the order in which they were made. `beside` is where it lies,
/// for formats that keep bodies in files of their own.
pub(super) fn exchanges(text: &str, beside: Option<&Path>) -> Result<Vec<Raw>, Useless> {
    if let Some(exchanges) = curl::exchanges(text) {
        return Ok(exchanges);
    }
    if let Some(name) = other_text(text) {
        return Err(unknown(&format!("it is {name}")));
    }
    let (document, lines) = fixture::lines_of(text, LISTS).map_err(|(line, what)| {
        let is_recording = LISTS.iter().flat_map(|keys| keys.iter()).any(|key| text.contains(key));
        if is_recording {
            Useless::Broken { line, what }
        } else {
            unknown("it is neither JSON nor YAML")
        }
    })?;
    refuse_cut(text, &document)?;
    let Some(mut exchanges) = of_document(&document, beside) else {
        return Err(unknown(&match other_document(&document) {
            Some(name) => format!("it is {name}"),
            None => seen_in(&document),
        }));
    };
    let at = |index: usize| lines.get(index).copied().unwrap_or(1);
    for exchange in &mut exchanges {
        exchange.line = at(exchange.line);
    }
    Ok(exchanges)
}

/// The exchanges of a folder of mappings, or of the folder above one: WireMock writes a file for
/// each.
pub(super) fn in_folder(folder: &Path) -> Result<Vec<Raw>, Useless> {
    let within = Some(folder.join("mappings"))
        .filter(|path| path.is_dir())
        .unwrap_or_else(|| folder.to_owned());
    let mut mappings = Vec::new();
    for path in fixture::files(std::slice::from_ref(&within))
        .map_err(|error| Useless::Unknown(error.to_string()))?
    {
        let text = std::fs::read_to_string(&path)?;
        let read =
            fixture::lines_of(&text, &[]).map_err(|(line, what)| Useless::Broken { line, what })?;
        match read.0 {
            Value::Object(mut map) if map.contains_key("mappings") => {
                mappings.extend(map["mappings"].take().as_array().into_iter().flatten().cloned());
            }
            document => mappings.push(document),
        }
    }
    let document = Value::Array(mappings);
    if !document
        .as_array()
        .is_some_and(|items| !items.is_empty() && items.iter().all(wiremock::is_mapping))
    {
        return Err(Useless::Unknown(
            "of folders, those of WireMock's mappings are read: name the files".to_owned(),
        ));
    }
    let exchanges = wiremock::exchanges(&document, Some(&within.join("mapping")));
    Ok(exchanges.into_iter().map(|exchange| Raw { line: 1, ..exchange }).collect())
}

/// The exchanges of a document, each with its place in its list as its line; or none if it is no
/// recording.
fn of_document(document: &Value, beside: Option<&Path>) -> Option<Vec<Raw>> {
    let of = |items: &[Value], read: fn(&Value) -> Raw| numbered(items.iter().map(read));
    if let Some(items) =
        document["interactions"].as_array().or_else(|| document["http_interactions"].as_array())
    {
        let is_latin =
            document["recorded_with"].as_str().is_some_and(|tool| tool.starts_with("betamax"));
        return Some(of(items, if is_latin { pairs::of_betamax } else { pairs::of }));
    }
    if let Some(items) = document["log"]["entries"].as_array() {
        return Some(of(items, har::of));
    }
    if let Some(items) = document["Entries"].as_array() {
        return Some(of(items, proxy::of));
    }
    if wiremock::is_it(document) {
        return Some(wiremock::exchanges(document, beside));
    }
    let items = document.as_array()?;
    match items.first()? {
        first if nock::is_it(first) => Some(of(items, nock::of)),
        first if wiremock::is_mapping(first) => Some(wiremock::exchanges(document, beside)),
        first if pairs::is_it(first) => Some(of(items, pairs::of)),
        _ => None,
    }
}

fn numbered(exchanges: impl Iterator<Item = Raw>) -> Vec<Raw> {
    exchanges.enumerate().map(|(line, exchange)| Raw { line, ..exchange }).collect()
}

/// Two tools write a key behind everything. A text in YAML that is cut between two lines is still
/// one.
fn refuse_cut(text: &str, document: &Value) -> Result<(), Useless> {
    let first = |list: &str| document[list].as_array().and_then(|items| items.first());
    let is_vcrpy =
        first("interactions").is_some_and(|item| item["response"]["status"]["code"].is_u64());
    let is_vcr = first("http_interactions").is_some_and(|item| item["recorded_with"].is_null());
    for (is_it, last) in [(is_vcrpy, "version"), (is_vcr, "recorded_with")] {
        if is_it && document[last].is_null() && !text.trim_start().starts_with('{') {
            let what = format!(
                "it ends without '{last}', which such a recording has at its end: it is cut"
            );
            return Err(Useless::Broken { line: text.lines().count(), what });
        }
    }
    Ok(())
}

fn unknown(what: &str) -> Useless {
    Useless::Unknown(format!("{what}; {KNOWN}"))
}

fn seen_in(document: &Value) -> String {
    match document {
        Value::Object(map) => format!(
            "its keys are {}",
            map.keys().map(|key| format!("'{key}'")).collect::<Vec<_>>().join(", ")
        ),
        Value::Array(items) if items.is_empty() => "it is an empty list".to_owned(),
        Value::Array(items) => {
            format!("it is a list, and its first item reads {}", shown(&items[0]))
        }
        Value::Null => "it is empty".to_owned(),
        other => format!("it reads {}", shown(other)),
    }
}

fn shown(value: &Value) -> String {
    value.to_string().chars().take(SHOWN).collect()
}

/// The name of a text that is known to be something else.
fn other_text(text: &str) -> Option<&'static str> {
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
fn other_document(document: &Value) -> Option<&'static str> {
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

fn unhexed(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    pairs.iter().map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Headers by their names in lower case; of several values the first. Tools write them as a map, as
/// pairs with names, or as a flat list.
fn headers(value: &Value) -> Vec<(String, String)> {
    let first = |value: &Value| {
        value
            .as_array()
            .map_or_else(|| text(value), |values| values.first().map(text).unwrap_or_default())
    };
    match value {
        Value::Object(map) => {
            map.iter().map(|(name, value)| (name.to_lowercase(), first(value))).collect()
        }
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let pairs = items.as_chunks::<2>().0.iter();
            pairs.map(|[name, value]| (text(name).to_lowercase(), text(value))).collect()
        }
        Value::Array(items) => {
            let pair = |item: &Value| match item.as_array() {
                Some(pair) => (
                    pair.first().map(text).unwrap_or_default(),
                    pair.get(1).map(text).unwrap_or_default(),
                ),
                None => (text(&item["name"]), text(&item["value"])),
            };
            items.iter().map(pair).map(|(name, value)| (name.to_lowercase(), value)).collect()
        }
        _ => Vec::new(),
    }
}
