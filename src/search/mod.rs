//! From texts to the parts that a search needs: chunks, words, the best passage. These are pure
//! functions; the store keeps and ranks the results.

pub mod chunks;
pub mod passage;
pub mod reading;
pub mod words;
