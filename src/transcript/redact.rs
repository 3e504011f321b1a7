//! Takes out of texts what must not be kept: whatever looks like a key, keys that are known, and
//! what people name.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// What is put in place of a secret.
pub(super) const REDACTED: &str = "[redacted]";

/// A pattern of things that must not be kept.
#[derive(Clone, Debug)]
pub struct Redaction(Regex);

impl std::str::FromStr for Redaction {
    type Err = String;

    fn from_str(pattern: &str) -> Result<Self, String> {
        let regex = Regex::new(pattern).map_err(|error| error.to_string())?;
        // What is nothing cannot be taken out.
        if regex.is_match("") {
            Err("the pattern matches the empty text".to_owned())
        } else {
            Ok(Self(regex))
        }
    }
}

/// What keys of known services look like, and the words that go before a token.
static KEYS: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = concat!(
        r"\bsk-[A-Za-z0-9_-]{16,}",
        r"|\b(?:pk|rk|sess|org|proj)-[A-Za-z0-9]{16,}",
        r"|\bgithub_pat_[A-Za-z0-9_]{20,}",
        r"|\bglpat-[A-Za-z0-9_-]{16,}",
        r"|\bhf_[A-Za-z0-9]{20,}",
        r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        r"|\bgh[pousr]_[A-Za-z0-9]{20,}",
        r"|\bxox[abprs]-[A-Za-z0-9-]{10,}",
        r"|\bAIza[A-Za-z0-9_-]{30,}",
        r"|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,}",
        r"|(?i:\bbearer\s+)[A-Za-z0-9._~+/-]{16,}=*",
        r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----",
    );
    Regex::new(pattern).expect("the pattern is one")
});

/// The shortest key that is taken for a secret, in bytes. Local servers are given words such as
/// `none` or `test`.
const SHORTEST: usize = 8;

/// What is the API's own, and never has a secret in it.
const OWN: [&str; 8] = ["id", "object", "type", "status", "role", "code", "model", "upstream"];

/// Takes secrets out of everything that is kept.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    patterns: Vec<Redaction>,
    /// Keys that are known, plain and in base64.
    known: Vec<String>,
}

impl Redactor {
    pub fn new(patterns: Vec<Redaction>, secrets: impl IntoIterator<Item = String>) -> Self {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let known = secrets.into_iter().filter(|secret| secret.len() >= SHORTEST);
        let known = known
            .flat_map(|secret| [STANDARD.encode(&secret).trim_end_matches('=').to_owned(), secret]);
        Self { patterns, known: known.collect() }
    }

    /// A text without its secrets.
    pub fn clean(&self, text: &str) -> String {
        let mut text = KEYS.replace_all(text, REDACTED).into_owned();
        for secret in &self.known {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), REDACTED);
            }
        }
        for Redaction(pattern) in &self.patterns {
            text = pattern.replace_all(&text, REDACTED).into_owned();
        }
        text
    }

    /// Cleans every text of one of the API's objects, but for what is the API's own.
    pub(super) fn clean_object(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.clean(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.clean_object(item)),
            Value::Object(map) => {
                // Functions have names that the fixture format judges.
                let is_function = map.contains_key("arguments") || map.contains_key("parameters");
                for (key, value) in map.iter_mut() {
                    match value {
                        _ if is_function && key == "name" => {}
                        _ if OWN.contains(&key.as_str())
                            || key.ends_with("_id")
                            || key.ends_with("_ids") => {}
                        Value::String(text) if key == "arguments" => {
                            *text = self.clean_arguments(text)
                        }
                        value => self.clean_object(value),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Arguments stay JSON if that is possible.
    fn clean_arguments(&self, text: &str) -> String {
        if self.clean(text) == text {
            return text.to_owned();
        }
        let cleaned = serde_json::from_str(text).ok().and_then(|mut parsed| {
            self.clean_texts(&mut parsed);
            serde_json::to_string(&parsed).ok()
        });
        cleaned
            .filter(|cleaned| self.clean(cleaned) == *cleaned)
            .unwrap_or_else(|| self.clean(text))
    }

    fn clean_texts(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.clean(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.clean_texts(item)),
            Value::Object(map) => map.iter_mut().for_each(|(_, value)| self.clean_texts(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Whether contents of a file have a secret in them. Those that have are not kept.
    pub fn is_clean(&self, content: &[u8]) -> bool {
        let text = String::from_utf8_lossy(content);
        self.clean(&text) == text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_what_people_name_are_taken_out() {
        let redactor =
            Redactor::new(vec![r"\d{4}-\d{4}".parse().unwrap()], ["hunter22".to_owned()]);
        for (text, clean) in [
            ("my key is sk-proj-0123456789abcdefghij.", "my key is [redacted]."),
            ("Authorization: Bearer abcdefghijklmnop1234", "Authorization: [redacted]"),
            (
                "the password is hunter22, or aHVudGVyMjI=",
                "the password is [redacted], or [redacted]=",
            ),
            ("card 1234-5678", "card [redacted]"),
            ("a task-list of sk-ills; bearer of news", "a task-list of sk-ills; bearer of news"),
            ("the proj-management-dashboard", "the proj-management-dashboard"),
        ] {
            assert_eq!(redactor.clean(text), clean);
        }
        let short = Redactor::new(Vec::new(), ["test".to_owned()]);
        assert_eq!(short.clean("a test"), "a test", "no secret");
    }

    #[test]
    fn what_is_the_apis_own_stays_and_arguments_stay_json() {
        use serde_json::json;
        let redactor = Redactor::new(vec!["[0-9]+".parse().unwrap()], []);
        let mut object = json!({
            "id": "msg_1", "thread_id": "thread_2", "type": "text3", "text": "from 4 to 5",
            "arguments": "{\"a\":\"6 and 7\"}", "list": [{"arguments": "{\"a\":8}"}],
        });
        redactor.clean_object(&mut object);
        let expected = json!({
            "id": "msg_1", "thread_id": "thread_2", "type": "text3",
            "text": "from [redacted] to [redacted]",
            "arguments": "{\"a\":\"[redacted] and [redacted]\"}",
            "list": [{"arguments": "{\"a\":[redacted]}"}],
        });
        assert_eq!(object, expected);
        assert!("x*".parse::<Redaction>().is_err());
    }
}
