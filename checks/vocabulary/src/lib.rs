//! Makes the files of `src/vocabulary`, and compares the results with `bpe-openai`.
//!
//! Everything here starts from the vocabularies of `bpe-openai`. The files depend on nothing else:
//! each generation gives the same files. It is a separate crate, because that library takes minutes
//! to build.

use std::collections::{HashMap, HashSet};

#[path = "../../../src/vocabulary/mod.rs"]
pub mod vocabulary;

use vocabulary::{
    CL100K, O200K, Tokenizer,
    pairs::{FACTOR_BITS, NONE, PAIR_BITS, TOKEN_BITS, factor_of, halves, mix, place},
};

/// The tokens of a vocabulary in the order of their ranks, without the special ones.
pub fn tokens(of: &bpe_openai::Tokenizer) -> Vec<Vec<u8>> {
    (0..of.bpe.num_tokens() as u32).map(|id| of.bpe.token_bytes(id).to_vec()).collect()
}

/// The file of a vocabulary. The number of its places is a power of two.
pub fn file(tokens: &[Vec<u8>], high_bits: u8) -> Vec<u8> {
    let low_bits = PAIR_BITS - u32::from(high_bits);
    let mut buckets = vec![Vec::new(); 1 << FACTOR_BITS];
    for (mixed, token) in entries(tokens) {
        let (high, low) = halves(mixed, low_bits);
        buckets[factor_of(low, low_bits)].push((high, low, token));
    }
    let (factors, places) = placed(&buckets, low_bits);
    let mut file = of_bytes(tokens).to_vec();
    file.push(high_bits);
    file.extend(factors.iter().flat_map(|factor| factor.to_le_bytes()));
    for place in places {
        file.extend(&place.to_le_bytes()[..5]);
    }
    file
}

/// The high half, the low half and the token of all entries with a common factor.
type Bucket = Vec<(u64, u64, u32)>;

/// Finds a factor for each bucket, largest bucket first, so that all pairs have different places.
fn placed(buckets: &[Bucket], low_bits: u32) -> (Vec<u16>, Vec<u64>) {
    let mut factors = vec![0; buckets.len()];
    let mut places = vec![EMPTY; 1 << (PAIR_BITS - low_bits)];
    let mut order: Vec<usize> = (0..buckets.len()).collect();
    order.sort_by_key(|number| std::cmp::Reverse(buckets[*number].len()));
    for number in order {
        let bucket = &buckets[number];
        let fitting = |factor| {
            let taken = bucket.iter().map(|(high, low, _)| place(*high, *low, factor, low_bits));
            let taken: Vec<usize> = taken.collect();
            let distinct: HashSet<&usize> = taken.iter().collect();
            let fits = distinct.len() == taken.len();
            (fits && taken.iter().all(|at| places[*at] == EMPTY)).then_some((factor, taken))
        };
        let (factor, taken) =
            (0..=u16::MAX).find_map(fitting).expect("there is a factor that fits");
        for (at, (_, low, token)) in taken.into_iter().zip(bucket) {
            places[at] = low << TOKEN_BITS | u64::from(*token);
        }
        factors[number] = factor;
    }
    (factors, places)
}

/// A place without an entry.
const EMPTY: u64 = (1 << 40) - 1;

/// The token of each byte.
fn of_bytes(tokens: &[Vec<u8>]) -> [u8; 256] {
    let mut of_bytes = [None; 256];
    for (rank, token) in tokens[..256].iter().enumerate() {
        assert_eq!(token.len(), 1, "the first tokens are single bytes");
        of_bytes[usize::from(token[0])] = Some(rank as u8);
    }
    of_bytes.map(|rank| rank.expect("each byte is a token"))
}

/// The mixed pairs that make tokens, in order, with their tokens.
fn entries(tokens: &[Vec<u8>]) -> Vec<(u64, u32)> {
    assert!(tokens.len() < NONE as usize);
    let ranks: HashMap<&[u8], u32> =
        tokens.iter().enumerate().map(|(rank, token)| (&token[..], rank as u32)).collect();
    let mut entries: Vec<_> = (256..tokens.len() as u32)
        .map(|rank| {
            let (left, right) = made_of(&ranks, &tokens[rank as usize], rank);
            (mix(left, right), rank)
        })
        .collect();
    entries.sort_unstable();
    assert!(entries.windows(2).all(|two| two[0].0 != two[1].0), "a pair makes one token");
    entries
}

/// The two tokens that a token consists of: the last pair before the merge to this token.
fn made_of(ranks: &HashMap<&[u8], u32>, token: &[u8], rank: u32) -> (u32, u32) {
    let mut ends: Vec<usize> = (0..=token.len()).collect();
    let rank_of = |ends: &[usize], at: usize| ranks.get(&token[ends[at]..ends[at + 2]]).copied();
    while let Some((_, at)) = (0..ends.len() - 2)
        .filter_map(|at| rank_of(&ends, at).filter(|joined| *joined < rank).map(|r| (r, at)))
        .min()
    {
        ends.remove(at + 1);
    }
    assert_eq!(ends.len(), 3, "{token:?} is made of two tokens");
    (ranks[&token[..ends[1]]], ranks[&token[ends[1]..]])
}

/// A tokenizer, and the other implementation for the comparison.
pub struct Pair {
    pub name: &'static str,
    pub ours: &'static Tokenizer,
    pub theirs: &'static bpe_openai::Tokenizer,
}

/// All tokenizers to compare.
pub fn pairs() -> [Pair; 2] {
    [
        Pair { name: "cl100k", ours: &CL100K, theirs: bpe_openai::cl100k_base() },
        Pair { name: "o200k", ours: &O200K, theirs: bpe_openai::o200k_base() },
    ]
}

impl Pair {
    /// Panics unless both split a text into the same words.
    pub fn same_words(&self, text: &str) {
        if !self.theirs.split(text).eq(self.ours.split(text)) {
            let theirs: Vec<_> = self.theirs.split(text).collect();
            let two = theirs.iter().zip(self.ours.split(text)).find(|(a, b)| **a != *b);
            panic!("{}: {two:?} in {:?}", self.name, text.chars().take(99).collect::<String>());
        }
    }

    /// Panics unless both split a word into the same tokens.
    pub fn same_tokens(&self, word: &[u8]) {
        let theirs = self.theirs.bpe.encode_via_backtracking(word);
        let theirs: Vec<_> = theirs.iter().map(|id| self.theirs.bpe.token_len(*id)).collect();
        let ours = self.lengths(word);
        if theirs != ours {
            let from = theirs.iter().zip(&ours).position(|(a, b)| a != b);
            panic!("{}: {from:?} in {:?}", self.name, String::from_utf8_lossy(word));
        }
    }

    /// Panics unless both split a text into the same words and tokens, with the same count.
    pub fn same(&self, text: &str) {
        self.same_words(text);
        self.theirs.split(text).for_each(|word| self.same_tokens(word.as_bytes()));
        let encoded = self.theirs.encode(text).len() as u64;
        assert_eq!(self.ours.count(text), encoded, "{}", self.name);
    }

    /// The lengths of a word's tokens.
    pub fn lengths(&self, word: &[u8]) -> Vec<usize> {
        let mut lengths = Vec::new();
        self.ours.token_lengths(word, |length| lengths.push(length));
        lengths
    }
}

/// Random numbers from a seed: the same sequence each time.
pub struct Chance(pub u64);

impl Chance {
    /// A number less than `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }

    pub fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    pub fn character(&mut self, end: u32) -> char {
        loop {
            if let Some(c) = char::from_u32(self.below(end as usize) as u32) {
                return c;
            }
        }
    }
}
