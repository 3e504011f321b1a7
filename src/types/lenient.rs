//! Structs for data of other programs: recordings of any tool, objects of any version.
//!
//! A value with an unexpected shape counts as missing. It never makes the rest unreadable.

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Defines structs in which every field is optional. A field that is missing, null or of another
/// type has its default.
macro_rules! lenient {
    ($($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty,)*
    })*) => {$(
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        $(#[$meta])*
        $vis struct $name {
            $(
                $(#[$field_meta])*
                #[serde(deserialize_with = "crate::types::lenient::or_default")]
                $field_vis $field: $type,
            )*
        }
    )*};
}

pub(crate) use lenient;

/// Reads a value. The default replaces a value of another shape.
pub fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    Value::deserialize(deserializer).map(read)
}

/// Reads a value. The default replaces a value of another shape.
pub fn read<T: DeserializeOwned + Default>(value: Value) -> T {
    serde_json::from_value(value).unwrap_or_default()
}

/// A list without the items of another shape.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Items<T>(pub Vec<T>);

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> std::ops::Deref for Items<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Items<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = Vec::<Value>::deserialize(deserializer)?;
        Ok(Self(
            values.into_iter().filter_map(|value| serde_json::from_value(value).ok()).collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    lenient! {
        struct Run {
            id: String,
            created_at: Option<i64>,
            usage: Usage,
            calls: Items<Usage>,
        }

        struct Usage {
            tokens: Option<u64>,
        }
    }

    #[test]
    fn a_value_of_another_shape_counts_as_missing() {
        let run: Run = read(json!({
            "id": 7, "created_at": 1, "usage": "much", "calls": [null, {"tokens": 2}, "three"],
        }));
        let calls = Items(vec![Usage { tokens: Some(2) }]);
        assert_eq!(run, Run { created_at: Some(1), calls, ..Run::default() });
        assert_eq!(read::<Run>(json!("no run")), Run::default());
    }
}
