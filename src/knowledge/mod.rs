//! The knowledge of assistants: files, vector stores, and searches in them.
//!
//! `ingest.rs` makes files searchable in the background, and `lookup.rs` searches. `resources.rs`
//! gives assistants and threads their files and stores; `v1.rs` does that for v1. `files.rs`
//! creates and deletes files, `containers.rs` does that for code interpreters, and `expiry.rs` ends
//! objects that have expired. This module knows no HTTP, no SQL, and no runs.

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
