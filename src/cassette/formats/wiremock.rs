//! Mappings of WireMock, recorded or written by hand, one or many; and the journal of what it was
//! asked.
//!
//! A mapping has no host, and its body may be in a file of its own below `__files`.

use std::{
    fs,
    path::{Component, Path},
};

use serde_json::{Map, Value};

use super::parts::{RecordedBody, RecordedHeaders};
use crate::{
    cassette::exchange::{Raw, decoded},
    types::lenient::{self, Items, lenient},
};

lenient! {
    pub(super) struct Mapping {
        request: Option<RequestPattern>,
        response: Option<MappingResponse>,
        uuid: Option<String>,
        persistent: bool,
        #[serde(rename = "insertionIndex")]
        insertion_index: Option<i64>,
    }

    /// A pattern of requests. A path has one of five names, the exact ones first.
    #[serde(rename_all = "camelCase")]
    pub(super) struct RequestPattern {
        method: Option<String>,
        url: Option<String>,
        url_path: Option<String>,
        url_path_template: Option<String>,
        url_pattern: Option<String>,
        url_path_pattern: Option<String>,
        query_parameters: Map<String, Value>,
        body_patterns: Option<Items<BodyPattern>>,
        /// No pattern has one: it is a request of another tool.
        body: Option<Value>,
    }

    #[serde(rename_all = "camelCase")]
    pub(super) struct BodyPattern {
        equal_to_json: Option<RecordedBody>,
        equal_to: Option<RecordedBody>,
    }

    /// How a value of a query is matched.
    #[serde(rename_all = "camelCase")]
    pub(super) struct Matcher {
        equal_to: Option<String>,
        has_exactly: Items<Exactly>,
    }

    #[serde(rename_all = "camelCase")]
    pub(super) struct Exactly {
        equal_to: Option<String>,
    }

    #[serde(rename_all = "camelCase")]
    pub(super) struct MappingResponse {
        status: Option<u64>,
        headers: RecordedHeaders,
        body: Option<Value>,
        json_body: Option<Value>,
        #[serde(rename = "base64Body")]
        base64_body: Option<String>,
        body_file_name: Option<String>,
        proxy_base_url: Option<Value>,
    }

    /// An entry of the journal: what was asked, and what was answered or would have been.
    #[serde(rename_all = "camelCase")]
    pub(super) struct WireMockEntry {
        request: Option<Exchanged>,
        response: Option<Exchanged>,
        response_definition: Exchanged,
    }

    /// A request or a response of the journal.
    #[serde(rename_all = "camelCase")]
    pub(super) struct Exchanged {
        method: String,
        url: String,
        status: Option<u64>,
        headers: RecordedHeaders,
        body: RecordedBody,
        body_as_base64: Option<String>,
        proxy_base_url: String,
    }
}

/// Whether a document is of WireMock.
pub(super) fn is_it(document: &Value) -> bool {
    let has_mappings = document.get("mappings").is_some_and(Value::is_array);
    let journal: Option<Vec<Value>> = document.get("requests").cloned().and_then(lenient::read);
    let first = journal.and_then(|entries| entries.into_iter().next());
    let entry: WireMockEntry = first.map(lenient::read).unwrap_or_default();
    has_mappings || entry.request.is_some() || is_mapping(document)
}

/// Whether something is a mapping: a pattern of requests, and a response.
pub(super) fn is_mapping(item: &Value) -> bool {
    let Mapping { request: Some(request), response: Some(response), .. } =
        lenient::read(item.clone())
    else {
        return false;
    };
    let is_pattern = request.path().is_some() || request.body_patterns.is_some();
    // Pairs of other tools have a whole URL, and a body in the request.
    let is_relative = request.url.as_ref().is_none_or(|url| url.starts_with('/'));
    is_pattern && response.answers() && is_relative && request.body.is_none()
}

pub(super) fn exchanges(document: &Value, beside: Option<&Path>) -> Vec<Raw> {
    if let Some(Value::Array(items)) = document.get("requests") {
        // The newest is first.
        let mut exchanges = super::all::<WireMockEntry>(items);
        exchanges.reverse();
        return exchanges;
    }
    let items = match (document, document.get("mappings")) {
        (Value::Array(items), _) | (_, Some(Value::Array(items))) => items.as_slice(),
        _ => std::slice::from_ref(document),
    };
    let mappings = items.iter().map(|item| lenient::read::<Mapping>(item.clone()));
    let mut mappings: Vec<_> = mappings.enumerate().collect();
    // What a recording answered by itself has the newest first.
    let is_newest_first =
        mappings.iter().all(|(_, mapping)| mapping.uuid.is_some() && mapping.persistent);
    mappings.sort_by_key(|(place, mapping)| mapping.order(*place, is_newest_first));
    mappings.into_iter().map(|(line, mapping)| Raw { line, ..mapping.read(beside) }).collect()
}

