//! Folders for data that is deleted at exit. They are in the temporary folder. If that cannot be
//! written, as in a container with a read-only root, they are in shared memory.

use std::{
    io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// Shared memory, which is a folder on Linux.
const SHARED_MEMORY: &str = "/dev/shm";

/// Creates a folder with this prefix in its name.
pub(super) fn folder(prefix: &str) -> io::Result<TempDir> {
    let make = |parent: &Path| tempfile::Builder::new().prefix(prefix).tempdir_in(parent);
    make(&std::env::temp_dir()).or_else(|error| make(Path::new(SHARED_MEMORY)).map_err(|_| error))
}

/// The possible places of such folders.
pub(super) fn places() -> [PathBuf; 2] {
    [std::env::temp_dir(), PathBuf::from(SHARED_MEMORY)]
}
