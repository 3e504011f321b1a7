//! The key that an upstream gets, as something that nobody else may see.

use crate::redact;

/// A key that nobody may see, in the forms in which it may be told: as it is, as a part of JSON, in
/// base64. None of them if it is no secret.
pub(super) struct OwnKey(Vec<String>);

impl OwnKey {
    /// A word that local servers are given for a key is none.
    pub(super) fn new(key: Option<&str>) -> Self {
        let secret = key.filter(|key| redact::is_secret(key));
        Self(secret.map(redact::forms).unwrap_or_default())
    }

    /// A text with something else in place of the key.
    pub(super) fn replaced(&self, text: String, replacement: &str) -> String {
        self.0.iter().fold(text, |text, form| match text.contains(form) {
            true => text.replace(form, replacement),
            false => text,
        })
    }

    /// Where the end of a text begins that may become the key, with what comes next.
    pub(super) fn beginning(&self, text: &str) -> usize {
        let may_become = |start: &usize| {
            self.0
                .iter()
                .any(|form| form.len() > text.len() - start && form.starts_with(&text[*start..]))
        };
        let longest = self.0.iter().map(String::len).max().unwrap_or_default();
        let starts = text.char_indices().rev().map(|(start, _)| start);
        let near = starts.take_while(|start| text.len() - start < longest);
        near.filter(may_become).last().unwrap_or(text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_given_for_a_key_is_no_secret() {
        let key = OwnKey::new(Some("none"));
        assert_eq!(key.replaced("none of them".to_owned(), "…"), "none of them");
    }
}
