//! One database: a writer, a finder and readers of one file, and the contents of files beside it.

use std::{fmt, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::{
    batch_loader::BatchLoader,
    blobs::Blobs,
    body_cache::BodyCache,
    error::Result,
    file_lock::FileLock,
    readers::{Reader, Readers},
    writer::Writer,
};

/// One database file, its writer and its readers.
pub struct Database {
    pub(super) writer: Writer,
    pub(super) loader: BatchLoader,
    pub(super) bodies: Arc<BodyCache>,
    pub(super) readers: Readers,
    pub(super) blobs: Blobs,
    /// What nobody can read any more, which is removed.
    pub(super) purge: mpsc::UnboundedSender<Gone>,
    pub(super) lock: Mutex<Option<FileLock>>,
}

/// What nobody can read any more.
#[derive(Debug)]
pub(super) enum Gone {
    /// A session that nobody can enter, by its key.
    Session(i64),
    Children(DeletedParent),
    /// Nothing: tells that everything before it was removed.
    Told(oneshot::Sender<()>),
}

/// An object that was deleted before its children.
#[derive(Clone, Debug)]
pub(super) struct DeletedParent {
    pub session: i64,
    /// The table that it was in.
    pub kind: String,
    pub id: String,
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(_) => f.write_str("a session"),
            Self::Children(of) => write!(f, "{} in {}", of.id, of.kind),
            Self::Told(_) => f.write_str("nothing"),
        }
    }
}

impl Database {
    /// The contents of files.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Moves all that is committed into the database file, so that it can be copied alone, and lets
    /// another server have it. Nothing may be written from here on.
    pub async fn close(&self) -> Result<()> {
        let moved = self.writer.checkpoint().await;
        *self.lock.lock() = None;
        moved
    }

    pub(super) async fn reader(&self) -> Result<Reader> {
        self.readers.reader().await
    }

    pub(super) fn loader(&self) -> &BatchLoader {
        &self.loader
    }

    pub(super) fn writer(&self) -> &Writer {
        &self.writer
    }
}

/// The session of a write that enters one: no row has it.
pub(super) const NOBODY: i64 = 0;
