//! Pairs of a request and a response, which most tools write: vcrpy, VCR for Ruby and for R,
//! go-vcr, php-vcr, ExVCR, betamax for Python and for Java, and people.
//!
//! The tools differ in names and in how they write bodies, and those differences exclude each
//! other, so one reader does for all of them.

use serde_json::Value;

use super::parts::{RecordedBody, RecordedHeaders};
use crate::{
    cassette::exchange::{Raw, decoded},
    types::lenient::{self, lenient},
};

lenient! {
    pub(super) struct Pair {
        request: Option<PairRequest>,
        response: Option<PairResponse>,
    }

    pub(super) struct PairRequest {
        method: String,
        uri: Option<String>,
        url: Option<String>,
        path: Option<String>,
        body: Option<Value>,
        request_body: Option<Value>,
        binary: bool,
    }

    pub(super) struct PairResponse {
        code: PairStatus,
        status_code: PairStatus,
        status: PairStatus,
        headers: RecordedHeaders,
        body: Option<Value>,
        content: Option<Value>,
        binary: bool,
    }

    /// A body within a map that says how it is written.
    pub(super) struct Wrapped {
        /// Null where the body is empty.
        #[serde(rename = "string")]
        text: Option<String>,
        base64_string: Option<String>,
        encoding: Option<String>,
    }

    pub(super) struct StatusMap {
        code: StatusNumber,
        status_code: StatusNumber,
    }
}

/// A status code.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub(super) enum StatusNumber {
    Number(u64),
    Text(String),
    #[default]
    None,
}

/// A status code, by itself or within a map or a list.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub(super) enum PairStatus {
    Number(StatusNumber),
    List(Vec<Value>),
    Map(StatusMap),
}

impl Default for PairStatus {
    fn default() -> Self {
        Self::Number(StatusNumber::None)
    }
}

impl StatusNumber {
    fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Text(text) => text.parse().ok(),
            Self::None => None,
        }
    }
}

impl PairStatus {
    fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => number.number(),
            Self::List(items) => items.iter().find_map(Value::as_u64),
            Self::Map(map) => map.code.number().or_else(|| map.status_code.number()),
        }
    }
}

impl Pair {
    /// Whether it is one.
    pub(super) fn is_whole(&self) -> bool {
        let url = self.request.as_ref().and_then(PairRequest::url);
        self.response.is_some() && url.is_some_and(|url| !url.is_empty())
    }

    /// Betamax for Python says in which encoding it has read a text: of a stream it takes the bytes
    /// for Latin-1.
    pub(super) fn of_betamax(self) -> Raw {
        self.read(|body, is_binary| latin(&body).unwrap_or_else(|| bytes(body, is_binary)))
    }

    fn read(self, bytes: impl Fn(Value, bool) -> Vec<u8>) -> Raw {
        let (request, response) =
            (self.request.unwrap_or_default(), self.response.unwrap_or_default());
        let url = request.url().unwrap_or_default().to_owned();
        let asked = request.body.or(request.request_body).unwrap_or_default();
        let answered = response.body.or(response.content).unwrap_or_default();
        let [code, status_code, status] =
            [response.code, response.status_code, response.status].map(PairStatus::number);
        Raw {
            method: request.method.to_uppercase(),
            url,
            request: bytes(asked, request.binary),
            status: code.or(status_code).or(status),
            headers: response.headers.0,
            response: bytes(answered, response.binary),
            ..Raw::default()
        }
    }
}

impl From<Pair> for Raw {
    fn from(pair: Pair) -> Self {
        pair.read(bytes)
    }
}

impl PairRequest {
    fn url(&self) -> Option<&str> {
        self.uri.as_deref().or(self.url.as_deref()).or(self.path.as_deref())
    }
}

/// A body as it is, or within a map that says how it is written.
fn bytes(body: Value, is_binary: bool) -> Vec<u8> {
    match &body {
        Value::Object(map) => {
            let is_wrapped = map.get("string").is_some_and(|it| it.is_string() || it.is_null());
            let wrapped: Wrapped = lenient::read(body.clone());
            match wrapped.base64_string {
                Some(encoded) => decoded(&encoded).unwrap_or_default(),
                None if is_wrapped => wrapped.text.unwrap_or_default().into_bytes(),
                None => RecordedBody(body).into_bytes(),
            }
        }
        // ExVCR keeps what is no text as Elixir does: six bytes in front of it.
        Value::String(encoded) if is_binary => {
            decoded(encoded).and_then(|term| term.get(6..).map(<[u8]>::to_vec)).unwrap_or_default()
        }
        _ => RecordedBody(body).into_bytes(),
    }
}

/// The bytes of a text that was read as Latin-1, if one was.
fn latin(body: &Value) -> Option<Vec<u8>> {
    let Wrapped { text, encoding, .. } = lenient::read(body.clone());
    if !encoding?.eq_ignore_ascii_case("ISO-8859-1") {
        return None;
    }
    text?.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}
