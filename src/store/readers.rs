//! The connections that only read. Each serves one caller at a time; others wait for a free one.
//!
//! sqlx has its own pool, which checks each connection that returns. That is a trip to its thread
//! after each read. These are connections to a file, and nothing breaks them.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use parking_lot::Mutex;
use sqlx::SqliteConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::{Result, StoreError};

pub(super) struct Readers {
    idle: Arc<Mutex<Vec<SqliteConnection>>>,
    /// As many permits as there are idle connections.
    free: Arc<Semaphore>,
}

/// A connection that reads for one caller.
pub(super) struct Reader {
    /// `None` only while it returns.
    connection: Option<SqliteConnection>,
    idle: Arc<Mutex<Vec<SqliteConnection>>>,
    // This field is dropped last: then the connection is idle.
    _permit: OwnedSemaphorePermit,
}

impl Readers {
    pub(super) fn new(connections: Vec<SqliteConnection>) -> Self {
        let free = Arc::new(Semaphore::new(connections.len()));
        Self { idle: Arc::new(Mutex::new(connections)), free }
    }

    pub(super) async fn reader(&self) -> Result<Reader> {
        let free = Arc::clone(&self.free).acquire_owned().await.map_err(|_| StoreError::died())?;
        let connection = self.idle.lock().pop();
        let idle = Arc::clone(&self.idle);
        Ok(Reader { connection, idle, _permit: free })
    }
}

impl Deref for Reader {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        self.connection.as_ref().expect("a permit stands for a connection")
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.connection.as_mut().expect("a permit stands for a connection")
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.idle.lock().extend(self.connection.take());
    }
}
