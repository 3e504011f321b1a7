//! The vocabularies of the real models, cl100k_base and o200k_base: they split a text into words,
//! and a word into tokens.
//!
//! A vocabulary is read in place from the program: nothing is unpacked, so the first use is as fast
//! as the next. Words, tokens and counts are those of the published vocabularies. The crate in
//! `checks/vocabulary` makes the files from them, and compares the results.

mod merge;
pub mod pairs;
mod split;

use self::{pairs::Pairs, split::Pattern};

/// A vocabulary, and the pattern that splits texts into its words.
pub struct Tokenizer {
    pattern: Pattern,
    pairs: Pairs,
}

/// The vocabulary of GPT-4, GPT-3.5 and the embeddings.
pub static CL100K: Tokenizer =
    Tokenizer { pattern: Pattern::Cl100k, pairs: Pairs::new(include_bytes!("cl100k.pairs")) };

/// The vocabulary of GPT-4o and later models.
pub static O200K: Tokenizer =
    Tokenizer { pattern: Pattern::O200k, pairs: Pairs::new(include_bytes!("o200k.pairs")) };

impl Tokenizer {
    /// The words of a text. No token crosses the end of a word.
    pub fn split<'t>(&self, text: &'t str) -> impl Iterator<Item = &'t str> + use<'t> {
        split::words(self.pattern, text)
    }

    /// Calls `each` with the length of each token of a word, in bytes and in order.
    pub fn token_lengths(&self, word: &[u8], each: impl FnMut(usize)) {
        merge::token_lengths(&self.pairs, word, each);
    }

    /// Calls `each` with the length of each token of a text, in bytes and in order.
    pub fn each_token(&self, text: &str, mut each: impl FnMut(usize)) {
        for word in self.split(text) {
            self.token_lengths(word.as_bytes(), &mut each);
        }
    }

    /// The number of a text's tokens.
    pub fn count(&self, text: &str) -> u64 {
        let mut count = 0;
        self.each_token(text, |_| count += 1);
        count
    }
}
