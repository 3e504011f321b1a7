//! Compares a recorded response with one of this server.

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

/// The form of ids since 2025. Ids of files do not have `0 I O l`.
static SPELLED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"^(?:(?:asst|thread|msg|run|step|call)_[0-9A-Za-z]{24}|(?:vs|vsfb|upload|part)_[0-9a-f]{32}",
        r"|file-[1-9A-HJ-NP-Za-km-z]{22})$"
    ))
    .unwrap()
});

/// Replaces every id in a text.
pub fn map_ids(text: &str, map: impl Fn(&str) -> String) -> String {
    ID.replace_all(text, |found: &Captures<'_>| map(&found[0])).into_owned()
}

/// All ids in a text, in their order.
pub fn ids_in(text: &str) -> impl Iterator<Item = &str> {
    ID.find_iter(text).map(|found| found.as_str())
}

/// Older shapes of objects than those of this server, which are of 2025 and, under v1, of April
/// 2024.
const EARLIER: [(&str, &str); 18] = [
    (
        "assistant",
        "id object created_at name description model instructions tools file_ids metadata",
    ),
    (
        "assistant",
        "id object created_at name description model instructions tools top_p temperature \
         tool_resources metadata response_format",
    ),
    (
        "thread.message",
        "id object created_at thread_id role content file_ids assistant_id run_id metadata",
    ),
    // 2023-11 and 2024-03 of v1, 2024-04 and 2024-10 of v2.
    (
        "thread.run",
        "id object created_at assistant_id thread_id status started_at expires_at cancelled_at \
         failed_at completed_at last_error model instructions tools file_ids metadata",
    ),
    (
        "thread.run",
        "id object created_at assistant_id thread_id status started_at expires_at cancelled_at \
         failed_at completed_at required_action last_error model instructions tools file_ids \
         metadata usage",
    ),
    (
        "thread.run",
        "id object created_at assistant_id thread_id status started_at expires_at cancelled_at \
         failed_at completed_at required_action last_error model instructions tools tool_resources \
         metadata temperature top_p max_completion_tokens max_prompt_tokens truncation_strategy \
         incomplete_details usage response_format tool_choice",
    ),
    (
        "thread.run",
        "id object created_at assistant_id thread_id status started_at expires_at cancelled_at \
         failed_at completed_at required_action last_error model instructions tools tool_resources \
         metadata temperature top_p max_completion_tokens max_prompt_tokens truncation_strategy \
         incomplete_details usage response_format tool_choice parallel_tool_calls",
    ),
    ("list", "object data"),
    ("list", "object data has_more"),
    ("file", "object id purpose filename bytes created_at status status_details"),
    ("file", "id object bytes created_at filename purpose status status_details"),
    ("file", "object id deleted"),
    (
        "vector_store",
        "id object name status usage_bytes created_at file_counts metadata expires_after \
         expires_at last_active_at",
    ),
    (
        "vector_store",
        "id object created_at name usage_bytes file_counts status expires_after expires_at \
         last_active_at metadata",
    ),
    // The form in lists of batches until October 2025.
    ("vector_store.file", "id object created_at vector_store_id status last_error"),
    ("vector_store.file", "id object usage_bytes created_at vector_store_id status last_error"),
    (
        "vector_store.file",
        "id object usage_bytes created_at vector_store_id status last_error chunking_strategy",
    ),
    ("upload", "id object bytes created_at filename purpose status expires_at"),
];

/// Keys that were added later within objects.
const ADDED_LATER: [&str; 5] =
    ["prompt_token_details", "completion_tokens_details", "strict", "file_search", "hybrid_search"];

/// Unpredictable numbers: only their presence is compared.
fn is_free(key: &str) -> bool {
    key.ends_with("_at") || key.ends_with("_tokens")
}

pub struct Comparison<'i> {
    /// The local id of each recorded id.
    pub ids: &'i mut HashMap<String, String>,
    pub differences: Vec<String>,
    /// Whether something was recorded in an older shape.
    pub is_earlier: bool,
    /// Whether the list shows objects of other people: only their shape is compared.
    pub of_others: bool,
}

