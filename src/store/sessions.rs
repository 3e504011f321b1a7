//! Sessions as a whole: entered, begun anew, kept as snapshots and brought back, and what is left
//! of them removed.
//!
//! A session that nobody can enter has a name that begins with `/`: one that was reset, whose
//! objects go a few at a time, and those that hold the objects of snapshots.

use std::{
    collections::HashSet,
    sync::{Arc, Weak},
};

use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::{Changes, Database, Result, Store, database::NOBODY, writer::Statement};
use crate::{clock, event_bus::EventBus, types::Timestamp};

/// The tables in which a session has rows, children before parents, with the columns that are
/// copied and how. A file that was searchable is made so again, because its words are marked with
/// the store that it is in.
const TABLES: [(&str, &str, &str); 11] = [
    ("run_steps", "body", "body"),
    ("messages", "body", "body"),
    ("runs", "body, turn, performance", "body, turn, performance"),
    (
        "vector_store_files",
        "body, batch_id",
        "iif(status = 'completed', json_set(body, '$.status', 'in_progress', '$.usage_bytes', 0), \
         body), batch_id",
    ),
    ("vector_store_file_batches", "body", UNCOUNTED),
    ("vector_stores", "body", UNCOUNTED),
    ("upload_parts", "body, blob, bytes", "body, blob, bytes"),
    ("uploads", "body", "body"),
    ("files", "body, blob", "body, blob"),
    ("threads", "body", "body"),
    ("assistants", "body", "body"),
];

/// Counts are kept by triggers, so those of a copy begin at zero.
const UNCOUNTED: &str = "json_replace(body, '$.file_counts.in_progress', 0, \
                         '$.file_counts.completed', 0, '$.file_counts.failed', 0, \
                         '$.file_counts.cancelled', 0, '$.file_counts.total', 0, '$.usage_bytes', \
                         0)";

/// How many rows are removed at a time, so that nobody waits long for the writer.
const STRIDE: i64 = 400;

/// A snapshot, but for the objects in it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub name: String,
    pub created_at: Timestamp,
    /// What is not an object, as JSON.
    pub state: String,
    key: i64,
}

impl Snapshot {
    /// The snapshot as people see it.
    pub fn to_json(&self) -> Value {
        json!({"object": "snapshot", "name": self.name, "created_at": self.created_at})
    }
}

/// A row that is to become a session's.
pub struct Prepared {
    pub store: Store,
    pub name: String,
}

/// One stay of a session at its row. When it is over what is in it is removed; a task that is being
/// stopped may still write to it, and what it writes goes too.
pub struct RowLease {
    database: Arc<Database>,
    key: i64,
}

impl Drop for RowLease {
    fn drop(&mut self) {
        // It is another's, or gone already, if this fails.
        _ = self.database.purge.send(self.key);
    }
}

/// Removes what is left of sessions, in the background.
pub(super) fn start_purging(database: &Arc<Database>, mut keys: mpsc::UnboundedReceiver<i64>) {
    let database = Arc::downgrade(database);
    tokio::spawn(async move {
        while let Some(key) = keys.recv().await {
            if let Err(error) = purge(&database, key).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what is left of a session stays until the next start"
                );
            }
        }
    });
}

/// Removes a session, if nobody can enter it. One that only left the memory keeps its row.
async fn purge(database: &Weak<Database>, key: i64) -> Result<()> {
    let sql = "select exists (select 1 from sessions where key = ? and name like '/%')";
    let is_hidden: bool = {
        let Some(database) = database.upgrade() else { return Ok(()) };
        sqlx::query_scalar(sql).bind(key).fetch_one(&mut *database.reader().await?).await?
    };
    if !is_hidden {
        return Ok(());
    }
    // A file takes its chunks along, thousands perhaps, so these go first.
    let chunks = format!(
        "delete from chunks where key in (select it.key from sessions cross join \
         vector_store_files as file on file.session = sessions.key cross join chunks as it on \
         it.key >= file.seq << 20 and it.key < (file.seq + 1) << 20 where sessions.key = ?1 and \
         name like '/%' limit {STRIDE})"
    );
    let rows = TABLES.iter().map(|(table, ..)| {
        format!(
            "delete from {table} where seq in (select it.seq from {table} as it join sessions on \
             key = it.session where it.session = ?1 and name like '/%' limit {STRIDE})"
        )
    });
    for sql in [chunks].into_iter().chain(rows) {
        loop {
            // Between two strides others may write, and the server may end.
            let Some(database) = database.upgrade() else { return Ok(()) };
            if database.writer().exclusive(vec![(sql.clone(), vec![json!(key)])]).await?
                < STRIDE.unsigned_abs()
            {
                break;
            }
        }
    }
    let Some(database) = database.upgrade() else { return Ok(()) };
    let end = "delete from sessions where key = ?1 and name like '/%'";
    database.writer().exclusive(vec![(end.to_owned(), vec![json!(key)])]).await?;
    database.bury_the_dead().await
}

