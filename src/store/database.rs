//! One database: a writer, a finder and readers of one file, and the contents of files beside it.

use sqlx::{Sqlite, SqlitePool, pool::PoolConnection};
use tokio::sync::mpsc;

use super::{batch_loader::BatchLoader, blobs::Blobs, error::Result, writer::Writer};

/// One database file, its writer and its readers.
pub struct Database {
    pub(super) writer: Writer,
    pub(super) loader: BatchLoader,
    pub(super) readers: SqlitePool,
    pub(super) blobs: Blobs,
    /// The sessions that nobody can enter any more, by their keys: what is in them is removed.
    pub(super) purge: mpsc::UnboundedSender<i64>,
}

impl Database {
    /// The contents of files.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
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
