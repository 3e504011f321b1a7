//! One request and its answer: what was asked of the Assistants API, and what that said.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::io::Read as _;

use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::events::{Lines, SseEvent};

/// An exchange as it is in a recording.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub line: usize,
    pub method: String,
    pub url: String,
    pub request: Vec<u8>,
    pub status: Option<u64>,
    pub headers: Vec<(String, String)>,
    pub response: Vec<u8>,
    /// Why there is no body, if that is known.
    pub missing: Option<String>,
}

/// What was answered.
#[derive(Debug)]
pub(super) enum RecordedAnswer {
    Json(Value),
    Events(Vec<(String, Value)>),
    Bytes(Vec<u8>),
}

/// The largest body that is unpacked, in bytes: the largest file.
const LARGEST: u64 = crate::types::limits::FILE_BYTES;

impl Raw {
    /// The path as OpenAI spells it, without its query; none if it is of another API.
    pub(super) fn path(&self) -> Option<String> {
        const RESOURCES: [&str; 8] = [
            "assistants",
            "threads",
            "responses",
            "conversations",
            "containers",
            "files",
            "uploads",
            "vector_stores",
        ];
        let path = self.url.split(['?', '#']).next()?;
        let path = path
            .split_once("://")
            .map_or(path, |(_, rest)| rest.find('/').map_or("/", |slash| &rest[slash..]));
        let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let first = segments.iter().position(|segment| RESOURCES.contains(segment))?;
        // Before it is nothing but a base: /v1, /openai, a deployment, a proxy's prefix.
        Some(format!("/{}", segments[first..].join("/")))
    }

    pub(super) fn host(&self) -> String {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default().to_owned()
    }

    /// Whether the query asks for the oldest first.
    pub(super) fn is_ascending(&self) -> bool {
        self.url
            .split_once('?')
            .is_some_and(|(_, query)| query.split('&').any(|pair| pair == "order=asc"))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The request, as far as it can be read.
    pub(super) fn asked<T: DeserializeOwned + Default>(&self) -> T {
        serde_json::from_slice(&self.request).unwrap_or_default()
    }

    /// The answer, unpacked and read, or why it cannot be.
    pub(super) fn answer(&self) -> Result<RecordedAnswer, String> {
        let bytes = self.unpacked()?;
        let kind = self.header("content-type").unwrap_or_default();
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => return Ok(RecordedAnswer::Bytes(error.into_bytes())),
        };
        if kind.starts_with("text/event-stream")
            || !self.is_content() && ["event:", "data:"].iter().any(|field| text.starts_with(field))
        {
            return events(&text).map(RecordedAnswer::Events);
        }
        match serde_json::from_str(&text) {
            Ok(value) if !self.is_content() => Ok(RecordedAnswer::Json(value)),
            _ if self.is_content() => Ok(RecordedAnswer::Bytes(text.into_bytes())),
            Ok(value) => Ok(RecordedAnswer::Json(value)),
            Err(error) => Err(format!("the answer is not JSON: {error}")),
        }
    }

    fn is_content(&self) -> bool {
        self.path().is_some_and(|path| path.starts_with("/files/") && path.ends_with("/content"))
    }

    /// Bodies are packed if a header says so, or look it: some tools unpack them and leave the
    /// header. What is no text is in base64 in some formats, which nobody says.
    fn unpacked(&self) -> Result<Vec<u8>, String> {
        let is_packed = |bytes: &[u8]| bytes.starts_with(&[0x1f, 0x8b]);
        let mut bytes = self.response.clone();
        let is_base64 = || {
            std::str::from_utf8(&self.response).ok().filter(|text| text.len() > 8).and_then(decoded)
        };
        if !is_packed(&bytes)
            && let Some(plain) = is_base64().filter(|plain| {
                is_packed(plain) || looks_like_a_file(plain) || looks_like_text(plain)
            })
        {
            bytes = plain;
        }
        let unpack = |reader: &mut dyn std::io::Read| {
            let mut unpacked = Vec::new();
            reader.take(LARGEST).read_to_end(&mut unpacked).map(|_| unpacked)
        };
        if is_packed(&bytes) {
            return unpack(&mut GzDecoder::new(bytes.as_slice()))
                .map_err(|error| format!("the answer cannot be unpacked: {error}"));
        }
        match self.header("content-encoding") {
            Some("deflate") if !looks_like_json(&bytes) => {
                unpack(&mut ZlibDecoder::new(bytes.as_slice()))
                    .or_else(|_| unpack(&mut DeflateDecoder::new(bytes.as_slice())))
                    .map_err(|error| format!("the answer cannot be unpacked: {error}"))
            }
            Some(other @ ("br" | "zstd")) if std::str::from_utf8(&bytes).is_err() => Err(format!(
                "the answer is packed with {other}, which is not understood here: record it anew \
                 without"
            )),
            _ => Ok(bytes),
        }
    }
}

/// Whether contents begin as those of files that are no text do.
fn looks_like_a_file(bytes: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 7] =
        [b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"%PDF", b"PK\x03\x04", b"RIFF", b"\0\0\0"];
    BEGINNINGS.iter().any(|beginning| bytes.starts_with(beginning))
}

/// Whether contents begin as answers of the API in text do.
fn looks_like_text(bytes: &[u8]) -> bool {
    looks_like_json(bytes) || bytes.starts_with(b"event:")
}

fn looks_like_json(bytes: &[u8]) -> bool {
    matches!(bytes.iter().find(|byte| !byte.is_ascii_whitespace()), Some(b'{' | b'['))
}

/// The events of a stream, as far as it goes.
fn events(text: &str) -> Result<Vec<(String, Value)>, String> {
    let (mut events, mut lines) = (Vec::new(), Lines::default());
    lines.add(text.as_bytes());
    while let Some(SseEvent { name, data }) = lines.event().or_else(|| lines.last()) {
        if data == "[DONE]" {
            continue;
        }
        match serde_json::from_str::<Value>(&data) {
            // The data of responses has the name too.
            Ok(data) => match data["type"].as_str().filter(|_| name.is_empty()) {
                Some(kind) => events.push((kind.to_owned(), data)),
                None if name.is_empty() => {}
                None => events.push((name, data)),
            },
            // A stream that was cut off ends in the middle of an event.
            Err(_) => break,
        }
    }
    if events.is_empty() { Err("there are no events in the stream".to_owned()) } else { Ok(events) }
}

/// What a text in base64 means, if it is one.
pub(super) fn decoded(encoded: &str) -> Option<Vec<u8>> {
    STANDARD.decode(encoded.split_whitespace().collect::<String>()).ok()
}
