//! What all formats have in common: headers, bodies, and bytes that are written as text.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::types::lenient::{self, lenient};

/// A body: text, perhaps in base64 where it was no text, or JSON that some tool has read already.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct RecordedBody(pub Value);

impl RecordedBody {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        match self.0 {
            Value::Null => Vec::new(),
            Value::String(text) => text.into_bytes(),
            other => other.to_string().into_bytes(),
        }
    }
}

/// Headers by their names in lower case; of several values the first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct RecordedHeaders(pub Vec<(String, String)>);

impl<'de> Deserialize<'de> for RecordedHeaders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = pairs(Value::deserialize(deserializer)?).into_iter();
        Ok(Self(pairs.map(|(name, value)| (name.to_lowercase(), value)).collect()))
    }
}

lenient! {
    struct NamedHeader {
        name: String,
        value: String,
    }
}

/// Tools write headers as a map, as pairs, as pairs with names, or as a flat list.
fn pairs(written: Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let first = |value: &Value| match value {
        Value::Array(values) => values.first().map(text).unwrap_or_default(),
        value => text(value),
    };
    match written {
        Value::Object(map) => {
            map.iter().map(|(name, value)| (name.clone(), first(value))).collect()
        }
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let pairs = items.as_chunks::<2>().0.iter();
            pairs.map(|[name, value]| (text(name), text(value))).collect()
        }
        Value::Array(items) => {
            let pair = |item: Value| match item {
                Value::Array(pair) => (
                    pair.first().map(text).unwrap_or_default(),
                    pair.get(1).map(text).unwrap_or_default(),
                ),
                named => {
                    let NamedHeader { name, value } = lenient::read(named);
                    (name, value)
                }
            };
            items.into_iter().map(pair).collect()
        }
        _ => Vec::new(),
    }
}

/// The bytes that a text means in hex, if it is hex.
pub(super) fn unhexed(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    pairs.iter().map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
