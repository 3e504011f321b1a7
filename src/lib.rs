//! Rehearsal: a local emulator of the OpenAI Assistants API.
//!
//! The rooms, in reading order:
//!
//! - [`types`]: the nouns of the API, the reader that judges requests, every text of refusal
//! - [`clock`]: the only time and the only chance in the program
//! - [`fixture`]: the format people write: what a run answers
//! - `tokens`: what a model counts by
//! - [`extract`], [`search`]: texts out of files, and words, chunks and passages out of texts
//! - `store`: what is kept, in SQLite and beside it
//! - [`knowledge`]: files, vector stores, and searches in them
//! - [`engine`]: how a run goes from `queued` to its end
//! - [`world`]: a session, with a store, a clock, ids and an engine of its own
//! - `http`: the manners of the wire
//! - `api`, `control`: the routes
//! - `app`, [`serve`], [`cli`]: the program
//!
//! Who may know whom: `cli → serve → app → api, control → http → world → engine → knowledge →
//! fixture, extract, search, store → tokens, clock → types`. An arrow may skip a room, never turn
//! back.

mod api;
mod app;
pub mod cassette;
pub mod cli;
pub mod clock;
mod control;
pub mod engine;
mod events;
pub mod extract;
pub mod feed;
pub mod fixture;
mod http;
pub mod knowledge;
mod redact;
pub mod search;
pub mod serve;
mod store;
pub mod tokens;
pub mod transcript;
pub mod types;
pub mod upstream;
pub mod world;
