//! The formats of recordings: which tool wrote a file, and where in the file the exchanges are.
//!
//! The content alone decides the format of a recording, never its name. Most tools write a list of
//! pairs of a request and a response: `pairs.rs` reads those. Each format with another structure
//! has a file of its own. If a file is known to be something else, the error names that.

mod curl;
mod har;
mod nock;
mod pairs;
mod parts;
mod proxy;
mod unknown;
mod wiremock;

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{CassetteError, exchange::Raw};
use crate::{
    fixture,
    types::lenient::{self, Items, lenient},
};

/// The paths to the lists of exchanges. The last is the document itself.
const LISTS: &[&[&str]] = &[
    &["interactions"],
    &["http_interactions"],
    &["log", "entries"],
    &["mappings"],
    &["requests"],
    &["Entries"],
    &[],
];

/// The exchanges of a recording, in the order in which they were made. `beside` is the location of
/// the recording, for formats that keep bodies in separate files.
pub(super) fn exchanges(text: &str, beside: Option<&Path>) -> Result<Vec<Raw>, CassetteError> {
    if let Some(exchanges) = curl::exchanges(text) {
        return Ok(exchanges);
    }
    if let Some(name) = unknown::name_of_text(text) {
        return Err(unknown::error(&format!("it is {name}")));
    }
    let (document, lines) = fixture::lines_of(text, LISTS).map_err(|(line, what)| {
        let is_recording = LISTS.iter().flat_map(|keys| keys.iter()).any(|key| text.contains(key));
        if is_recording {
            CassetteError::Broken { line, what }
        } else {
            unknown::error("it is neither JSON nor YAML")
        }
    })?;
    refuse_cut(text, &document)?;
    let Some(mut exchanges) = of_document(&document, beside) else {
        return Err(unknown::error(&unknown::describe(&document)));
    };
    let at = |index: usize| lines.get(index).copied().unwrap_or(1);
    for exchange in &mut exchanges {
        exchange.line = at(exchange.line);
    }
    Ok(exchanges)
}

/// The exchanges of a folder of mappings, or of the folder above one: WireMock writes a file for
/// each.
pub(super) fn in_folder(folder: &Path) -> Result<Vec<Raw>, CassetteError> {
    let within = Some(folder.join("mappings"))
        .filter(|path| path.is_dir())
        .unwrap_or_else(|| folder.to_owned());
    let mut mappings = Vec::new();
    for path in fixture::files(std::slice::from_ref(&within))
        .map_err(|error| CassetteError::Unknown(error.to_string()))?
    {
        let text = std::fs::read_to_string(&path)?;
        let read = fixture::lines_of(&text, &[])
            .map_err(|(line, what)| CassetteError::Broken { line, what })?;
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
        return Err(CassetteError::Unknown(
            "of folders, those of WireMock's mappings are read: name the files".to_owned(),
        ));
    }
    let exchanges = wiremock::exchanges(&document, Some(&within.join("mapping")));
    Ok(exchanges.into_iter().map(|exchange| Raw { line: 1, ..exchange }).collect())
}

lenient! {
    /// A document, as far as it is a recording.
    struct RecordingDocument {
        interactions: Option<Vec<Value>>,
        http_interactions: Option<Vec<Value>>,
        recorded_with: Option<String>,
        log: Log,
        #[serde(rename = "Entries")]
        proxied: Option<Vec<Value>>,
    }

    struct Log {
        entries: Option<Vec<Value>>,
    }
}

/// The exchanges of a document, each with its place in its list as its line; or none if it is no
/// recording.
fn of_document(document: &Value, beside: Option<&Path>) -> Option<Vec<Raw>> {
    let RecordingDocument { interactions, http_interactions, recorded_with, log, proxied } =
        lenient::read(document.clone());
    if let Some(items) = interactions.or(http_interactions) {
        let is_betamax = recorded_with.is_some_and(|tool| tool.starts_with("betamax"));
        return Some(if is_betamax { all_of_betamax(&items) } else { all::<pairs::Pair>(&items) });
    }
    if let Some(items) = log.entries {
        return Some(all::<har::HarEntry>(&items));
    }
    if let Some(items) = proxied {
        return Some(all::<proxy::ProxyEntry>(&items));
    }
    if wiremock::is_it(document) {
        return Some(wiremock::exchanges(document, beside));
    }
    let items = document.as_array()?;
    let first = items.first()?;
    if lenient::read::<nock::Definition>(first.clone()).is_whole() {
        Some(all::<nock::Definition>(items))
    } else if wiremock::is_mapping(first) {
        Some(wiremock::exchanges(document, beside))
    } else if lenient::read::<pairs::Pair>(first.clone()).is_whole() {
        Some(all::<pairs::Pair>(items))
    } else {
        None
    }
}

/// The exchanges of a list, each with its place in it as its line.
fn all<T: DeserializeOwned + Default + Into<Raw>>(items: &[Value]) -> Vec<Raw> {
    numbered(items.iter().map(|item| lenient::read::<T>(item.clone()).into()))
}

fn all_of_betamax(items: &[Value]) -> Vec<Raw> {
    numbered(items.iter().map(|item| lenient::read::<pairs::Pair>(item.clone()).of_betamax()))
}

fn numbered(exchanges: impl Iterator<Item = Raw>) -> Vec<Raw> {
    exchanges.enumerate().map(|(line, exchange)| Raw { line, ..exchange }).collect()
}

lenient! {
    /// A recording of vcrpy, as far as it shows that it is whole.
    struct Vcrpy {
        interactions: Items<VcrpyInteraction>,
        version: Option<Value>,
    }

    struct VcrpyInteraction {
        response: VcrpyResponse,
    }

    struct VcrpyResponse {
        status: VcrpyStatus,
    }

    struct VcrpyStatus {
        code: Option<u64>,
    }

    /// A recording of VCR, as far as it shows that it is whole.
    struct Vcr {
        http_interactions: Items<VcrInteraction>,
        recorded_with: Option<Value>,
    }

    struct VcrInteraction {
        recorded_with: Option<Value>,
    }
}

/// Two tools write a key at the end of the file. YAML text that is cut between two lines is still
/// valid YAML.
fn refuse_cut(text: &str, document: &Value) -> Result<(), CassetteError> {
    if text.trim_start().starts_with('{') {
        return Ok(());
    }
    let vcrpy: Vcrpy = lenient::read(document.clone());
    let is_vcrpy = vcrpy.interactions.first().is_some_and(|it| it.response.status.code.is_some());
    let vcr: Vcr = lenient::read(document.clone());
    let is_vcr = vcr.http_interactions.first().is_some_and(|it| it.recorded_with.is_none());
    for (is_it, end, last) in
        [(is_vcrpy, vcrpy.version, "version"), (is_vcr, vcr.recorded_with, "recorded_with")]
    {
        if is_it && end.is_none() {
            let what = format!(
                "it ends without '{last}', which such a recording has at its end: it is cut"
            );
            return Err(CassetteError::Broken { line: text.lines().count(), what });
        }
    }
    Ok(())
}
