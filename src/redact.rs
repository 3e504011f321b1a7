//! Removes secrets from everything that is kept: text that looks like a key, known keys, and the
//! patterns of users.
//!
//! Journals, recordings and exports use the same rules, so a key that one of them removes is in
//! none.

use std::{
    borrow::Cow,
    ops::Range,
    sync::{Arc, LazyLock},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use memchr::memmem::Finder;
use parking_lot::RwLock;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use regex::{Regex, bytes};
use serde_json::{Map, Value};

/// Replaces a secret in fixtures.
pub const REDACTED: &str = "[redacted]";

/// Replaces a secret in journals, turns and reports.
pub const REMOVED: &str = "[removed]";

/// The form of keys of known services, and the words before a token.
static KEY_LIKE: LazyLock<bytes::Regex> = LazyLock::new(|| {
    let pattern = concat!(
        r"(?-u)\bsk-[A-Za-z0-9_-]{16,}",
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
        r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)-----END [A-Z ]*PRIVATE KEY-----",
    );
    bytes::Regex::new(pattern).expect("the pattern is one")
});

/// The shortest key that counts as a secret, in bytes. Users give local servers words such as
/// `none` or `ollama`.
const SHORTEST: usize = 7;

/// Whether a key is one that nobody may see.
pub fn is_secret(key: &str) -> bool {
    key.len() >= SHORTEST
}

/// The forms in which a key may occur: unchanged, as a part of a JSON string, in base64.
pub fn forms(key: &str) -> Vec<String> {
    let quoted = serde_json::Value::from(key).to_string();
    let in_json = quoted[1..quoted.len() - 1].to_owned();
    let base64 = STANDARD.encode(key).trim_end_matches('=').to_owned();
    vec![key.to_owned(), in_json, base64]
}

/// From so many bytes on, a key is also removed from the middle of a word.
const UNMISTAKABLE: usize = 20;

/// The characters to escape in a part of a URL: all but letters, digits, `-`, `.`, `_` and `~`.
const IN_URLS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Known keys, ready for a search.
#[derive(Clone, Debug, Default)]
pub struct KnownKeys {
    keys: Vec<String>,
    /// For each key that is a secret: unchanged, in base64, and as a part of a URL and of JSON.
    finders: Vec<Finder<'static>>,
}

impl KnownKeys {
    pub fn new(keys: impl IntoIterator<Item = String>) -> Self {
        let keys: Vec<String> = keys.into_iter().collect();
        let secret = keys.iter().filter(|key| is_secret(key));
        let told = secret.flat_map(|key| {
            let in_url = utf8_percent_encode(key, IN_URLS).to_string();
            forms(key).into_iter().chain([in_url])
        });
        let finders = told.map(|form| Finder::new(&form).into_owned()).collect();
        Self { keys, finders }
    }

    fn include(&self, keys: &[String]) -> bool {
        keys.iter().all(|key| self.keys.contains(key))
    }

    /// Removes the keys from a text.
    pub fn clean_text(&self, text: &mut String) {
        if let Cow::Owned(clean) = self.replaced(text.as_bytes(), REMOVED) {
            *text = String::from_utf8_lossy(&clean).into_owned();
        }
    }

    /// Removes the keys from all texts of a value, the names in its maps too.
    pub fn clean(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.clean_text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.clean(item)),
            Value::Object(map) => self.clean_map(map),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn clean_map(&self, map: &mut Map<String, Value>) {
        map.values_mut().for_each(|value| self.clean(value));
        let is_secret =
            |name: &String| matches!(self.replaced(name.as_bytes(), REMOVED), Cow::Owned(_));
        if map.keys().any(is_secret) {
            let cleaned = std::mem::take(map).into_iter().map(|(mut name, value)| {
                self.clean_text(&mut name);
                (name, value)
            });
            *map = cleaned.collect();
        }
    }

    /// A text with a replacement for its keys, and for everything that looks like one.
    pub fn replaced<'t>(&self, text: &'t [u8], replacement: &str) -> Cow<'t, [u8]> {
        let mut found: Vec<Range<usize>> =
            KEY_LIKE.find_iter(text).map(|found| found.range()).collect();
        found.extend(self.finders.iter().flat_map(|finder| places(finder, text)));
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        found.sort_by_key(|range| (range.start, usize::MAX - range.end));
        let (mut clean, mut end) = (Vec::with_capacity(text.len()), 0);
        for range in found {
            if range.start >= end {
                clean.extend_from_slice(&text[end..range.start]);
                clean.extend_from_slice(replacement.as_bytes());
            }
            end = end.max(range.end);
        }
        clean.extend_from_slice(&text[end..]);
        Cow::Owned(clean)
    }
}

