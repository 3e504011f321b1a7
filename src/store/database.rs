//! One database: a writer, a finder and readers of one file, and the contents of files beside it.

use parking_lot::Mutex;
use sqlx::{Sqlite, SqlitePool, pool::PoolConnection};
use tokio::sync::mpsc;

use super::{
    batch_loader::BatchLoader, blobs::Blobs, error::Result, file_lock::FileLock, writer::Writer,
};

/// One database file, its writer and its readers.
pub struct Database {
    pub(super) writer: Writer,
    pub(super) loader: BatchLoader,
    pub(super) readers: SqlitePool,
    pub(super) blobs: Blobs,
    /// The sessions that nobody can enter any more, by their keys: what is in them is removed.
    pub(super) purge: mpsc::UnboundedSender<i64>,
    pub(super) lock: Mutex<Option<FileLock>>,
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

    pub(super) async fn reader(&self) -> Result<PoolConnection<Sqlite>> {
        Ok(self.readers.acquire().await?)
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
