//! The contents of files: one file on disk for each, in a folder beside the database, by a name
//! that is drawn at random. What a client calls its file never touches the disk.
//!
//! A blob counts as soon as a row names it. What is written and not named yet is a *draft*, which
//! removes itself; what a crash leaves behind is swept up at the next start.

use std::{
    collections::HashSet,
    fs, io,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use super::temporary;
use crate::clock;
use parking_lot::Mutex;

/// The folder of a private database begins like this, and holds a lock for as long as its process
/// lives.
const PRIVATE: &str = "rehearsal-files-";
const LOCK: &str = "lock";

/// All blobs of one database.
#[derive(Debug)]
pub struct Blobs {
    folder: Mutex<Folder>,
}

#[derive(Debug)]
enum Folder {
    /// Beside a database file. The lock, once it is held, tells other processes to leave strays
    /// alone.
    Beside { path: PathBuf, lock: Option<fs::File> },
    /// Of a private database, made when the first blob is.
    Private(Option<Locked>),
}

/// A folder that goes with this process. Its lock tells later processes that it is still in use.
#[derive(Debug)]
struct Locked {
    folder: tempfile::TempDir,
    _lock: fs::File,
}

impl Blobs {
    /// The blobs of the database at `path`, or of a private one.
    pub(super) fn new(database: Option<&Path>) -> Self {
        let folder = match database {
            Some(path) => {
                let mut name = path.as_os_str().to_owned();
                name.push("-files");
                Folder::Beside { path: name.into(), lock: None }
            }
            None => Folder::Private(None),
        };
        Self { folder: Mutex::new(folder) }
    }

    /// Begins a blob. Blocks on the disk.
    pub fn begin(&self) -> io::Result<Draft> {
        let name = clock::random_name();
        let path = self.folder()?.join(&name);
        let create = || fs::File::options().write(true).create_new(true).open(&path);
        let file = match create() {
            // The folder has vanished since, with the volume that it was on perhaps.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_folder_anew()?;
                create()?
            }
            file => file?,
        };
        Ok(Draft { name, path, file, bytes: 0, kept: false })
    }

    /// Opens the content of a blob.
    pub fn open(&self, name: &str) -> io::Result<fs::File> {
        fs::File::open(self.path(name)?)
    }

    /// Where a blob is.
    pub fn path(&self, name: &str) -> io::Result<PathBuf> {
        Ok(self.folder()?.join(name))
    }

    /// Gives the space of a blob back. One that is gone already is no fault.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(name)?) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes the blobs that no row names, unless another process is at work in the same folder.
    /// What is not named like a blob is not ours.
    pub(super) fn sweep(&self, named: &HashSet<String>) -> io::Result<()> {
        let Folder::Beside { path, lock } = &mut *self.folder.lock() else { return Ok(()) };
        if !path.is_dir() || !hold(path, lock)? {
            return Ok(());
        }
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let stray = entry
                .file_name()
                .to_str()
                .is_some_and(|name| is_name(name) && !named.contains(name));
            if stray && entry.file_type()?.is_file() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Removes the folder of a private database.
    pub fn forget(&self) {
        if let Folder::Private(folder) = &mut *self.folder.lock() {
            *folder = None;
        }
    }

    fn make_folder_anew(&self) -> io::Result<()> {
        match &mut *self.folder.lock() {
            Folder::Beside { path, lock } => {
                *lock = None;
                fs::create_dir_all(&*path)?;
                hold(path, lock).map(|_| ())
            }
            Folder::Private(made) => {
                *made = Some(Locked::make()?);
                Ok(())
            }
        }
    }

    fn folder(&self) -> io::Result<PathBuf> {
        match &mut *self.folder.lock() {
            Folder::Beside { path, lock } => {
                if lock.is_none() {
                    fs::create_dir_all(&*path)?;
                    hold(path, lock)?;
                }
                Ok(path.clone())
            }
            Folder::Private(made) => {
                if made.is_none() {
                    *made = Some(Locked::make()?);
                }
                Ok(made.as_ref().map(|locked| locked.folder.path().to_owned()).unwrap_or_default())
            }
        }
    }
}

/// Takes the lock of a folder. `false` if another process has it.
fn hold(folder: &Path, lock: &mut Option<fs::File>) -> io::Result<bool> {
    if lock.is_none() {
        let file = fs::File::create(folder.join(LOCK))?;
        if file.try_lock().is_err() {
            return Ok(false);
        }
        *lock = Some(file);
    }
    Ok(true)
}

/// Whether a name is one of those that blobs are given.
fn is_name(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Locked {
    fn make() -> io::Result<Self> {
        temporary::places().iter().for_each(|place| sweep_abandoned(place));
        loop {
            let folder = temporary::folder(PRIVATE)?;
            let lock = fs::File::create(folder.path().join(LOCK))?;
            lock.lock()?;
            // Another process that starts just now may have taken it for abandoned before it was
            // locked.
            if folder.path().join(LOCK).exists() {
                return Ok(Self { folder, _lock: lock });
            }
        }
    }
}

/// Removes the folders of processes that ended without removing them.
fn sweep_abandoned(temporary: &Path) {
    for entry in fs::read_dir(temporary).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PRIVATE));
        let lock = ours.then(|| fs::File::open(entry.path().join(LOCK)).ok()).flatten();
        if lock.is_some_and(|lock| lock.try_lock().is_ok())
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            tracing::debug!(%error, "an abandoned folder stays");
        }
    }
}

/// A blob being written. It is removed again unless it is kept.
#[derive(Debug)]
pub struct Draft {
    name: String,
    path: PathBuf,
    file: fs::File,
    bytes: u64,
    kept: bool,
}

impl Draft {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes a piece. Blocks on the disk.
    pub fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.bytes += piece.len() as u64;
        self.file.write_all(piece)
    }

    /// Writes all that `source` has. Blocks on the disk.
    pub fn append(&mut self, source: &mut impl Read) -> io::Result<()> {
        self.bytes += io::copy(source, &mut self.file)?;
        Ok(())
    }

    /// Leaves the blob to whoever has named it.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, "a draft stays on disk until the next start");
        }
    }
}
