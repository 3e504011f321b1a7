//! One database: a writer, a finder and readers of one file, and the contents of files next to it.

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
    /// The queue of data that nobody can read any more, for removal.
    pub(super) purge: mpsc::UnboundedSender<Gone>,
    pub(super) lock: Mutex<Option<FileLock>>,
}

/// Data that nobody can read any more.
#[derive(Debug)]
pub(super) enum Gone {
    /// A session that nobody can enter, by its key.
    Session(i64),
    Children(DeletedParent),
    /// No data: a signal that everything before it was removed.
    Told(oneshot::Sender<()>),
}

/// An object that was deleted before its children.
#[derive(Clone, Debug)]
pub(super) struct DeletedParent {
    pub session: i64,
    /// The table of the object.
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

    /// Moves all committed data into the database file, so that a copy of this file is complete.
    /// Then it releases the lock for another server. After this call, nothing may be written.
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

/// The session of a write that enters a session. No row has this number.
pub(super) const NOBODY: i64 = 0;
