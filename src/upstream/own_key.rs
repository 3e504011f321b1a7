//! The key that an upstream gets, as something that nobody else may see.

use crate::redact;

/// What stands in place of a key.
const TAKEN_OUT: &str = "…";

/// A key that nobody may see.
pub(super) struct OwnKey(Option<String>);

impl OwnKey {
    /// A word that local servers are given for a key is none.
    pub(super) fn new(key: Option<&str>) -> Self {
        Self(key.filter(|key| redact::is_secret(key)).map(str::to_owned))
    }

    /// A text without the key, as it is and as a part of JSON.
    pub(super) fn without(&self, text: String) -> String {
        let Some(key) = &self.0 else { return text };
        let forms = [key.clone(), redact::in_json(key)];
        forms.iter().fold(text, |text, form| match text.contains(form) {
            true => text.replace(form, TAKEN_OUT),
            false => text,
        })
    }

    /// Where the end of a text begins that may become the key, with what comes next.
    pub(super) fn beginning(&self, text: &str) -> usize {
        let Some(key) = &self.0 else { return text.len() };
        let longest = text.len().saturating_sub(key.len() - 1);
        let mut starts = text.char_indices().rev().map(|(start, _)| start);
        let possible = starts.by_ref().take_while(|start| *start >= longest);
        possible.filter(|start| key.starts_with(&text[*start..])).last().unwrap_or(text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_given_for_a_key_is_no_secret() {
        let key = OwnKey::new(Some("none"));
        assert_eq!(key.without("none of them".to_owned()), "none of them");
    }
}
