//! One database: a writer, a finder and readers of one file, and the contents of files beside it.

use sqlx::{Sqlite, SqlitePool, pool::PoolConnection};
use tokio::sync::mpsc;

use super::{blobs::Blobs, error::Result, finder::Finder, writer::Writer};

/// One database file, its writer and its readers.
pub struct Database {
    pub(super) writer: Writer,
    pub(super) finder: Finder,
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

    pub(super) fn finder(&self) -> &Finder {
        &self.finder
    }

    pub(super) fn writer(&self) -> &Writer {
        &self.writer
    }
}

/// The session of a write that enters one: no row has it.
pub(super) const NOBODY: i64 = 0;
