//! Token counts and cuts, with the vocabularies of the real models.
//!
//! A vocabulary takes tens of megabytes and tens of milliseconds to unpack, so that happens on
//! first use; `warm` lets it happen beside the first requests of a conversation instead of in its
//! run.

use std::collections::HashMap;

use bpe_openai::Tokenizer;
use compact_str::CompactString;
use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use crate::types::model::{Family, Vocabulary};

/// A stretch of text that is whole characters and as few tokens as that allows: mostly one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenPiece {
    pub text: String,
    pub tokens: u64,
}

/// The tokenizer of a model. Names that are not known are taken for new models.
fn of_model(model: &str) -> &'static Tokenizer {
    match Family::of_model(model).map_or(Vocabulary::O200k, |family| family.vocabulary) {
        Vocabulary::Cl100k => bpe_openai::cl100k_base(),
        Vocabulary::O200k => bpe_openai::o200k_base(),
    }
}

/// Finds the tokens of texts, by the vocabulary of the service's embeddings, and remembers the
/// words that it met: most of a text are words that it had before.
#[derive(Default)]
pub struct Bounds {
    /// The lengths of a word's tokens, in bytes; zeros behind the last.
    known: HashMap<CompactString, [u8; 8], RandomState>,
}

/// How many words are remembered, and how long they may be, in bytes: as long as they need no room
/// of their own.
const REMEMBERED: usize = 100_000;
const LONGEST: usize = size_of::<CompactString>();

impl Bounds {
    /// The stretches of a text that are whole characters and as few tokens as that allows: where
    /// each ends, in bytes, and how many tokens there are up to there.
    pub fn of(&mut self, text: &str) -> Vec<(usize, usize)> {
        let tokenizer = bpe_openai::cl100k_base();
        let (mut bytes, mut tokens, mut bounds) = (0, 0, Vec::new());
        let mut add = |length: usize| {
            (bytes, tokens) = (bytes + length, tokens + 1);
            if text.is_char_boundary(bytes) {
                bounds.push((bytes, tokens));
            }
        };
        for word in tokenizer.split(text) {
            if let Some(lengths) = self.known.get(word) {
                lengths
                    .iter()
                    .take_while(|length| **length > 0)
                    .for_each(|length| add(usize::from(*length)));
                continue;
            }
            let encoded = tokenizer.bpe.encode_via_backtracking(word.as_bytes());
            let mut lengths = [0; 8];
            for (number, token) in encoded.iter().enumerate() {
                let length = tokenizer.bpe.token_bytes(*token).len();
                add(length);
                if let (Some(place), Ok(length)) = (lengths.get_mut(number), u8::try_from(length)) {
                    *place = length;
                }
            }
            let is_short = word.len() <= LONGEST && encoded.len() <= lengths.len();
            if is_short && self.known.len() < REMEMBERED {
                self.known.insert(CompactString::from(word), lengths);
            }
        }
        bounds
    }
}

/// Unpacks the vocabulary of a model.
pub fn warm(model: &str) {
    _ = of_model(model);
}

pub fn count(model: &str, text: &str) -> u64 {
    of_model(model).count(text) as u64
}

/// Cuts a text where the model would: at tokens, but never within a character.
pub fn pieces(model: &str, text: &str) -> Vec<TokenPiece> {
    let tokenizer = of_model(model);
    let mut pieces = Vec::new();
    let (mut rest, mut bytes, mut tokens) = (text, 0, 0);
    for token in tokenizer.encode(text) {
        bytes += tokenizer.bpe.token_bytes(token).len();
        tokens += 1;
        if let Some((piece, after)) = rest.split_at_checked(bytes) {
            pieces.push(TokenPiece { text: piece.to_owned(), tokens });
            (rest, bytes, tokens) = (after, 0, 0);
        }
    }
    // Only if the tokens did not add up to the text: nothing of it may be lost.
    if !rest.is_empty() {
        pieces.push(TokenPiece { text: rest.to_owned(), tokens: tokens.max(1) });
    }
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
    fn bounds_are_those_of_the_tokens() {
        let text = "Hello hello, Hello! Привет, мир. 日本語 🎉👩‍👩‍👧 hello".repeat(3);
        let bounds = Bounds::default().of(&text);
        let encoded = bpe_openai::cl100k_base().encode(text.as_str());
        assert_eq!(bounds.last(), Some(&(text.len(), encoded.len())));
        assert_eq!(Bounds::default().of("Hello hello"), [(5, 1), (11, 2)]);
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
