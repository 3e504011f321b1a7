//! Opens the database file. This checks whose file it is and which version it has. It migrates the
//! file and cleans it up before anybody uses it.
//!
//! `:memory:` is a private file in the temporary folder. The file loses its name before the first
//! request comes in. So nothing of it outlives the process, no matter how that ends.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::future::try_join_all;
use parking_lot::Mutex;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, SqliteConnection,
    migrate::MigrateError,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::sync::mpsc;

use super::{
    batch_loader::BatchLoader,
    blobs::Blobs,
    body_cache::BodyCache,
    database::Database,
    error::StoreError,
    file_lock::{FileLock, LockError},
    migrations::{self, MIGRATIONS, newest},
    purge,
    readers::Readers,
    temporary,
    writer::Writer,
};

/// How many pages the writer keeps in memory: 4 MiB, in SQLite's notation. Ids are random, so each
/// new row changes other pages of the indexes.
const PAGES: &str = "-4096";

/// "RHSL" in the file's header: this database is ours.
const APPLICATION_ID: i32 = 0x5248_534c;

/// For lists and the inputs of a run. A request that waits for a connection waits only for a read.
const READERS: usize = 2;

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot open the database {path}: {source}")]
    Unusable { path: String, source: sqlx::Error },
    #[error("{path} is a database of another program, so Rehearsal does not change it")]
    Foreign { path: String },
    #[error(
        "a newer version of Rehearsal wrote the database {path}, so this version does not open it; \
         use that version, or another file"
    )]
    Newer { path: String },
    #[error(
        "another server uses the database {path}: stop that server, or name another file with \
         --database"
    )]
    InUse { path: String },
    #[error(
        "cannot lock the database {path}: {source}; with --database, name a file on a file system \
         that supports locks"
    )]
    Unlockable { path: String, source: std::io::Error },
    #[error("cannot migrate the database {path}: {source}")]
    Migration { path: String, source: MigrateError },
    #[error("cannot read the database {path}: {source}")]
    Unreadable { path: String, source: StoreError },
    #[error(
        "cannot create a temporary database in {path}: {source} (set TMPDIR, or name a file with \
         --database)"
    )]
    Temporary { path: String, source: std::io::Error },
}

/// The use of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// By a server: no other process may write.
    Server,
    /// By a server: no other process may use it at all.
    Private,
    /// By a command that only reads, perhaps beside a server.
    Reader,
}

impl Database {
    /// Opens the file at `path`, and creates and migrates it as needed. Without a path, this opens
    /// a private file that is removed at exit.
    pub async fn open(path: Option<&Path>) -> Result<Arc<Self>, OpenError> {
        let Some(path) = path else { return Self::open_private().await };
        let lock = take_lock(path)?;
        let database =
            Self::open_file(path, Use::Server, Blobs::new(Some(path)), Some(lock)).await?;
        let unreadable =
            |source| OpenError::Unreadable { path: path.display().to_string(), source };
        database.sweep().await.map_err(unreadable)?;
        database.purge_the_gone().await.map_err(unreadable)?;
        database.purge_deleted_parents().await.map_err(unreadable)?;
        Ok(database)
    }

    /// Opens a file to read it, whether a server uses it at the moment or not. A file of an older
    /// version is migrated first, if no server uses it.
    pub async fn open_beside(path: &Path) -> Result<Arc<Self>, OpenError> {
        let (usage, lock) = match look(path).await? {
            Some(version) if version == newest() => (Use::Reader, None),
            _ => (Use::Server, Some(take_lock(path)?)),
        };
        Self::open_file(path, usage, Blobs::new(Some(path)), lock).await
    }

    async fn open_private() -> Result<Arc<Self>, OpenError> {
        let folder = temporary::folder("rehearsal-").map_err(|source| OpenError::Temporary {
            path: std::env::temp_dir().display().to_string(),
            source,
        })?;
        let path = folder.path().join("private.db");
        let database = Self::open_file(&path, Use::Private, Blobs::new(None), None).await?;
        // All connections are open: from here on the files need no name. If the system cannot
        // delete open files, the folder stays until somebody clears the temporary files.
        if let Err(error) = folder.close() {
            tracing::debug!(%error, "the temporary database keeps its name");
        }
        Ok(database)
    }

