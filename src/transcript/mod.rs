//! From conversations as the API shows them to fixtures that repeat them.
//!
//! Imports, exports and recordings are made in the same way. `recorded.rs` has the shapes of
//! answers, and `objects.rs` keeps the last known state of each object. `generate.rs` makes replies
//! from them. `entries.rs` makes the steps of a reply, and `seeds.rs` makes seeds. `generated.rs`
//! is the result. `escape.rs` writes texts such that templates do not change them. `questions.rs`
//! finds the questions in recorded responses, and `response.rs` makes a reply from each. `clean.rs` removes secrets from objects.
//! `stored.rs` reads a thread from the store, and `export.rs` makes one document of it.
//! `write_files.rs` puts fixtures on disk. This module knows no HTTP and no SQL.

mod clean;
mod entries;
mod escape;
mod export;
mod generate;
mod generated;
mod objects;
mod questions;
mod recorded;
mod response;
mod seeds;
mod stored;
mod write_files;

pub use self::{
    export::{ExportError, Exported, export},
    generate::{ExportOptions, FilePlacement, generate},
    generated::{GeneratedDocument, GeneratedFixture, GeneratedReply, Omission, UsedNames},
    objects::ConversationObjects,
    questions::RecordedInput,
    recorded::{RecordedMessage, RecordedPerformance, RecordedResponse, file_ids},
    response::AnsweredQuestion,
    stored::of_thread,
    write_files::write_files,
};
