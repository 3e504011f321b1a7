//! Counts tokens and cuts texts at them, with the vocabularies of the real models.

use serde::{Deserialize, Serialize};

use crate::{
    types::model::{Family, Vocabulary},
    vocabulary::{CL100K, O200K, Tokenizer},
};

/// A part of a text with whole characters and the fewest tokens for that: mostly one token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenPiece {
    pub text: String,
    pub tokens: u64,
}

/// The tokenizer of a model. An unknown name counts as a new model.
fn of_model(model: &str) -> &'static Tokenizer {
    match Family::of_model(model).map_or(Vocabulary::O200k, |family| family.vocabulary) {
        Vocabulary::Cl100k => &CL100K,
        Vocabulary::O200k => &O200K,
    }
}

/// The parts of a text with whole characters and the fewest tokens for that, by the vocabulary of
/// the service's embeddings. For each part: its end in bytes, and the number of tokens up to its
/// end.
pub fn bounds(text: &str) -> Vec<(usize, usize)> {
    let (mut bytes, mut tokens, mut bounds) = (0, 0, Vec::new());
    CL100K.each_token(text, |length| {
        (bytes, tokens) = (bytes + length, tokens + 1);
        if text.is_char_boundary(bytes) {
            bounds.push((bytes, tokens));
        }
    });
    bounds
}

pub fn count(model: &str, text: &str) -> u64 {
    of_model(model).count(text)
}

/// Cuts a text like the model: at tokens, but never within a character.
pub fn pieces(model: &str, text: &str) -> Vec<TokenPiece> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    let (mut bytes, mut tokens) = (0, 0);
    of_model(model).each_token(text, |length| {
        (bytes, tokens) = (bytes + length, tokens + 1);
        if let Some((piece, after)) = rest.split_at_checked(bytes) {
            pieces.push(TokenPiece { text: piece.to_owned(), tokens });
            (rest, bytes, tokens) = (after, 0, 0);
        }
    });
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_tokens_and_put_together_again() {
        let texts = [
            "Hello! I'm here and ready to help you.",
            "Привет, Джейн Доу",
            "日本語のテキスト",
            "x = 1 🎉👩‍👩‍👧",
            "",
            " \n\n\t",
        ];
        for text in texts {
            for model in ["gpt-4o", "gpt-4", "gpt-3.5-turbo"] {
                let cut = pieces(model, text);
                assert_eq!(cut.iter().map(|piece| piece.text.as_str()).collect::<String>(), text);
                assert_eq!(cut.iter().map(|piece| piece.tokens).sum::<u64>(), count(model, text));
            }
        }
    }

    #[test]
    fn counts_are_those_of_the_published_vocabularies() {
        // Compared with another implementation in `checks/vocabulary`.
        let text = "Hello hello, Hello! Привет, мир. 日本語 🎉👩‍👩‍👧 antidisestablishmentarianism";
        assert_eq!((count("gpt-4", text), count("gpt-4o", text)), (38, 28));
    }

    #[test]
    fn bounds_are_those_of_the_tokens() {
        let text = "Hello hello, Hello! Привет, мир. 日本語 🎉👩‍👩‍👧 hello".repeat(3);
        let tokens = usize::try_from(count("gpt-4", &text)).unwrap();
        assert_eq!(bounds(&text).last(), Some(&(text.len(), tokens)));
        assert_eq!(bounds("Hello hello"), [(5, 1), (11, 2)]);
    }

    #[test]
    fn words_keep_the_space_before_them() {
        let cut = pieces("gpt-4o", "Hello! I'm here");
        assert_eq!(
            cut.iter().map(|piece| piece.text.as_str()).collect::<Vec<_>>(),
            ["Hello", "!", " I'm", " here"]
        );
    }
}
