//! Metadata. The reader checks their limits, so that no handler has to.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Patch, limits, python,
    reader::{Fields, Path, Read, ValidationErrorKind, ValidationErrors},
};

/// Up to 16 pairs of strings, in the order of the client.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(Map<String, Value>);

impl Metadata {
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }
}

impl Read for Metadata {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut map = Map::read(value, at, errors)?;
        if errors.version().is_v1() {
            map.values_mut()
                .filter(|value| !value.is_string())
                .for_each(|value| *value = Value::from(python::printed(value)));
        }
        let mut sound = check_keys(&map, at, errors);
        for (key, value) in &map {
            sound = sound && is_sound(key, value, at, errors);
        }
        sound.then_some(Self(map))
    }
}

/// Checks the number and the length of keys. The limits are the same for metadata and for
/// attributes.
pub(super) fn check_keys(
    map: &Map<String, Value>,
    at: &Path<'_>,
    errors: &mut ValidationErrors,
) -> bool {
    if map.len() > limits::METADATA_KEYS {
        errors.note(
            at,
            ValidationErrorKind::TooManyProperties { max: limits::METADATA_KEYS, got: map.len() },
        );
        return false;
    }
    for key in map.keys() {
        let length = key.chars().count();
        if length > limits::METADATA_KEY {
            errors.note(
                at,
                ValidationErrorKind::PropertyNameTooLong {
                    name: key.clone(),
                    max: limits::METADATA_KEY,
                    got: length,
                },
            );
            return false;
        }
    }
    true
}

fn is_sound(key: &str, value: &Value, at: &Path<'_>, errors: &mut ValidationErrors) -> bool {
    let Value::String(text) = value else {
        return errors.wrong_type::<()>(&at.key(key), "a string", value).is_some();
    };
    let length = text.chars().count();
    if length > limits::METADATA_VALUE {
        errors.note(
            &at.key(key),
            ValidationErrorKind::StringTooLong { max: limits::METADATA_VALUE, got: length },
        );
        return false;
    }
    true
}

/// A modify request that changes only the metadata, as for a message and a run.
#[derive(Clone, Debug)]
pub struct MetadataChange {
    pub metadata: Patch<Metadata>,
}

impl Read for MetadataChange {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let metadata = fields.patch("metadata");
        fields.finish();
        Some(Self { metadata: metadata? })
    }
}
