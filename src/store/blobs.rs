//! The contents of files: one file on disk for each, in a folder beside the database, by a random
//! name. The client's name for its file never touches the disk.
//!
//! A blob counts as soon as a row names it. Before that it is a *draft*, which removes itself. The
//! next start removes the rest that a crash leaves behind.

use std::{
    collections::HashSet,
    fs, io,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use super::temporary;
use crate::clock;
use parking_lot::Mutex;

/// The folder of a private database begins like this. It holds a lock as long as its process lives.
const PRIVATE: &str = "rehearsal-files-";
const LOCK: &str = "lock";

/// All blobs of one database.
#[derive(Debug)]
pub struct Blobs {
    folder: Mutex<Folder>,
}

#[derive(Debug)]
enum Folder {
    /// Beside a database file. While the lock is held, other processes leave stray blobs alone.
    Beside { path: PathBuf, lock: Option<fs::File> },
    /// Of a private database, created with the first blob.
    Private(Option<Locked>),
}

/// A folder that ends with this process. Its lock shows later processes that it is still in use.
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
            // The folder has vanished since, perhaps with its volume.
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

    /// The place of a blob.
    pub fn path(&self, name: &str) -> io::Result<PathBuf> {
        Ok(self.folder()?.join(name))
    }

    /// Frees the space of a blob. A missing blob is no error.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(name)?) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes the blobs that no row names, unless another process works in the same folder. A file
    /// with another form of name is not ours.
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

/// Whether a name has the form of a blob's name.
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
            // Another process that starts just now may have taken it for abandoned before the lock.
            if folder.path().join(LOCK).exists() {
                return Ok(Self { folder, _lock: lock });
            }
        }
    }
}

/// Removes the folders that earlier processes left behind.
fn sweep_abandoned(temporary: &Path) {
    for entry in fs::read_dir(temporary).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PRIVATE));
        let lock = ours.then(|| fs::File::open(entry.path().join(LOCK)).ok()).flatten();
        if lock.is_some_and(|lock| lock.try_lock().is_ok())
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            tracing::debug!(%error, "cannot remove an abandoned folder");
        }
    }
}

/// A blob being written. It removes itself unless it is kept.
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

    /// Leaves the blob to the row that names it.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, "cannot remove a draft; it stays on disk until the next start");
        }
    }
}
