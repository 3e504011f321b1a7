//! Metadata checks its own limits as it is read, so that no handler has to.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Patch, limits,
    reader::{FaultKind, Faults, Fields, Path, Read},
};

/// Up to 16 pairs of strings, in the order given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(Map<String, Value>);

impl Metadata {
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }
}

impl Read for Metadata {
    fn read(value: Value, at: &Path<'_>, faults: &mut Faults) -> Option<Self> {
        let map = Map::read(value, at, faults)?;
        if map.len() > limits::METADATA_KEYS {
            faults.note(at, FaultKind::TooManyProperties { max: limits::METADATA_KEYS, got: map.len() });
            return None;
        }
        let sound = map.iter().map(|(key, value)| sound(key, value, at, faults)).fold(true, |all, one| all & one);
        sound.then_some(Self(map))
    }
}

fn sound(key: &str, value: &Value, at: &Path<'_>, faults: &mut Faults) -> bool {
    let length = key.chars().count();
    if length > limits::METADATA_KEY {
        faults.note(at, FaultKind::PropertyNameTooLong { name: key.to_owned(), max: limits::METADATA_KEY, got: length });
        return false;
    }
    let Value::String(text) = value else {
        return faults.wrong_type::<()>(&at.key(key), "a string", value).is_some();
    };
    let length = text.chars().count();
    if length > limits::METADATA_VALUE {
        faults.note(&at.key(key), FaultKind::StringTooLong { max: limits::METADATA_VALUE, got: length });
        return false;
    }
    true
}

/// A modify changes the metadata and nothing else; so it does for a message and for a run.
#[derive(Clone, Debug)]
pub struct MetadataChange {
    pub metadata: Patch<Metadata>,
}

impl Read for MetadataChange {
    fn read(value: Value, at: &Path<'_>, faults: &mut Faults) -> Option<Self> {
        let mut fields = Fields::of(value, at, faults)?;
        let metadata = fields.patch("metadata");
        fields.finish();
        Some(Self { metadata: metadata? })
    }
}
