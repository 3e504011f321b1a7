//! Folders for what is forgotten at exit: in the temporary folder, or where that cannot be written,
//! as in a container with a read-only root, in shared memory.

use std::{
    io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// Shared memory, which Linux has as a folder.
const SHARED_MEMORY: &str = "/dev/shm";

/// Makes a folder whose name begins so.
pub(super) fn folder(prefix: &str) -> io::Result<TempDir> {
    let make = |parent: &Path| tempfile::Builder::new().prefix(prefix).tempdir_in(parent);
    make(&std::env::temp_dir()).or_else(|error| make(Path::new(SHARED_MEMORY)).map_err(|_| error))
}

/// Where such folders may be.
pub(super) fn places() -> [PathBuf; 2] {
    [std::env::temp_dir(), PathBuf::from(SHARED_MEMORY)]
}
