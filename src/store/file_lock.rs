//! One server per database file: an OS lock on a file beside it, which a kill releases too.

use std::{
    fs::{self, TryLockError},
    io,
    path::Path,
};

/// Why a lock cannot be had.
#[derive(Debug)]
pub(super) enum LockError {
    /// Another server has it.
    InUse,
    /// The file system has no locks, or no place for the file.
    Unlockable(io::Error),
}

/// Held for as long as a server uses the database.
#[derive(Debug)]
pub(super) struct FileLock {
    _file: fs::File,
}

impl FileLock {
    /// Takes the lock of the database at `path`, in `PATH-lock`. The file stays: to remove it would
    /// let two servers lock two files of one name.
    pub(super) fn take(path: &Path) -> Result<Self, LockError> {
        let mut name = path.as_os_str().to_owned();
        name.push("-lock");
        let file = fs::File::options().write(true).create(true).truncate(false).open(&name);
        let file = file.map_err(LockError::Unlockable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::InUse),
            Err(TryLockError::Error(error)) => Err(LockError::Unlockable(error)),
        }
    }
}
