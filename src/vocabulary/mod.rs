//! The vocabularies of the real models, cl100k_base and o200k_base: the words of a text, and the
//! tokens of a word.
//!
//! A vocabulary is looked up where it lies in the program: nothing is unpacked, so a first use costs
//! no more than the next. Words, tokens and counts are those of the published vocabularies; the
//! crate in `checks/vocabulary` makes the files from those, and compares.

mod merge;
pub mod pairs;
mod split;

use self::{pairs::Pairs, split::Pattern};

/// A vocabulary, and the pattern that cuts texts into its words.
pub struct Tokenizer {
    pattern: Pattern,
    pairs: Pairs,
}

/// The vocabulary of GPT-4, GPT-3.5 and the embeddings.
pub static CL100K: Tokenizer =
    Tokenizer { pattern: Pattern::Cl100k, pairs: Pairs::new(include_bytes!("cl100k.pairs")) };

/// The vocabulary of GPT-4o and what came after it.
pub static O200K: Tokenizer =
    Tokenizer { pattern: Pattern::O200k, pairs: Pairs::new(include_bytes!("o200k.pairs")) };

impl Tokenizer {
    /// The words of a text. No token reaches over the end of a word.
    pub fn split<'t>(&self, text: &'t str) -> impl Iterator<Item = &'t str> + use<'t> {
        split::words(self.pattern, text)
    }

    /// Passes on the lengths of a word's tokens, in bytes and in order.
    pub fn token_lengths(&self, word: &[u8], each: impl FnMut(usize)) {
        merge::token_lengths(&self.pairs, word, each);
    }

    /// Passes on the lengths of a text's tokens, in bytes and in order.
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