/// Gives a session's name to another row, and leaves the one that had it to whoever removes what is
/// left of them.
fn hand_over(name: &str, from: &str) -> Vec<Statement> {
    let rename = "update sessions set name = ?1 where name = ?2";
    vec![gone("name", json!(name)), (rename.to_owned(), vec![json!(name), json!(from)])]
}

/// A name for a row that is yet to become somebody's.
fn hidden_name() -> String {
    format!("/new-{}", clock::random_name())
}

/// Copies all objects of a session into another, which is made.
fn copy(from: i64, to: &str) -> Vec<Statement> {
    let made = "insert into sessions (name, starts) select ?2, starts from sessions where key = ?1";
    let notes = "insert into tool_files select (select key from sessions where name = ?2), \
                 file_id, owner from tool_files where session = ?1";
    let objects = TABLES.iter().rev().map(|(table, columns, values)| {
        format!(
            "insert into {table} (session, {columns}) select (select key from sessions where name \
             = ?2), {values} from {table} where session = ?1 order by seq"
        )
    });
    let all = [made.to_owned()].into_iter().chain(objects).chain([notes.to_owned()]);
    all.map(|sql| (sql, vec![json!(from), json!(to)])).collect()
}

impl Database {
    /// The view of one session, made on first use, and how often a server entered it before.
    pub async fn session(self: &Arc<Self>, name: &str) -> Result<(Store, u32)> {
        self.writer().write(NOBODY, &EventBus::default(), Changes::enter_session(name)).await?;
        let query = sqlx::query_as("select key, starts from sessions where name = ?").bind(name);
        let (session, starts) = query.fetch_one(&mut *self.reader().await?).await?;
        Ok((Store { database: Arc::clone(self), session, bus: EventBus::default() }, starts))
    }

    /// The view of a session that has been used before.
    pub async fn session_called(self: &Arc<Self>, name: &str) -> Result<Option<Store>> {
        let query =
            sqlx::query_scalar("select key from sessions where name = ? and name not like '/%'")
                .bind(name);
        let session = query.fetch_optional(&mut *self.reader().await?).await?;
        Ok(session.map(|session| Store {
            database: Arc::clone(self),
            session,
            bus: EventBus::default(),
        }))
    }

    /// The names of the sessions in which something was under way: a run, or a file being made
    /// ready.
    pub async fn interrupted_sessions(&self) -> Result<Vec<String>> {
        let sql = "select name from sessions where name not like '/%' and (exists (select 1 from \
                   runs where session = key and status in ('queued', 'in_progress', \
                   'requires_action', 'cancelling')) or exists (select 1 from vector_store_files \
                   where session = key and status = 'in_progress')) order by key";
        Ok(sqlx::query_scalar(sql).fetch_all(&mut *self.reader().await?).await?)
    }

