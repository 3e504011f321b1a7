//! The compaction: the messages of the user, and one item that replaces all other items.
//!
//! The service encrypts a summary in that item. Here the item has no summary: it has the number of
//! the questions before it. So `turn` conditions work the same with and without a compaction.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Item, Response, ResponseUsage, item::COMPACTION, request::NewResponse};
use crate::types::{
    Id, Timestamp,
    reader::{Path, Read, ValidationErrorKind, ValidationErrors},
};

/// The response to a compaction request. Recorded with sorted keys; their order is documented.
#[derive(Debug, Serialize)]
pub struct Compaction {
    id: Id<Response>,
    object: &'static str,
    created_at: Timestamp,
    output: Vec<Item>,
    usage: ResponseUsage,
}

impl Compaction {
    pub fn new(
        id: Id<Response>,
        created_at: Timestamp,
        output: Vec<Item>,
        usage: ResponseUsage,
    ) -> Self {
        Self { id, object: "response.compaction", created_at, output, usage }
    }
}

/// A request to compact the input of a response.
pub struct NewCompaction(pub NewResponse);

/// Documented: its keys, which are some of the keys of a response.
const KEYS: [&str; 9] = [
    "model",
    "image",
    "input",
    "previous_response_id",
    "instructions",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "service_tier",
];

impl Read for NewCompaction {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let map = Map::read(value, at, errors)?;
        for key in map.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            errors.note(&at.key(key), ValidationErrorKind::Unknown { known: KEYS.to_vec() });
        }
        NewResponse::read(Value::Object(map), at, errors).map(Self)
    }
}

/// The number of digits of the question count at the end of the content.
const DIGITS: usize = 8;

impl Item {
    /// The item that replaces the items before it, with their number of questions.
    pub fn compaction(id: impl Into<String>, encrypted: &str, questions: i64) -> Self {
        let content = format!("{encrypted}{questions:0DIGITS$}");
        let rest = Map::from_iter([("encrypted_content".to_owned(), content.into())]);
        Self::new(id, COMPACTION, Value::Object(rest))
    }

    /// The number of questions that it replaces, if this server made the compaction.
    pub fn questions_before(&self) -> Option<i64> {
        let content = self.text_at("encrypted_content").filter(|_| self.is(COMPACTION))?;
        let number = content.get(content.len().checked_sub(DIGITS)?..)?;
        number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())?
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_compaction_of_this_server_counts_questions() {
        let of = |content: &str| {
            Item::new("cmp_1", COMPACTION, json!({"encrypted_content": content})).questions_before()
        };
        assert_eq!(Item::compaction("cmp_1", "gAAAAA", 12).questions_before(), Some(12));
        assert_eq!(of("gAAAAABpzfWYTCgQWp70FeVbtF1vLlPyb51sDfF8lYGEDyKs=="), None);
        assert_eq!(of("ééééé"), None);
        assert_eq!(of("é"), None);
        assert_eq!(Item::new("msg_1", "message", json!({})).questions_before(), None);
    }
}
