//! Token counts and cuts, with the vocabularies of the real models.
//!
//! A vocabulary takes tens of megabytes and tens of milliseconds to unpack, so that happens on first
//! use; `warm` lets it happen beside the first requests of a conversation instead of in its run.

use bpe_openai::Tokenizer;
use serde::{Deserialize, Serialize};

/// A stretch of text that is whole characters and as few tokens as that allows: mostly one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Piece {
    pub text: String,
    pub tokens: u64,
}

/// The tokenizer of a model. Names it does not know are taken for new models.
fn of_model(model: &str) -> &'static Tokenizer {
    let older = model.starts_with("gpt-3.5") || (model.starts_with("gpt-4") && !matches!(model.get(5..6), Some("o" | ".")));
    if older { bpe_openai::cl100k_base() } else { bpe_openai::o200k_base() }
}

/// The stretches of a text that are whole characters and as few tokens as that allows, by the vocabulary of
/// the service's embeddings: where each ends, in bytes, and how many tokens there are up to there.
pub fn bounds(text: &str) -> Vec<(usize, usize)> {
    let tokenizer = bpe_openai::cl100k_base();
    let (mut bytes, mut bounds) = (0, Vec::new());
    for (number, token) in tokenizer.encode(text).into_iter().enumerate() {
        bytes += tokenizer.bpe.token_bytes(token).len();
        if text.is_char_boundary(bytes) {
            bounds.push((bytes, number + 1));
        }
    }
    bounds
}

/// Unpacks the vocabulary of a model.
pub fn warm(model: &str) {
    _ = of_model(model);
}

pub fn count(model: &str, text: &str) -> u64 {
    of_model(model).count(text) as u64
}

/// Cuts a text where the model would: at tokens, but never within a character.
pub fn pieces(model: &str, text: &str) -> Vec<Piece> {
    let tokenizer = of_model(model);
    let mut pieces = Vec::new();
    let (mut rest, mut bytes, mut tokens) = (text, 0, 0);
    for token in tokenizer.encode(text) {
        bytes += tokenizer.bpe.token_bytes(token).len();
        tokens += 1;
        if let Some((piece, after)) = rest.split_at_checked(bytes) {
            pieces.push(Piece { text: piece.to_owned(), tokens });
            (rest, bytes, tokens) = (after, 0, 0);
        }
    }
    // Only if the tokens did not add up to the text: nothing of it may be lost.
    if !rest.is_empty() {
        pieces.push(Piece { text: rest.to_owned(), tokens: tokens.max(1) });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_tokens_and_put_together_again() {
        let texts =
            ["Hello! I'm here and ready to help you.", "Привет, Джейн Доу", "日本語のテキスト", "x = 1 🎉👩‍👩‍👧", "", " \n\n\t"];
        for text in texts {
            for model in ["gpt-4o", "gpt-4", "gpt-3.5-turbo"] {
                let cut = pieces(model, text);
                assert_eq!(cut.iter().map(|piece| piece.text.as_str()).collect::<String>(), text);
                assert_eq!(cut.iter().map(|piece| piece.tokens).sum::<u64>(), count(model, text));
            }
        }
    }

    #[test]
    fn words_keep_the_space_before_them() {
        let cut = pieces("gpt-4o", "Hello! I'm here");
        assert_eq!(cut.iter().map(|piece| piece.text.as_str()).collect::<Vec<_>>(), ["Hello", "!", " I'm", " here"]);
    }
}