impl Mapping {
    /// Recorded mappings count down from the first. Those that people wrote are in their order.
    fn order(&self, place: usize, is_newest_first: bool) -> i64 {
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        match self.insertion_index {
            Some(index) => -index,
            None if is_newest_first => -place,
            None => place,
        }
    }

    fn read(self, beside: Option<&Path>) -> Raw {
        let (request, response) =
            (self.request.unwrap_or_default(), self.response.unwrap_or_default());
        let asked = request.exact_body();
        let method = match &request.method {
            Some(method) if !method.eq_ignore_ascii_case("ANY") => method.to_uppercase(),
            _ if asked.is_some() => "POST".to_owned(),
            _ => "GET".to_owned(),
        };
        let url = request.whole_url();
        let status = Some(response.status.filter(|status| *status > 0).unwrap_or(200));
        let (body, missing) = match response.bytes(beside) {
            Ok(body) => (body, None),
            Err(missing) => (Vec::new(), Some(missing)),
        };
        Raw {
            method,
            url,
            request: asked.unwrap_or_default(),
            status,
            headers: response.headers.0,
            response: body,
            missing,
            ..Raw::default()
        }
    }
}

impl RequestPattern {
    fn path(&self) -> Option<&str> {
        let exact = self.url.as_deref().or(self.url_path.as_deref());
        exact
            .or(self.url_path_template.as_deref())
            .or(self.url_pattern.as_deref())
            .or(self.url_path_pattern.as_deref())
    }

    fn whole_url(&self) -> String {
        let path = self.path().unwrap_or_default();
        let pairs = self.query_parameters.iter().filter_map(|(name, matcher)| {
            let Matcher { equal_to, has_exactly } = lenient::read(matcher.clone());
            let exact = equal_to.or_else(|| has_exactly.first()?.equal_to.clone())?;
            Some(format!("{name}={exact}"))
        });
        let pairs: Vec<_> = pairs.collect();
        if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
    }

    /// The body that a request must have, if a pattern says all of it.
    fn exact_body(&self) -> Option<Vec<u8>> {
        let exact = self.body_patterns.as_deref().unwrap_or_default().iter();
        exact
            .filter_map(|pattern| {
                pattern.equal_to_json.clone().or_else(|| pattern.equal_to.clone())
            })
            .map(RecordedBody::into_bytes)
            .next()
    }
}

impl MappingResponse {
    /// Whether it says what is answered.
    fn answers(&self) -> bool {
        let has_text = self.base64_body.is_some() || self.body_file_name.is_some();
        let has_value = self.body.is_some() || self.json_body.is_some();
        has_text || has_value || self.proxy_base_url.is_some()
    }

    fn bytes(&self, beside: Option<&Path>) -> Result<Vec<u8>, String> {
        if let Some(name) = &self.body_file_name {
            let read = beside.and_then(|path| in_files(path, name));
            return read.ok_or_else(|| {
                format!("its body is in the file '{name}', which is in no folder '__files' near it")
            });
        }
        if let Some(encoded) = &self.base64_body {
            return Ok(decoded(encoded).unwrap_or_default());
        }
        let body = self.json_body.clone().or_else(|| self.body.clone());
        Ok(RecordedBody(body.unwrap_or_default()).into_bytes())
    }
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

impl From<WireMockEntry> for Raw {
    fn from(entry: WireMockEntry) -> Self {
        let WireMockEntry { request, response, response_definition } = entry;
        let request = request.unwrap_or_default();
        let url = format!("{}{}", response_definition.proxy_base_url, request.url);
        let response = response.unwrap_or(response_definition);
        Self {
            method: request.method.to_uppercase(),
            url,
            request: request.bytes(),
            status: response.status,
            headers: response.headers.0.clone(),
            response: response.bytes(),
            ..Self::default()
        }
    }
}

impl Exchanged {
    fn bytes(&self) -> Vec<u8> {
        let decoded = self.body_as_base64.as_deref().and_then(decoded);
        decoded.unwrap_or_else(|| self.body.clone().into_bytes())
    }
}
