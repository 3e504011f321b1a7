//! Operations on whole sessions: enter, reset, keep as a snapshot, restore, and remove what is
//! left.
//!
//! A session that nobody can enter has a name that begins with `/`. That is a session that was
//! reset, whose objects are removed a few at a time, or one that holds the objects of a snapshot.

use std::{collections::HashSet, sync::Arc};

use serde_json::{Map, Value, json};

use super::{
    Changes, Database, Result, Store,
    copying::TABLES,
    database::{Gone, NOBODY},
    table::parent_exists,
    writer::Statement,
};
use crate::{clock, event_bus::EventBus, types::Timestamp};

/// A snapshot, without its objects.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub name: String,
    pub created_at: Timestamp,
    /// All data but objects, as JSON.
    pub state: String,
    key: i64,
}

impl Snapshot {
    /// The snapshot as people see it.
    pub fn to_json(&self) -> Value {
        json!({"object": "snapshot", "name": self.name, "created_at": self.created_at})
    }
}

/// A row for a session that gets it later.
pub struct Prepared {
    pub store: Store,
    pub name: String,
}

/// One use of a row by a session. At its end the contents of the row are removed. A task that is
/// being stopped may still write to the row; that is removed too.
pub struct RowLease {
    database: Arc<Database>,
    key: i64,
}

impl Drop for RowLease {
    fn drop(&mut self) {
        // It is another's, or gone already, if this fails.
        _ = self.database.purge.send(Gone::Session(self.key));
    }
}

/// Gives a session's name to another row, and marks the row that had it for removal.
fn hand_over(name: &str, from: &str) -> Vec<Statement> {
    let rename = "update sessions set name = ?1 where name = ?2";
    vec![gone("name", json!(name)), (rename.to_owned(), vec![json!(name), json!(from)])]
}

/// A name for a row that no session has yet.
fn hidden_name() -> String {
    format!("/new-{}", clock::random_name())
}

impl Database {
    /// The view of one session, created on first use, and how often a server entered it before.
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

    /// The names of the sessions in which something was in progress: a run, or the preparation of a
    /// file.
    pub async fn interrupted_sessions(&self) -> Result<Vec<String>> {
        let living = parent_exists("runs", "thread_id");
        let sql = format!(
            "select name from sessions where name not like '/%' and (exists (select 1 from runs \
             where session = key and status in ('queued', 'in_progress', 'requires_action', \
             'cancelling') and {living}) or exists (select 1 from responses where session = key \
             and setting is not null) or exists (select 1 from vector_store_files where session \
             = key and status = 'in_progress')) order by key"
        );
        let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql));
        Ok(query.fetch_all(&mut *self.reader().await?).await?)
    }

    /// How many bytes the database has, without the contents of files.
    pub async fn size(&self) -> Result<u64> {
        let sql = "select page_count * page_size from pragma_page_count(), pragma_page_size()";
        let size: i64 = sqlx::query_scalar(sql).fetch_one(&mut *self.reader().await?).await?;
        Ok(size.unsigned_abs())
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

    /// Removes the remains of sessions that were reset before this start.
    pub(super) async fn purge_the_gone(&self) -> Result<()> {
        let sql = "select key from sessions where name like '/gone-%' or name like '/new-%'";
        for key in sqlx::query_scalar(sql).fetch_all(&mut *self.reader().await?).await? {
            _ = self.purge.send(Gone::Session(key));
        }
        Ok(())
    }

    /// An empty row for a session that is about to be reset. Nobody can enter it until a session
    /// takes it.
    pub async fn prepare(self: &Arc<Self>) -> Result<Prepared> {
        let name = hidden_name();
        let (store, _) = self.session(&name).await?;
        Ok(Prepared { store, name })
    }

    /// The same, with all objects of a snapshot.
    pub async fn prepare_from(self: &Arc<Self>, snapshot: &Snapshot) -> Result<Prepared> {
        let name = hidden_name();
        let session = self.copy_session(snapshot.key, &name).await?;
        Ok(Prepared {
            store: Store { database: Arc::clone(self), session, bus: EventBus::default() },
            name,
        })
    }

    /// Gives a prepared row to a session, in place of the one that it had.
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

    /// Deletes a snapshot. Returns whether it existed.
    pub async fn forget_snapshot(&self, session: &str, name: &str) -> Result<bool> {
        let Some(snapshot) = self.snapshot(session, name).await? else { return Ok(false) };
        let forget = "delete from snapshots where session = ?1 and name = ?2";
        let statements = vec![
            gone("key", json!(snapshot.key)),
            (forget.to_owned(), vec![json!(session), json!(name)]),
        ];
        let was_there = self.writer().exclusive(statements).await? > 0;
        _ = self.purge.send(Gone::Session(snapshot.key));
        Ok(was_there)
    }
}

/// Marks a session for removal.
fn gone(column: &str, is: Value) -> Statement {
    (format!("update sessions set name = '/gone-' || key where {column} = ?1"), vec![is])
}

impl Store {
    /// Drop this when nobody uses this session's row any more.
    pub fn lease(&self) -> RowLease {
        RowLease { database: Arc::clone(&self.database), key: self.session }
    }

    /// Saves everything as it is now, in place of an earlier snapshot of the same name. Other
    /// writes to this session wait meanwhile.
    pub async fn take_snapshot(
        &self,
        session: &str,
        name: &str,
        created_at: Timestamp,
        state: &str,
    ) -> Result<()> {
        let held = self.database.writer().hold(self.session).await?;
        let hidden = hidden_name();
        let key = self.database.copy_session(self.session, &hidden).await?;
        drop(held);
        let earlier = self.database.snapshot(session, name).await?;
        let mut statements: Vec<_> =
            earlier.iter().map(|earlier| gone("key", json!(earlier.key))).collect();
        let kept = "update sessions set name = '/snapshot-' || key where key = ?1";
        statements.push((kept.to_owned(), vec![json!(key)]));
        let note = "insert or replace into snapshots (session, name, key, created_at, state) \
                    values (?1, ?2, ?3, ?4, ?5)";
        let bound =
            vec![json!(session), json!(name), json!(key), json!(created_at.0), json!(state)];
        statements.push((note.to_owned(), bound));
        if let Err(error) = self.database.writer().exclusive(statements).await {
            _ = self.database.purge.send(Gone::Session(key));
            return Err(error);
        }
        if let Some(earlier) = earlier {
            _ = self.database.purge.send(Gone::Session(earlier.key));
        }
        Ok(())
    }

    /// How many objects there are of each kind.
    pub async fn counts(&self) -> Result<Map<String, Value>> {
        const COUNTED: [&str; 11] = [
            "assistants",
            "threads",
            "messages",
            "runs",
            "run_steps",
            "files",
            "uploads",
            "vector_stores",
            "responses",
            "conversations",
            "containers",
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