    /// The names of the sessions that hold neither objects nor snapshots.
    pub async fn empty_sessions(&self) -> Result<HashSet<String>> {
        let objects = TABLES.iter().map(|(table, ..)| {
            format!("and not exists (select 1 from {table} where session = sessions.key)")
        });
        let sql = format!(
            "select name from sessions where name not like '/%' {} and not exists (select 1 from \
             snapshots where session = sessions.name)",
            objects.collect::<Vec<_>>().join(" ")
        );
        let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql));
        let names: Vec<String> = query.fetch_all(&mut *self.reader().await?).await?;
        Ok(names.into_iter().collect())
    }

    /// Removes what is left of the sessions that were reset before a start.
    pub(super) async fn purge_the_gone(&self) -> Result<()> {
        let sql = "select key from sessions where name like '/gone-%' or name like '/new-%'";
        for key in sqlx::query_scalar(sql).fetch_all(&mut *self.reader().await?).await? {
            _ = self.purge.send(key);
        }
        Ok(())
    }

    /// A row for a session that is to begin anew, with nothing in it. Nobody can enter it until it
    /// is taken.
    pub async fn prepare(self: &Arc<Self>) -> Result<Prepared> {
        let name = hidden_name();
        let (store, _) = self.session(&name).await?;
        Ok(Prepared { store, name })
    }

    /// The same, with everything in it that a snapshot has.
    pub async fn prepare_from(self: &Arc<Self>, snapshot: &Snapshot) -> Result<Prepared> {
        let name = hidden_name();
        self.writer().exclusive(copy(snapshot.key, &name)).await?;
        let query =
            sqlx::query_scalar("select key from sessions where name = ?").bind(name.as_str());
        let session = query.fetch_one(&mut *self.reader().await?).await?;
        Ok(Prepared {
            store: Store { database: Arc::clone(self), session, bus: EventBus::default() },
            name,
        })
    }

    /// Makes a row that was prepared that of a session, in place of the one it had.
    pub async fn take(&self, session: &str, prepared: &str) -> Result<()> {
        self.writer().exclusive(hand_over(session, prepared)).await?;
        Ok(())
    }

    /// The snapshots of a session, in the order of their names.
    pub async fn snapshots(&self, session: &str) -> Result<Vec<Snapshot>> {
        let sql =
            "select name, created_at, state, key from snapshots where session = ? order by name";
        let rows: Vec<(String, i64, String, i64)> =
            sqlx::query_as(sql).bind(session).fetch_all(&mut *self.reader().await?).await?;
        let snapshot =
            |(name, at, state, key)| Snapshot { name, created_at: Timestamp(at), state, key };
        Ok(rows.into_iter().map(snapshot).collect())
    }

    pub async fn snapshot(&self, session: &str, name: &str) -> Result<Option<Snapshot>> {
        Ok(self.snapshots(session).await?.into_iter().find(|snapshot| snapshot.name == name))
    }

    /// Forgets a snapshot. Answers whether it was there.
    pub async fn forget_snapshot(&self, session: &str, name: &str) -> Result<bool> {
        let Some(snapshot) = self.snapshot(session, name).await? else { return Ok(false) };
        let forget = "delete from snapshots where session = ?1 and name = ?2";
        let statements = vec![
            gone("key", json!(snapshot.key)),
            (forget.to_owned(), vec![json!(session), json!(name)]),
        ];
        let was_there = self.writer().exclusive(statements).await? > 0;
        _ = self.purge.send(snapshot.key);
        Ok(was_there)
    }
}

/// Leaves a session to whoever removes what is left of them.
fn gone(column: &str, is: Value) -> Statement {
    (format!("update sessions set name = '/gone-' || key where {column} = ?1"), vec![is])
}

impl Store {
    /// To be dropped when nobody uses this session's row any more.
    pub fn lease(&self) -> RowLease {
        RowLease { database: Arc::clone(&self.database), key: self.session }
    }

    /// Keeps everything as it is now, in place of an earlier snapshot of the same name. Whoever
    /// writes meanwhile waits.
    pub async fn take_snapshot(
        &self,
        session: &str,
        name: &str,
        created_at: Timestamp,
        state: &str,
    ) -> Result<()> {
        let earlier = self.database.snapshot(session, name).await?;
        let hidden = format!("/snapshot-{}", clock::random_name());
        let mut statements: Vec<_> =
            earlier.iter().map(|earlier| gone("key", json!(earlier.key))).collect();
        statements.extend(copy(self.session, &hidden));
        let note = "insert or replace into snapshots (session, name, key, created_at, state) \
                    select ?1, ?2, key, ?3, ?4 from sessions where name = ?5";
        let bound =
            vec![json!(session), json!(name), json!(created_at.0), json!(state), json!(hidden)];
        statements.push((note.to_owned(), bound));
        self.database.writer().exclusive(statements).await?;
        if let Some(earlier) = earlier {
            _ = self.database.purge.send(earlier.key);
        }
        Ok(())
    }

    /// How many objects there are of each kind.
    pub async fn counts(&self) -> Result<Map<String, Value>> {
        const COUNTED: [&str; 8] = [
            "assistants",
            "threads",
            "messages",
            "runs",
            "run_steps",
            "files",
            "uploads",
            "vector_stores",
        ];
        let each = COUNTED.map(|table| format!("select count(*) from {table} where session = ?1"));
        let sql = each.join(" union all ");
        let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(self.session);
        let counts: Vec<i64> = query.fetch_all(&mut *self.database.reader().await?).await?;
        Ok(COUNTED
            .into_iter()
            .map(str::to_owned)
            .zip(counts.into_iter().map(Value::from))
            .collect())
    }
}
