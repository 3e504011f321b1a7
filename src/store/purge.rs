//! Removes data that nobody can read any more, in the background: sessions that were reset, and
//! children of deleted objects. It removes a few rows at a time, so that nobody waits long for the
//! writer.

use std::sync::{Arc, Weak};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    copying::TABLES,
    database::{Database, DeletedParent, Gone},
    deleted_parents,
    error::Result,
};

/// The number of rows that are removed at a time.
pub(super) const STRIDE: i64 = 400;

/// Starts the task. It ends when the database is dropped.
pub(super) fn start(database: &Arc<Database>, mut gone: mpsc::UnboundedReceiver<Gone>) {
    let database = Arc::downgrade(database);
    tokio::spawn(async move {
        while let Some(gone) = gone.recv().await {
            let what = gone.to_string();
            let purged = match gone {
                Gone::Session(key) => purge_session(&database, key).await,
                Gone::Children(of) => purge_children(&database, &of).await,
                Gone::Told(told) => {
                    _ = told.send(());
                    Ok(())
                }
            };
            if let Err(error) = purged {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot remove the rest of {what}; it stays until the next start"
                );
            }
        }
    });
}

/// Removes a session, if nobody can enter it. A session that was only dropped from memory keeps its
/// row.
async fn purge_session(database: &Weak<Database>, key: i64) -> Result<()> {
    let sql = "select exists (select 1 from sessions where key = ? and name like '/%')";
    let is_hidden: bool = {
        let Some(database) = database.upgrade() else { return Ok(()) };
        sqlx::query_scalar(sql).bind(key).fetch_one(&mut *database.reader().await?).await?
    };
    if !is_hidden {
        return Ok(());
    }
    // The delete of a file deletes its chunks, perhaps thousands, so these are deleted first.
    let chunks = format!(
        "delete from chunks where key in (select it.key from sessions cross join \
         vector_store_files as file on file.session = sessions.key cross join chunks as it on \
         it.key >= file.seq << 20 and it.key < (file.seq + 1) << 20 where sessions.key = ?1 and \
         name like '/%' limit {STRIDE})"
    );
    let rows = TABLES.iter().map(|(table, ..)| {
        format!(
            "delete from {table} where seq in (select it.seq from {table} as it join sessions on \
             key = it.session where it.session = ?1 and sessions.name like '/%' limit \
             {STRIDE})"
        )
    });
    for sql in [chunks].into_iter().chain(rows) {
        in_strides(database, &sql, &[json!(key)]).await?;
    }
    let Some(database) = database.upgrade() else { return Ok(()) };
    let end = "delete from sessions where key = ?1 and name like '/%'";
    database.writer().exclusive(vec![(end.to_owned(), vec![json!(key)])]).await?;
    database.bury_the_dead().await
}

/// Removes the remaining children of an object.
async fn purge_children(database: &Weak<Database>, of: &DeletedParent) -> Result<()> {
    let bound = [json!(of.session), json!(of.id)];
    for sql in deleted_parents::removals(&of.kind, STRIDE) {
        in_strides(database, &sql, &bound).await?;
    }
    let Some(database) = database.upgrade() else { return Ok(()) };
    database.writer().exclusive(vec![(deleted_parents::FORGET.to_owned(), bound.to_vec())]).await?;
    Ok(())
}

/// Repeats a statement that removes so many rows, until it removes fewer.
async fn in_strides(database: &Weak<Database>, sql: &str, bound: &[Value]) -> Result<()> {
    loop {
        // Between two strides, others may write, and the server may stop.
        let Some(database) = database.upgrade() else { return Ok(()) };
        let removed = database.writer().exclusive(vec![(sql.to_owned(), bound.to_vec())]).await?;
        if removed < STRIDE.unsigned_abs() {
            return Ok(());
        }
    }
}
