//! Which two tokens make which: a vocabulary as a table that is read in place.
//!
//! A token of more than one byte consists of two others, always the same two. So a vocabulary is a
//! map from pairs of tokens to tokens. A pair is mixed, and the mixed number is split into a high
//! and a low half. The low half selects a factor. The low half times the factor turns the high half
//! into the only place where the pair can be. That place has the low half and the token. If the low
//! half there is the same, so are the factor and the high half. Mixing is one to one, so the pair
//! is the same too. A token that is found is always the right one.
//!
//! A file holds, with all numbers little-endian:
//!
//! - the token of each of the 256 bytes, one byte each: the single bytes are tokens 0 to 255;
//! - one byte: how many bits the high half has, so that there are as many places as it has values;
//! - the factors, 2 bytes each, one for each value of the highest bits of the low half;
//! - the places, 5 bytes each: the low half, then in the lowest 18 bits the token. All bits of an
//!   empty place are set.

/// Tokens are numbers of so many bits.
pub const TOKEN_BITS: u32 = 18;
pub const PAIR_BITS: u32 = 2 * TOKEN_BITS;

/// There are two to the power of this many factors.
pub const FACTOR_BITS: u32 = 15;

/// Means no token, and is higher than all of them.
pub const NONE: u32 = (1 << TOKEN_BITS) - 1;

/// A vocabulary: pairs of tokens and what they make.
pub struct Pairs {
    bytes: &'static [u8; 256],
    low_bits: u32,
    factors: &'static [[u8; 2]],
    places: &'static [[u8; 5]],
}

impl Pairs {
    /// Splits a file into its parts. The file must have the format above.
    pub const fn new(file: &'static [u8]) -> Self {
        let (bytes, file) = file.split_first_chunk().expect("a file has the tokens of bytes");
        let (high_bits, file) = file.split_first().expect("a file has a number of bits");
        let (factors, places) = file.split_at(2 << FACTOR_BITS);
        Self {
            bytes,
            low_bits: PAIR_BITS - *high_bits as u32,
            factors: factors.as_chunks().0,
            places: places.as_chunks().0,
        }
    }

    /// The token of a single byte.
    pub fn of_byte(&self, byte: u8) -> u32 {
        u32::from(self.bytes[usize::from(byte)])
    }

    /// The token that two tokens make, or `NONE`. If two can be made, the lower comes first.
    pub fn join(&self, left: u32, right: u32) -> u32 {
        let (high, low) = halves(mix(left, right), self.low_bits);
        let factor = self.factors[factor_of(low, self.low_bits)];
        let [a, b, c, d, e] =
            self.places[place(high, low, u16::from_le_bytes(factor), self.low_bits)];
        let place = u64::from_le_bytes([a, b, c, d, e, 0, 0, 0]);
        if place >> TOKEN_BITS == low { place as u32 & NONE } else { NONE }
    }
}

/// Mixes a pair, one to one: an odd factor and the shifted half can both be undone.
pub fn mix(left: u32, right: u32) -> u64 {
    let pair = u64::from(left) << TOKEN_BITS | u64::from(right);
    let mixed = pair.wrapping_mul(0x9_e377_9b97) & ((1 << PAIR_BITS) - 1);
    mixed ^ mixed >> TOKEN_BITS
}

/// The high and the low half of a mixed pair.
pub fn halves(mixed: u64, low_bits: u32) -> (u64, u64) {
    (mixed >> low_bits, mixed & ((1 << low_bits) - 1))
}

/// The number of the factor for a low half.
pub fn factor_of(low: u64, low_bits: u32) -> usize {
    (low >> (low_bits - FACTOR_BITS)) as usize
}

/// The place of a pair.
pub fn place(high: u64, low: u64, factor: u16, low_bits: u32) -> usize {
    let turned = high ^ (low * u64::from(factor));
    (turned & ((1 << (PAIR_BITS - low_bits)) - 1)) as usize
}
