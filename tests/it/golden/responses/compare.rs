//! Compares a recorded response with one of this server.

use std::{collections::HashMap, sync::LazyLock};

use regex::{Captures, Regex};
use serde_json::{Map, Value};

use super::Recorded;
use crate::golden::Outcome;

static ID: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"\b(?:(?:resp|msg|rs|fc|fs|ci|ws|mcp|mcpl|mcpr|ctc|tsc|tso|apc|cmp|cm|cmo|conv|cntr)_",
        r"(?:[0-9a-f]{32,50})|call_[0-9A-Za-z]{22,24}|(?:resp|msg|fc|rs|call)_REDACTED_[0-9]+)\b"
    ))
    .unwrap()
});

/// The form of ids since September 2025.
static SPELLED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"^(?:(?:resp|msg|rs|fc|fs|ci|ws|mcp|mcpl|mcpr|ctc|tsc|tso|apc|cmp|cm|cmo)_",
        r"[0-9a-f]{16}0[01][0-9a-f]{12}81[0-9a-f]{18}|(?:conv|cntr|msg)_[0-9a-f]{12}81[0-9a-f]{34}",
        r"|call_[0-9A-Za-z]{24})$"
    ))
    .unwrap()
});

pub fn is_id(text: &str) -> bool {
    ID.find(text).is_some_and(|found| found.len() == text.len())
}

/// A text in which local ids replace the recorded ones.
pub fn with_ids(text: &str, ids: &HashMap<String, String>) -> String {
    let replaced = ID.replace_all(text, |found: &Captures<'_>| {
        ids.get(&found[0]).cloned().unwrap_or_else(|| found[0].to_owned())
    });
    replaced.into_owned()
}

/// All ids in the responses.
pub fn ids_of(recorded: &Recorded) -> Vec<String> {
    let events = recorded.sse.iter().flatten().map(|event| &event.data);
    let answers = recorded.body.iter().chain(events);
    answers
        .flat_map(|answer| {
            let text = answer.to_string();
            ID.find_iter(&text).map(|found| found.as_str().to_owned()).collect::<Vec<_>>()
        })
        .collect()
}

/// An invalid key that appears in errors in the same form as the recorded one.
pub fn refused_key(recorded: &Recorded) -> String {
    let text = recorded.body.as_ref().map(|body| body["error"]["message"].to_string());
    let text = text.unwrap_or_default();
    let shown = text.split("provided: ").nth(1).and_then(|rest| rest.split(". You").next());
    shown.unwrap_or("sk-wrong").to_owned()
}

/// Unpredictable numbers and texts: only their presence is compared.
fn is_free(key: &str) -> bool {
    key.ends_with("_at")
        || key.ends_with("_tokens")
        || ["obfuscation", "encrypted_content", "safety_identifier"].contains(&key)
}

/// Keys that the service added later, and those that it removed.
const ADDED_LATER: [&str; 27] = [
    "access_programs",
    "background",
    "billing",
    "cache_write_tokens",
    "completed_at",
    "content",
    "context",
    "encrypted_content",
    "frequency_penalty",
    "logprobs",
    "max_tool_calls",
    "mode",
    "moderation",
    "obfuscation",
    "output_schema",
    "phase",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_retention",
    "return_token_budget",
    "safety_identifier",
    "search_content_types",
    "sequence_number",
    "service_tier",
    "tool_usage",
    "top_logprobs",
    "verbosity",
];
/// An SDK that recorded the parsed response added `output_text`.
const DROPPED: [&str; 4] = ["generate_summary", "output_text", "filters", "summary"];

/// Before this time (February 2026, in seconds since 1970), events had another key order.
const ORDERED: i64 = 1_769_904_000;

pub struct Comparison<'r> {
    recorded: &'r Recorded,
    ids: &'r mut HashMap<String, String>,
    pub differences: Vec<String>,
    is_earlier: bool,
    pub keeps_alive: bool,
    /// The recorder has sorted the keys of the request. Tools and formats echo them.
    pub is_sorted_request: bool,
    /// The time of the recording, if the response shows it.
    recorded_at: i64,
}

impl<'r> Comparison<'r> {
    pub fn new(recorded: &'r Recorded, ids: &'r mut HashMap<String, String>) -> Self {
        let events = recorded.sse.iter().flatten().map(|event| &event.data["response"]);
        let mut answers = recorded.body.iter().chain(events);
        let recorded_at = answers.find_map(|answer| answer["created_at"].as_i64()).unwrap_or(0);
        Self {
            recorded,
            ids,
            differences: Vec::new(),
            is_earlier: false,
            keeps_alive: false,
            is_sorted_request: false,
            recorded_at,
        }
    }

    pub fn outcome(self) -> Outcome {
        match self {
            Self { differences, .. } if !differences.is_empty() => Outcome::Deviates(differences),
            Self { is_earlier: true, .. } => Outcome::Earlier,
            _ => Outcome::Matched,
        }
    }

