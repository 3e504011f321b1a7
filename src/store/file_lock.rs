//! One server per database file: an OS lock on a file next to it. A kill of the server releases the
//! lock, too.

use std::{
    fs::{self, TryLockError},
    io,
    path::Path,
};

/// Why the lock is not available.
#[derive(Debug)]
pub(super) enum LockError {
    /// Another server has it.
    InUse,
    /// The file system does not support locks, or the lock file cannot be created.
    Unlockable(io::Error),
}

/// The lock. It is held as long as a server uses the database.
#[derive(Debug)]
pub(super) struct FileLock {
    _file: fs::File,
}

impl FileLock {
    /// Takes the lock of the database at `path`, in `PATH-lock`. The file stays, because its
    /// removal would let two servers lock two files of one name.
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
