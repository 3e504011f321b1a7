//! The key for an upstream, which nobody else may see.

use crate::redact;

/// A secret key, in the forms in which it may occur: unchanged, as a part of JSON, in base64. A key
/// that is no secret has no forms.
pub(super) struct OwnKey(Vec<String>);

impl OwnKey {
    /// A placeholder for a local server is no secret.
    pub(super) fn new(key: Option<&str>) -> Self {
        let secret = key.filter(|key| redact::is_secret(key));
        Self(secret.map(redact::forms).unwrap_or_default())
    }

    /// A text with a replacement for the key.
    pub(super) fn replaced(&self, text: String, replacement: &str) -> String {
        self.0.iter().fold(text, |text, form| match text.contains(form) {
            true => text.replace(form, replacement),
            false => text,
        })
    }

    /// The start of the end of a text that may become the key, together with the next piece.
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
