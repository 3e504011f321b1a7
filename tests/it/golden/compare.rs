//! How a recorded answer and one of ours are compared.

use std::{collections::HashMap, sync::LazyLock};

use regex::{Captures, Regex};
use serde_json::{Map, Value};

static ID: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"\b(?:(?:asst|thread|msg|run|step|call|vs|upload|part)_[0-9A-Za-z]{24}",
        r"|(?:vs|vsfb|vsfb_ibj|upload|part)_[0-9a-f]{32}|file-(?:[0-9A-Za-z]{24}|[0-9A-Za-z]{22}))\b"
    ))
    .unwrap()
});

/// Replaces every id in a text.
pub fn map_ids(text: &str, map: impl Fn(&str) -> String) -> String {
    ID.replace_all(text, |found: &Captures<'_>| map(&found[0])).into_owned()
}

/// Keys that the service added after some of the recordings were made. We always have them.
const ADDED_LATER: [&str; 11] = [
    "reasoning_effort",
    "parallel_tool_calls",
    "prompt_token_details",
    "completion_tokens_details",
    "strict",
    "file_search",
    "hybrid_search",
    "description",
    "expires_at",
    "chunking_strategy",
    "attributes",
];

/// Numbers that nobody can foretell: only that they are there is compared.
fn is_free(key: &str) -> bool {
    key.ends_with("_at") || key.ends_with("_tokens")
}

pub struct Comparison<'i> {
    /// What each recorded id became here.
    pub ids: &'i mut HashMap<String, String>,
    pub differences: Vec<String>,
    /// The list shows objects of other people: of each only the shape is compared.
    pub of_others: bool,
}

impl Comparison<'_> {
    pub fn value(&mut self, at: &str, recorded: &Value, got: &Value) {
        match (recorded, got) {
            (Value::Object(recorded), Value::Object(got)) => self.object(at, recorded, got),
            (Value::Array(recorded), Value::Array(got)) => self.array(at, recorded, got),
            (Value::String(recorded), Value::String(got)) => self.string(at, recorded, got),
            (Value::Number(_), Value::Number(_)) if is_free(at.rsplit('.').next().unwrap_or_default()) => {}
            _ if recorded == got => {}
            _ if self.of_others && std::mem::discriminant(recorded) == std::mem::discriminant(got) => {}
            _ => self.differences.push(format!("{at}: recorded {recorded}, got {got}")),
        }
    }

    fn object(&mut self, at: &str, recorded: &Map<String, Value>, got: &Map<String, Value>) {
        let added = |key: &&String| ADDED_LATER.contains(&key.as_str()) && !recorded.contains_key(*key);
        let keys: Vec<_> = got.keys().filter(|key| !added(key)).collect();
        let recorded_keys: Vec<_> = recorded.keys().collect();
        if keys != recorded_keys {
            self.differences.push(format!("{at}: recorded keys {recorded_keys:?}, got {keys:?}"));
        }
        for (key, value) in recorded {
            if let Some(got) = got.get(key) {
                self.value(&format!("{at}.{key}"), value, got);
            }
        }
    }

    fn array(&mut self, at: &str, recorded: &[Value], got: &[Value]) {
        if self.of_others && at == ".data" {
            if let (Some(recorded), Some(got)) = (recorded.first(), got.first()) {
                self.value(&format!("{at}[0]"), recorded, got);
            }
            return;
        }
        if recorded.len() != got.len() {
            self.differences.push(format!("{at}: recorded {} items, got {}", recorded.len(), got.len()));
        }
        for (index, (recorded, got)) in recorded.iter().zip(got).enumerate() {
            self.value(&format!("{at}[{index}]"), recorded, got);
        }
    }

    /// Ids may differ, but always in the same way.
    fn string(&mut self, at: &str, recorded: &str, got: &str) {
        if self.of_others {
            return;
        }
        if ID.is_match(recorded) && ID.find(recorded).is_some_and(|found| found.len() == recorded.len()) {
            let known = self.ids.entry(recorded.to_owned()).or_insert_with(|| got.to_owned());
            if known != got {
                self.differences.push(format!("{at}: recorded {recorded}, which is {known} here, got {got}"));
            }
            return;
        }
        let expected = map_ids(recorded, |id| self.ids.get(id).cloned().unwrap_or_else(|| id.to_owned()));
        // What a fixture says is as it was recorded.
        if expected != got && recorded != got {
            self.differences.push(format!("{at}: recorded {recorded:?}, got {got:?}"));
        }
    }
}