    /// The body has the layout of the service: two spaces of indentation, and only ASCII.
    pub fn layout(&mut self, text: &str) {
        let Ok(got) = serde_json::from_str::<Value>(text) else { return };
        let is_escaped = text.is_ascii();
        if !is_escaped || text.lines().count() != format!("{got:#}").lines().count() {
            self.differences.push(format!("the body is laid out otherwise: {text:?}"));
        }
    }

    pub fn value(&mut self, at: &str, recorded: &Value, got: &Value) {
        let key = at.rsplit('.').next().unwrap_or_default();
        match (recorded, got) {
            (Value::Object(recorded), Value::Object(got)) => self.object(at, recorded, got),
            (Value::Array(recorded), Value::Array(got)) => self.array(at, recorded, got),
            // The time that prompts are cached changed from year to year.
            (Value::String(one), Value::String(other)) if key == "prompt_cache_retention" => {
                self.is_earlier |= one != other;
            }
            (Value::Number(_), Value::Number(_)) if is_free(key) => {}
            (Value::String(_), Value::String(_)) if is_free(key) => {}
            // Keep-alive events in the recording count, too.
            (Value::Number(_), Value::Number(_))
                if key == "sequence_number" && self.keeps_alive => {}
            (Value::String(recorded), Value::String(got)) => self.string(at, recorded, got),
            // Some recorders do not write integers as decimals.
            (Value::Number(one), Value::Number(other))
                if one.as_f64() == other.as_f64() && self.is_rewritten() => {}
            (Value::Null, _) if key == "prompt_cache_retention" || key == "context" => {
                self.is_earlier = true;
            }
            _ if recorded == got || recorded == "[REDACTED]" => {}
            _ => self.differences.push(format!("{at}: recorded {recorded}, got {got}")),
        }
    }

    fn object(&mut self, at: &str, recorded: &Map<String, Value>, got: &Map<String, Value>) {
        // Calls of servers have a status since October 2025.
        let is_server_call = recorded.get("type").is_some_and(|kind| kind == "mcp_call");
        let is_later = |key: &str| ADDED_LATER.contains(&key) || is_server_call && key == "status";
        let added = |key: &&String| is_later(key) && !recorded.contains_key(*key);
        let dropped = |key: &&String| DROPPED.contains(&key.as_str()) && !got.contains_key(*key);
        self.is_earlier |= got.keys().any(|key| added(&key));
        self.is_earlier |= recorded.keys().any(|key| dropped(&key) && key != "output_text");
        let mut keys: Vec<_> = got.keys().filter(|key| !added(key)).collect();
        let mut recorded_keys: Vec<_> = recorded.keys().filter(|key| !dropped(key)).collect();
        let in_order = keys == recorded_keys;
        keys.sort();
        recorded_keys.sort();
        if keys == ["effort", "summary"] && recorded_keys == ["effort"] {
            self.is_earlier = true;
        } else if keys != recorded_keys {
            self.differences.push(format!("{at}: recorded keys {recorded_keys:?}, got {keys:?}"));
        } else if !in_order && self.recorded.key_order.is_none() && !self.is_echo(at) {
            if self.recorded_at < ORDERED {
                self.is_earlier = true;
            } else {
                let (one, other): (Vec<_>, Vec<_>) =
                    (recorded.keys().collect(), got.keys().collect());
                self.differences.push(format!("{at}: recorded the order {one:?}, got {other:?}"));
            }
        }
        for (key, value) in recorded {
            if let Some(got) = got.get(key) {
                self.value(&format!("{at}.{key}"), value, got);
            }
        }
    }

    fn array(&mut self, at: &str, recorded: &[Value], got: &[Value]) {
        // The recorder has also sorted the properties.
        let is_sorted = self.recorded.key_order.is_some() && at.ends_with(".required");
        if is_sorted && recorded.iter().all(|name| got.contains(name)) {
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
        if is_id(recorded) {
            let kind = |id: &str| id.find('_').map(|end| id[..end].to_owned());
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
        let expected = with_ids(recorded, self.ids);
        if expected != got && recorded != got && !self.is_cut(recorded, got) {
            self.differences.push(format!("{at}: recorded {recorded:?}, got {got:?}"));
        }
    }

    /// Whether the recorder has rewritten the JSON. The service writes this number as a decimal.
    fn is_rewritten(&self) -> bool {
        let events = self.recorded.sse.iter().flatten().map(|event| &event.data["response"]);
        let mut answers = self.recorded.body.iter().chain(events);
        self.recorded.numbers.is_some()
            || self.recorded.key_order.is_some()
            || answers.any(|answer| answer["frequency_penalty"].is_i64())
    }

    /// Whether the keys at a place are those of the client, and the recorder has sorted them.
    fn is_echo(&self, at: &str) -> bool {
        self.is_sorted_request && (at.contains(".tools") || at.contains(".text."))
    }

    /// Whether the text was cut when the recordings were collected.
    fn is_cut(&self, recorded: &str, got: &str) -> bool {
        self.recorded.truncated.is_some()
            && recorded.split_once("\u{2026}[cut").is_some_and(|(start, _)| got.starts_with(start))
    }
}
