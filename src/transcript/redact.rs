//! Takes out of texts what must not be kept: whatever looks like a key, keys that are known, and what people name.

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
        if regex.is_match("") { Err("the pattern matches the empty text".to_owned()) } else { Ok(Self(regex)) }
    }
}

/// What keys of known services look like, and the words that go before a token.
static KEYS: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = concat!(
        r"\b(?:sk|pk|rk|sess|org|proj)-[A-Za-z0-9_-]{16,}",
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
        let known = secrets.into_iter().filter(|secret| !secret.is_empty());
        let known = known.flat_map(|secret| [STANDARD.encode(&secret).trim_end_matches('=').to_owned(), secret]);
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

    /// Cleans every text of a document, keys included.
    pub fn clean_all(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.clean(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.clean_all(item)),
            Value::Object(map) => {
                let cleaned = std::mem::take(map).into_iter().map(|(key, mut value)| {
                    self.clean_all(&mut value);
                    (self.clean(&key), value)
                });
                *map = cleaned.collect();
            }
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
        let redactor = Redactor::new(vec![r"\d{4}-\d{4}".parse().unwrap()], ["hunter22".to_owned()]);
        for (text, clean) in [
            ("my key is sk-proj-0123456789abcdefghij.", "my key is [redacted]."),
            ("Authorization: Bearer abcdefghijklmnop1234", "Authorization: [redacted]"),
            ("the password is hunter22, or aHVudGVyMjI=", "the password is [redacted], or [redacted]="),
            ("card 1234-5678", "card [redacted]"),
            ("a task-list of sk-ills; bearer of news", "a task-list of sk-ills; bearer of news"),
        ] {
            assert_eq!(redactor.clean(text), clean);
        }
        assert!("x*".parse::<Redaction>().is_err());
    }
}