    async fn open_file(
        path: &Path,
        usage: Use,
        blobs: Blobs,
        lock: Option<FileLock>,
    ) -> Result<Arc<Self>, OpenError> {
        let shown = path.display().to_string();
        let unusable = |source| OpenError::Unusable { path: shown.clone(), source };
        if usage == Use::Server {
            // This detects a file that is not ours, or of a newer version, before anything in it
            // changes.
            look(path).await?;
        }
        let options = options(path);
        let writing = options.clone().pragma("cache_size", PAGES);
        let writer = match usage {
            Use::Reader => options.clone().read_only(true).create_if_missing(false),
            Use::Private => writing.synchronous(SqliteSynchronous::Off),
            Use::Server => {
                writing.synchronous(SqliteSynchronous::Normal).journal_mode(SqliteJournalMode::Wal)
            }
        };
        let mut writer = writer.connect().await.map_err(unusable)?;
        match usage {
            Use::Reader => {}
            Use::Private => {
                let tables = sqlx::raw_sql(AssertSqlSafe(migrations::all_at_once()));
                tables.execute(&mut writer).await.map_err(unusable)?;
            }
            Use::Server => {
                let id = sqlx::query("pragma application_id = 0x5248534c");
                id.execute(&mut writer).await.map_err(unusable)?;
                let migrated = MIGRATIONS.run(&mut writer).await;
                migrated.map_err(|source| OpenError::Migration { path: shown.clone(), source })?;
            }
        }
        let options = options.read_only(true).create_if_missing(false);
        // A private file loses its name: nobody can open more connections later.
        let connections = (0..=READERS).map(|_| warm(&options));
        let mut readers = try_join_all(connections).await.map_err(unusable)?;
        let loader = readers.pop().expect("there is one more than readers");
        let (purge, gone) = mpsc::unbounded_channel();
        let bodies = Arc::<BodyCache>::default();
        let database = Arc::new(Self {
            writer: Writer::start(writer, Arc::clone(&bodies), usage == Use::Server),
            bodies,
            loader: BatchLoader::start(loader),
            readers: Readers::new(readers),
            blobs,
            purge,
            lock: Mutex::new(lock),
        });
        purge::start(&database, gone);
        Ok(database)
    }
}

fn take_lock(path: &Path) -> Result<FileLock, OpenError> {
    let shown = || path.display().to_string();
    FileLock::take(path).map_err(|error| match error {
        LockError::InUse => OpenError::InUse { path: shown() },
        // The folder is the problem, and not its file system.
        LockError::Unlockable(source) if source.kind() == std::io::ErrorKind::NotFound => {
            OpenError::Unusable { path: shown(), source: sqlx::Error::Io(source) }
        }
        LockError::Unlockable(source) => OpenError::Unlockable { path: shown(), source },
    })
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        // The folder of the database may be the only one that can be written.
        .pragma("temp_store", "memory")
        // Fewer, larger checkpoints: 16 MiB of the write-ahead log at a time.
        .pragma("wal_autocheckpoint", "4096")
        // A batch of writes reports each of its rows: all reports fit.
        .row_buffer_size(1024)
        .disable_statement_logging()
}

/// Reads an existing file. Returns the version of its database, or `None` if it is empty. A
/// rejection leaves no new file behind.
async fn look(path: &Path) -> Result<Option<i64>, OpenError> {
    let beside = ["-wal", "-shm"].map(|end| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    });
    let new: Vec<_> = beside.into_iter().filter(|path| !path.exists()).collect();
    let shown = path.display().to_string();
    let unusable = |source| OpenError::Unusable { path: shown.clone(), source };
    let version = async {
        let mut connection = options(path).connect().await.map_err(unusable)?;
        let version = recognise(&mut connection, &shown).await;
        let closed = connection.close().await;
        version.and_then(|version| closed.map(|()| version).map_err(unusable))
    };
    let version = version.await;
    if version.is_err() {
        new.iter().for_each(|path| _ = std::fs::remove_file(path));
    }
    version
}

async fn recognise(
    connection: &mut SqliteConnection,
    path: &str,
) -> Result<Option<i64>, OpenError> {
    let unusable = |source| OpenError::Unusable { path: path.to_owned(), source };
    let id: i32 = sqlx::query_scalar("pragma application_id")
        .fetch_one(&mut *connection)
        .await
        .map_err(unusable)?;
    let tables: i64 = sqlx::query_scalar("select count(*) from sqlite_schema")
        .fetch_one(&mut *connection)
        .await
        .map_err(unusable)?;
    if tables == 0 {
        return Ok(None);
    }
    if id != APPLICATION_ID {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    let version: i64 = sqlx::query_scalar("select coalesce(max(version), 0) from _sqlx_migrations")
        .fetch_one(&mut *connection)
        .await
        .map_err(unusable)?;
    if version > newest() {
        return Err(OpenError::Newer { path: path.to_owned() });
    }
    Ok(Some(version))
}

/// A connection that has read the file once, so that it also holds the files of the write-ahead log
/// open. It reads the definitions of the tables at its first use.
async fn warm(options: &SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
    let mut connection = options.connect().await?;
    sqlx::query("pragma user_version").execute(&mut connection).await?;
    Ok(connection)
}
