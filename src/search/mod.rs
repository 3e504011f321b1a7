//! From texts to what can be found in them: chunks, words, the best passage. Pure; where it is kept
//! and how it is ranked is the store's business.

pub mod chunks;
pub mod passage;
pub mod reading;
pub mod words;
