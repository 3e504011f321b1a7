//! What assistants can look things up in: files, vector stores, and searches in them.
//!
//! `ingest.rs` makes files searchable in the background, `lookup.rs` searches, `resources.rs` gives
//! assistants and threads their files and stores, `v1.rs` those that v1 gives them, `files.rs`
//! makes and deletes files, `expiry.rs` ends what has had its time. Knows no HTTP, no SQL, and
//! nothing of runs.

mod expiry;
mod files;
mod ingest;
mod lookup;
mod resources;
mod v1;

use std::sync::Arc;

use self::{expiry::Expiries, ingest::Ingest};
pub use self::{expiry::Reaper, lookup::Question, resources::Attached};
use crate::{
    clock::{Clock, Ids},
    extract::Extractor,
    fixture::Pace,
    store::{self, Store},
    types::upload::UploadStatus,
};

/// The knowledge of one session.
#[derive(Clone)]
pub struct Knowledge {
    store: Store,
    clock: Clock,
    ids: Arc<Ids>,
    ingest: Arc<Ingest>,
    expiries: Expiries,
    /// Held while a thread or an assistant is given files, so that no two make a store for it.
    attaching: Arc<tokio::sync::Mutex<()>>,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    #[error("there is no file '{0}'")]
    NoFile(String),
    #[error(
        "there is no vector store {}",
        .0.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(", ")
    )]
    NoStores(Vec<String>),
    #[error("files that end in {0:?} cannot be searched")]
    NotSearchable(Vec<String>),
    #[error("vector store {0} has expired")]
    Expired(String),
    #[error("vector store {0} is full")]
    StoreFull(String),
    #[error("{0} files are too many for the code interpreter")]
    TooManyToolFiles(usize),
    #[error("upload {id} is {}", status.name())]
    NotPending { id: String, status: UploadStatus },
    #[error("part {part} is not of upload {upload}")]
    NoSuchPart { part: String, upload: String },
    #[error("{got} bytes instead of {expected}")]
    WrongBytes { expected: u64, got: u64 },
    #[error("the checksum is {got} instead of {expected}")]
    WrongChecksum { expected: String, got: String },
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the disk failed")]
    Disk(#[from] std::io::Error),
}

pub type Result<T, E = Denied> = std::result::Result<T, E>;

impl Knowledge {
    /// The knowledge of a session, and the task that ends what has had its time.
    pub fn new(
        store: Store,
        clock: Clock,
        ids: Arc<Ids>,
        pace: Pace,
        extractor: Extractor,
    ) -> (Self, Reaper) {
        let ingest = Arc::new(Ingest::new(store.clone(), clock.clone(), pace, extractor));
        let (expiries, changed) = Expiries::new(clock.clone());
        let knowledge = Self { store, clock, ids, ingest, expiries, attaching: Arc::default() };
        let reaper = Reaper::start(knowledge.clone(), changed);
        (knowledge, reaper)
    }

    /// Takes up the files that were not ready when the server stopped.
    pub async fn resume(&self) -> store::Result<()> {
        let under_way = self.store.files_under_way().await?;
        self.ingest.begin(under_way.into_iter().map(|it| (it.file, it.batch)));
        Ok(())
    }
}

/// Does what blocks on the disk where it holds nobody up.
pub async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
}