impl Comparison<'_> {
    pub fn value(&mut self, at: &str, recorded: &Value, got: &Value) {
        match (recorded, got) {
            (Value::Object(recorded), Value::Object(got)) => self.object(at, recorded, got),
            (Value::Array(recorded), Value::Array(got)) => self.array(at, recorded, got),
            (Value::String(recorded), Value::String(got)) => self.string(at, recorded, got),
            (Value::Number(_), Value::Number(_))
                if is_free(at.rsplit('.').next().unwrap_or_default()) => {}
            _ if recorded == got => {}
            _ if self.of_others
                && std::mem::discriminant(recorded) == std::mem::discriminant(got) => {}
            _ => self.differences.push(format!("{at}: recorded {recorded}, got {got}")),
        }
    }

    fn object(&mut self, at: &str, recorded: &Map<String, Value>, got: &Map<String, Value>) {
        let added =
            |key: &&String| ADDED_LATER.contains(&key.as_str()) && !recorded.contains_key(*key);
        let keys: Vec<_> = got.keys().filter(|key| !added(key)).collect();
        let recorded_keys: Vec<_> = recorded.keys().collect();
        self.is_earlier |= keys.len() < got.len();
        if keys != recorded_keys {
            if was_earlier(&recorded_keys, recorded) {
                self.is_earlier = true;
            } else {
                self.differences
                    .push(format!("{at}: recorded keys {recorded_keys:?}, got {keys:?}"));
            }
        }
        for (key, value) in recorded {
            if let Some(got) = got.get(key) {
                // Until 2025, files were not ready at once.
                let is_file = recorded.get("object").is_some_and(|object| object == "file");
                let was_uploaded = is_file && key == "status" && value == "uploaded";
                self.is_earlier |= was_uploaded;
                if !was_uploaded {
                    self.value(&format!("{at}.{key}"), value, got);
                }
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
            self.differences.push(format!(
                "{at}: recorded {} items, got {}",
                recorded.len(),
                got.len()
            ));
        }
        for (index, (recorded, got)) in recorded.iter().zip(got).enumerate() {
            self.value(&format!("{at}[{index}]"), recorded, got);
        }
    }

    /// Ids may differ, but always in the same way and with the same form.
    fn string(&mut self, at: &str, recorded: &str, got: &str) {
        if self.of_others {
            return;
        }
        if is_id(recorded) {
            let kind = |id: &str| id.find(['_', '-']).map(|end| id[..end].to_owned());
            let is_known = self.ids.contains_key(recorded);
            if kind(recorded) != kind(got)
                || (!is_known && recorded != got && !SPELLED.is_match(got))
            {
                self.differences.push(format!(
                    "{at}: recorded {recorded}, got {got}, which is not spelled alike"
                ));
            }
            let known = self.ids.entry(recorded.to_owned()).or_insert_with(|| got.to_owned());
            if known != got {
                self.differences
                    .push(format!("{at}: recorded {recorded}, which is {known} here, got {got}"));
            }
            return;
        }
        let expected =
            map_ids(recorded, |id| self.ids.get(id).cloned().unwrap_or_else(|| id.to_owned()));
        // The text of a fixture is the recorded one.
        if expected != got && recorded != got && !is_refused_key(recorded, got) {
            self.differences.push(format!("{at}: recorded {recorded:?}, got {got:?}"));
        }
    }
}

pub fn is_id(text: &str) -> bool {
    ID.find(text).is_some_and(|found| found.len() == text.len())
}

fn was_earlier(keys: &[&String], recorded: &Map<String, Value>) -> bool {
    let keys: Vec<_> = keys.iter().map(|key| key.as_str()).collect();
    let of = recorded.get("object").and_then(Value::as_str).unwrap_or_default();
    EARLIER.iter().any(|(object, earlier)| {
        of == *object && earlier.split_whitespace().eq(keys.iter().copied())
    })
}

/// For a rejected key, the recordings show only that there was one.
fn is_refused_key(recorded: &str, got: &str) -> bool {
    let around = |text: &str| {
        let (before, rest) = text.split_once("API key provided: ")?;
        Some((before.to_owned(), rest.split_once(". ")?.1.to_owned()))
    };
    recorded.contains("<OPENAI_ACCESS_TOKEN>") && around(recorded) == around(got)
}
