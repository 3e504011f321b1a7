//! The tokens of one word: neighbours are joined, the lowest token first, until no pair is left.
//!
//! Of pairs that make the same token, the leftmost is joined first. A short word is searched from
//! end to end for its next pair, as nothing is faster. A long word keeps its pairs in a heap, so
//! that the time stays n log n for any word.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::pairs::{NONE, Pairs, TOKEN_BITS};

/// Words of more bytes than that are long.
const SHORT: usize = 64;
const _: () = assert!(NONE < u32::MAX / SHORT as u32, "a token and a place fit one number");

/// Passes on the lengths of a word's tokens, in order.
pub fn token_lengths(pairs: &Pairs, word: &[u8], each: impl FnMut(usize)) {
    if word.len() <= SHORT {
        let mut short = Short::EMPTY;
        short.join_all(pairs, word);
        short.lengths(each);
    } else {
        let mut long = Long::of(pairs, word);
        long.join_all(pairs);
        long.lengths(each);
    }
}

/// A short word as far as it was joined. Only the places where tokens start are in use.
struct Short {
    length: usize,
    tokens: [u32; SHORT],
    /// The token that each token makes with the next one, times the maximum number of places, plus
    /// its place. So the lowest number is the leftmost of the lowest tokens.
    ahead: [u32; SHORT],
    /// Where the next token starts.
    nexts: [u8; SHORT],
    /// Where the token before starts.
    lasts: [u8; SHORT],
}

impl Short {
    const EMPTY: Self = Self {
        length: 0,
        tokens: [NONE; SHORT],
        ahead: [u32::MAX; SHORT],
        nexts: [0; SHORT],
        lasts: [0; SHORT],
    };

    fn join_all(&mut self, pairs: &Pairs, word: &[u8]) {
        self.length = word.len();
        for (at, byte) in word.iter().enumerate() {
            self.tokens[at] = pairs.of_byte(*byte);
            self.nexts[at] = at as u8 + 1;
            self.lasts[at] = at.saturating_sub(1) as u8;
        }
        (0..word.len()).for_each(|at| self.look_ahead(pairs, at));
        while let Some(lowest) = self.ahead[..self.length].iter().copied().min()
            && lowest < NONE * SHORT as u32
        {
            let (token, at) = (lowest / SHORT as u32, lowest as usize % SHORT);
            self.join(token, at);
            self.look_ahead(pairs, at);
            if at > 0 {
                self.look_ahead(pairs, usize::from(self.lasts[at]));
            }
        }
    }

    fn join(&mut self, token: u32, at: usize) {
        let next = usize::from(self.nexts[at]);
        self.tokens[at] = token;
        self.ahead[next] = u32::MAX;
        self.nexts[at] = self.nexts[next];
        if let Some(last) = self.lasts.get_mut(usize::from(self.nexts[at])) {
            *last = at as u8;
        }
    }

    fn look_ahead(&mut self, pairs: &Pairs, at: usize) {
        let next = usize::from(self.nexts[at]);
        let token =
            if next < self.length { pairs.join(self.tokens[at], self.tokens[next]) } else { NONE };
        self.ahead[at] = token * SHORT as u32 + at as u32;
    }

    fn lengths(&self, mut each: impl FnMut(usize)) {
        let mut at = 0;
        while at < self.length {
            let next = usize::from(self.nexts[at]);
            each(next - at);
            at = next;
        }
    }
}

/// A long word as far as it was joined: the token that starts at each byte, or `NONE` within one.
struct Long {
    tokens: Vec<u32>,
    /// For the start of a token: where the next one starts.
    nexts: Vec<usize>,
    /// For the start of a token: where the one before it starts.
    lasts: Vec<usize>,
    /// The tokens that can be made, in the high bits, and their first bytes. Some are out of date.
    heap: BinaryHeap<Reverse<u64>>,
}

/// How many bits of a number in the heap are for the byte.
const PLACE_BITS: u32 = u64::BITS - TOKEN_BITS;

impl Long {
    fn of(pairs: &Pairs, word: &[u8]) -> Self {
        let mut long = Self {
            tokens: word.iter().map(|byte| pairs.of_byte(*byte)).collect(),
            nexts: (1..=word.len()).collect(),
            lasts: (0..word.len()).map(|at| at.saturating_sub(1)).collect(),
            heap: BinaryHeap::new(),
        };
        long.heap = (0..word.len()).filter_map(|at| long.ahead(pairs, at)).collect();
        long
    }

    fn join_all(&mut self, pairs: &Pairs) {
        while let Some(lowest) = self.heap.pop() {
            let at = (lowest.0 & ((1 << PLACE_BITS) - 1)) as usize;
            if self.ahead(pairs, at) == Some(lowest) {
                self.join((lowest.0 >> PLACE_BITS) as u32, at);
                self.heap.extend(self.ahead(pairs, at));
                if at > 0 {
                    self.heap.extend(self.ahead(pairs, self.lasts[at]));
                }
            }
        }
    }

    /// Joins the token that starts at a byte with the one after it.
    fn join(&mut self, token: u32, at: usize) {
        let next = self.nexts[at];
        self.tokens[at] = token;
        self.tokens[next] = NONE;
        self.nexts[at] = self.nexts[next];
        if let Some(last) = self.lasts.get_mut(self.nexts[at]) {
            *last = at;
        }
    }

    /// The token that the one at a byte makes with the one after it, in the form of the heap.
    fn ahead(&self, pairs: &Pairs, at: usize) -> Option<Reverse<u64>> {
        let next = *self.tokens.get(self.nexts[at])?;
        let token = Some(self.tokens[at]).filter(|token| *token != NONE)?;
        let made = Some(pairs.join(token, next)).filter(|made| *made != NONE)?;
        Some(Reverse(u64::from(made) << PLACE_BITS | at as u64))
    }

    fn lengths(&self, mut each: impl FnMut(usize)) {
        let mut at = 0;
        while let Some(next) = self.nexts.get(at) {
            each(next - at);
            at = *next;
        }
    }
}
