//! What assistants can look things up in: files, vector stores, and searches in them.
//!
//! `ingest.rs` makes files searchable in the background, `lookup.rs` searches, `resources.rs` gives
//! assistants and threads their files and stores, `v1.rs` those that v1 gives them, `files.rs`
//! makes and deletes files, `containers.rs` those of code interpreters, `expiry.rs` ends what has had its time. Knows no HTTP, no SQL, and
//! nothing of runs.

mod containers;
mod disk;
mod error;
mod expiries;
mod expiry;
mod files;
mod ingest;
mod lookup;
mod resources;
mod session;
mod v1;

pub use self::{
    disk::on_disk,
    error::{KnowledgeError, Result},
    expiry::Reaper,
    lookup::SearchQuestion,
    resources::{AttachedFiles, Attachments},
    session::Knowledge,
};
