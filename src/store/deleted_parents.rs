//! Deletes objects that have very many children. The object is deleted at once, and its children
//! later in small pieces, so that nobody waits long for the writer.
//!
//! The note in the table `deleted_parents` and the delete of the object are one transaction. After
//! that, nobody reads the children, and a restart continues with the remaining ones.

use serde_json::json;
use tokio::sync::oneshot;

use super::{
    Deletable, Store,
    database::{Database, DeletedParent, Gone},
    error::Result,
    events::StoreEvent,
    table::Stored,
};
use crate::types::{Conversation, Id, Response, Thread, VectorStore};

/// The minimum number of children of an object that is deleted before its children.
const MANY: i64 = 2_000;

/// Deletes the note of an object whose children are deleted.
pub(super) const FORGET: &str = "delete from deleted_parents where session = ?1 and id = ?2";

/// The query for the number of children of an object, if it may have many.
fn size(table: &str) -> Option<String> {
    let at_most = |children: &str, column: &str| {
        format!(
            "(select count(*) from (select 1 from {children} where session = ?1 and {column} = ?2 \
             limit {MANY}))"
        )
    };
    match table {
        Thread::TABLE => Some(format!(
            "select {} + {}",
            at_most("messages", "thread_id"),
            at_most("runs", "thread_id")
        )),
        Conversation::TABLE => {
            Some(format!("select {}", at_most("conversation_items", "conversation_id")))
        }
        Response::TABLE => Some(format!("select {}", at_most("response_items", "response_id"))),
        VectorStore::TABLE => Some(format!(
            "select {} + coalesce((select chunks from vector_stores where session = ?1 and id = \
             ?2), 0)",
            at_most("vector_store_files", "vector_store_id")
        )),
        _ => None,
    }
}

/// The statements that delete so many children at a time, grandchildren before children.
pub(super) fn removals(kind: &str, at_a_time: i64) -> Vec<String> {
    let steps = format!(
        "delete from run_steps where seq in (select it.seq from runs cross join run_steps as it on \
         it.session = runs.session and it.run_id = runs.id where runs.session = ?1 and \
         runs.thread_id = ?2 limit {at_a_time})"
    );
    let chunks = format!(
        "delete from chunks where key in (select it.key from vector_store_files as file cross join \
         chunks as it on it.key >= file.seq << 20 and it.key < (file.seq + 1) << 20 where \
         file.session = ?1 and file.vector_store_id = ?2 limit {at_a_time})"
    );
    let children = |table: &str, column: &str| {
        format!(
            "delete from {table} where seq in (select seq from {table} where session = ?1 and \
             {column} = ?2 limit {at_a_time})"
        )
    };
    match kind {
        Thread::TABLE => {
            vec![steps, children("messages", "thread_id"), children("runs", "thread_id")]
        }
        Conversation::TABLE => vec![children("conversation_items", "conversation_id")],
        Response::TABLE => vec![children("response_items", "response_id")],
        _ => {
            let column = "vector_store_id";
            let [files, batches] = ["vector_store_files", "vector_store_file_batches"];
            vec![chunks, children(files, column), children(batches, column)]
        }
    }
}

impl Database {
    /// Deletes the remaining children of objects that were deleted before a start.
    pub(super) async fn purge_deleted_parents(&self) -> Result<()> {
        let query = sqlx::query_as("select session, kind, id from deleted_parents");
        for (session, kind, id) in query.fetch_all(&mut *self.reader().await?).await? {
            _ = self.purge.send(Gone::Children(DeletedParent { session, kind, id }));
        }
        Ok(())
    }
}

impl Store {
    /// Whether an object has so many children that they are deleted later.
    pub(super) async fn has_many_children<T: Deletable>(&self, id: &Id<T>) -> Result<bool> {
        let Some(sql) = size(T::TABLE) else { return Ok(false) };
        let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(self.session);
        let children: i64 =
            query.bind(id.as_str()).fetch_one(&mut *self.database.reader().await?).await?;
        Ok(children >= MANY)
    }

    /// Waits until the children of deleted objects are gone. Otherwise a new object with the id of
    /// a deleted one would lose its children, too.
    pub async fn purged(&self) -> Result<()> {
        let sql = "select exists (select 1 from deleted_parents where session = ?)";
        let query = sqlx::query_scalar(sql).bind(self.session);
        if query.fetch_one(&mut *self.database.reader().await?).await? {
            let (told, purged) = oneshot::channel();
            _ = self.database.purge.send(Gone::Told(told));
            _ = purged.await;
        }
        Ok(())
    }

    /// Deletes an object, and leaves its children to the purge. Returns whether it existed.
    pub(super) async fn delete_before_children<T: Deletable>(&self, id: &Id<T>) -> Result<bool> {
        let (table, bound) = (T::TABLE, vec![json!(self.session), json!(id.as_str())]);
        let note = format!(
            "insert or ignore into deleted_parents (session, id, kind) select session, id, \
             '{table}' from {table} where session = ?1 and id = ?2"
        );
        let delete = format!("delete from {table} where session = ?1 and id = ?2");
        let statements = vec![(note, bound.clone()), (delete, bound)];
        if self.database.writer().orphan(statements).await? == 0 {
            return Ok(false);
        }
        let event = StoreEvent::Deleted { resource: T::EVENTS, id: id.to_string() };
        self.bus.publish(&event.name(), || event.data());
        let (session, kind, id) = (self.session, table.to_owned(), id.to_string());
        _ = self.database.purge.send(Gone::Children(DeletedParent { session, kind, id }));
        Ok(true)
    }
}
