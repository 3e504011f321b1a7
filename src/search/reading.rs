//! Reads a long text chunk by chunk. The overlap of two chunks is split into words only once. A
//! word belongs to the chunks that contain its start.

use std::collections::VecDeque;

use super::{
    chunks::{TextPiece, stretch_end},
    words::Words,
};

/// Counts the words of chunks that come in the order of the text.
pub struct Reading<'t> {
    text: &'t str,
    words: Words,
    /// The end of the part that is already split, in bytes.
    read: usize,
    /// The starts of words from the current chunk on, and the numbers of their stems.
    ahead: VecDeque<(usize, usize)>,
}

impl<'t> Reading<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text, words: Words::default(), read: 0, ahead: VecDeque::new() }
    }

    /// Calls `tell` with each searchable word of the next chunk and its count. Returns the total.
    pub fn count(&mut self, piece: &TextPiece<'_>, tell: impl FnMut(&str, usize)) -> usize {
        let end = piece.start + piece.text.len();
        if self.words.forget_if_many() {
            self.ahead.clear();
            self.read = piece.start;
        }
        while self.read < end {
            let until = stretch_end(self.text, self.read);
            let ahead = &mut self.ahead;
            self.words.read(&self.text[self.read..until], |start, number| {
                ahead.push_back((self.read + start, number))
            });
            self.read = until;
        }
        let before = self.ahead.iter().take_while(|(start, _)| *start < piece.start).count();
        self.ahead.drain(..before);
        let here =
            self.ahead.iter().take_while(|(start, _)| *start < end).map(|(_, number)| *number);
        self.words.tally(here, tell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(
        reading: &mut Reading<'_>,
        text: &str,
        start: usize,
        end: usize,
    ) -> Vec<(String, usize)> {
        let mut words = Vec::new();
        let piece = TextPiece { start, text: &text[start..end] };
        let all = reading.count(&piece, |word, times| words.push((word.to_owned(), times)));
        assert_eq!(all, words.iter().map(|(_, times)| times).sum::<usize>());
        words
    }

    #[test]
    fn chunks_that_overlap_have_the_words_of_their_texts() {
        let text = "one two three two one";
        let mut reading = Reading::new(text);
        let found = |words: &[(&str, usize)]| {
            words.iter().map(|(word, times)| ((*word).to_owned(), *times)).collect::<Vec<_>>()
        };
        assert_eq!(
            words(&mut reading, text, 0, 17),
            found(&[("one", 1), ("two", 2), ("three", 1)])
        );
        assert_eq!(
            words(&mut reading, text, 8, 21),
            found(&[("three", 1), ("two", 1), ("one", 1)])
        );
    }

    #[test]
    fn a_word_that_is_cut_is_found_where_it_begins() {
        let text = "a refundable fee; 返品期限";
        let mut reading = Reading::new(text);
        assert!(words(&mut reading, text, 0, 5).iter().any(|(word, _)| word == "refund"));
        assert!(!words(&mut reading, text, 5, 17).iter().any(|(word, _)| word.contains("und")));
        // A pair of neighbours at the border of two chunks is not lost.
        let first: Vec<_> =
            words(&mut reading, text, 17, 24).into_iter().map(|(word, _)| word).collect();
        assert_eq!(first, ["返", "返品", "品", "品期"]);
    }
}