/// The most recent keys in the requests of a session.
#[derive(Debug, Default)]
pub struct SessionKeys(RwLock<Arc<KnownKeys>>);

/// How many keys of a session are kept.
const REMEMBERED: usize = 64;

impl SessionKeys {
    /// All keys that are kept.
    pub fn now(&self) -> Arc<KnownKeys> {
        Arc::clone(&self.0.read())
    }

    /// The same, with the keys of a request, which are kept from now on.
    pub fn with(&self, keys: Vec<String>) -> Arc<KnownKeys> {
        let known = self.now();
        if known.include(&keys) {
            return known;
        }
        let mut remembered = self.0.write();
        let earlier = remembered.keys.iter().filter(|key| !keys.contains(key)).cloned();
        let earlier: Vec<_> = earlier.collect();
        let first = (earlier.len() + keys.len()).saturating_sub(REMEMBERED).min(earlier.len());
        let all = earlier.into_iter().skip(first).chain(keys);
        *remembered = Arc::new(KnownKeys::new(all));
        Arc::clone(&remembered)
    }
}

/// The places of a key in a text. If a word is longer than a short key in it, it is another word.
fn places(finder: &Finder<'_>, text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let length = finder.needle().len();
    let is_part = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    finder.find_iter(text).map(move |start| start..start + length).filter(move |range| {
        let before = range.start.checked_sub(1).and_then(|before| text.get(before));
        length >= UNMISTAKABLE || !is_part(before) && !is_part(text.get(range.end))
    })
}

/// A pattern of text that must not be kept.
#[derive(Clone, Debug)]
pub struct Redaction(Regex);

impl std::str::FromStr for Redaction {
    type Err = String;

    fn from_str(pattern: &str) -> Result<Self, String> {
        let regex = Regex::new(pattern).map_err(|error| error.to_string())?;
        // Empty text cannot be removed.
        if regex.is_match("") {
            Err("the pattern matches the empty text".to_owned())
        } else {
            Ok(Self(regex))
        }
    }
}

/// Removes secrets from fixtures: known keys, and the patterns of users.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    patterns: Vec<Redaction>,
    known: KnownKeys,
}

impl Redactor {
    pub fn new(patterns: Vec<Redaction>, keys: impl IntoIterator<Item = String>) -> Self {
        Self { patterns, known: KnownKeys::new(keys) }
    }

    /// A text without its secrets.
    pub fn clean(&self, text: &str) -> String {
        let clean = self.known.replaced(text.as_bytes(), REDACTED);
        let mut text = String::from_utf8_lossy(&clean).into_owned();
        for Redaction(pattern) in &self.patterns {
            text = pattern.replace_all(&text, REDACTED).into_owned();
        }
        text
    }

    /// Whether the content of a file has no secret. Content with a secret is not kept.
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
            ("{\"a\":\"hunter22\",\"b\":1}", "{\"a\":\"[redacted]\",\"b\":1}"),
            ("card 1234-5678", "card [redacted]"),
            ("a task-list of sk-ills; bearer of news", "a task-list of sk-ills; bearer of news"),
            ("the proj-management-dashboard", "the proj-management-dashboard"),
            ("hunter22s are no hunter22", "hunter22s are no [redacted]"),
        ] {
            assert_eq!(redactor.clean(text), clean);
        }
        let short = Redactor::new(Vec::new(), ["ollama".to_owned()]);
        assert_eq!(short.clean("an ollama"), "an ollama", "no secret");
        assert!("x*".parse::<Redaction>().is_err());
    }

    #[test]
    fn a_long_key_is_found_in_the_midst_of_a_word() {
        let key = "0123456789abcdefghijk";
        let keys = KnownKeys::new([key.to_owned()]);
        let text = format!("x{key}{key}\u{e9}");
        assert_eq!(*keys.replaced(text.as_bytes(), "-"), *"x--\u{e9}".as_bytes());
    }
}
