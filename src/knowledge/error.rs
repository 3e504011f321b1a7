//! The errors of this module.

use crate::{store, types::upload::UploadStatus};

/// The reason why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum KnowledgeError {
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
    #[error("there is no container '{0}'")]
    NoContainer(String),
    #[error("the container has expired")]
    ContainerExpired,
    #[error("vector store {0} is full")]
    StoreFull(String),
    #[error("{0} files are too many for the code interpreter")]
    TooManyToolFiles(usize),
    #[error("upload {id} is {}", status.name())]
    NotPending { id: String, status: UploadStatus },
    #[error("upload {upload} has no part {part}")]
    NoSuchPart { part: String, upload: String },
    #[error("expected {expected} bytes, got {got}")]
    WrongBytes { expected: u64, got: u64 },
    #[error("expected the checksum {expected}, got {got}")]
    WrongChecksum { expected: String, got: String },
    #[error(transparent)]
    Store(#[from] store::StoreError),
    #[error("the disk failed")]
    Disk(#[from] std::io::Error),
}

pub type Result<T, E = KnowledgeError> = std::result::Result<T, E>;
