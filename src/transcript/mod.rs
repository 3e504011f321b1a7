//! From conversations as the API shows them to fixtures that repeat them.
//!
//! An import, an export and a recording are made in the same way. `recorded.rs` has the shapes of what
//! an answer shows, and `objects.rs` keeps the last that was shown of each object. `generate.rs`
//! makes replies of them, with their steps by `entries.rs` and seeds by `seeds.rs`, and
//! `generated.rs` is what comes out. `escape.rs` writes texts such that templates leave them alone,
//! `response.rs` makes a reply of what responses answer to a
//! question, `clean.rs` takes secrets out of objects, `stored.rs` reads a thread out of the store,
//! `export.rs` makes one document of it, and `write_files.rs` puts fixtures on disk. Knows no HTTP
//! and no SQL.

mod clean;
mod entries;
mod escape;
mod export;
mod generate;
mod generated;
mod objects;
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
    recorded::{RecordedMessage, file_ids},
    response::AnsweredQuestion,
    stored::of_thread,
    write_files::write_files,
};
