//! Copies all objects of a session into another that nobody can enter, in small pieces.
//!
//! Nobody writes to the session during this time: a snapshot blocks its writes, and nobody writes
//! to a snapshot. Other sessions write between two pieces.

use serde_json::{Value, json};

use super::{
    database::{Database, Gone},
    error::Result,
    table::parent_exists,
};

/// The tables with rows of a session, children before parents. Each has its columns and the values
/// for the copy. A searchable file is processed again, because its words are marked with its store.
pub(super) const TABLES: [(&str, &str, &str); 18] = [
    ("response_items", "response_id, is_output, body", "response_id, is_output, body"),
    ("responses", RESPONSE, RESPONSE),
    ("continuations", "id, body", "id, body"),
    ("conversation_items", "conversation_id, number, body", "conversation_id, number, body"),
    ("conversations", "body, turn, last", "body, turn, last"),
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
    ("container_files", "body, blob", "body, blob"),
    ("containers", "body", "body"),
    ("files", "body, blob", "body, blob"),
    ("threads", "body", "body"),
    ("assistants", "body", "body"),
];

const RESPONSE: &str = "body, turn, setting, performance, stream";

/// Triggers maintain the counts, so the counts of a copy start at zero.
const UNCOUNTED: &str = "json_replace(body, '$.file_counts.in_progress', 0, \
                         '$.file_counts.completed', 0, '$.file_counts.failed', 0, \
                         '$.file_counts.cancelled', 0, '$.file_counts.total', 0, '$.usage_bytes', \
                         0)";

/// The number of rows in one piece. It is small, so that nobody waits long for the writer.
const PIECE: usize = 400;

/// The rows of a table to copy, without the children of deleted parents.
fn rows_of(table: &str) -> String {
    let living = match table {
        "run_steps" | "messages" | "runs" => parent_exists(table, "thread_id"),
        "conversation_items" => parent_exists(table, "conversation_id"),
        "response_items" => parent_exists(table, "response_id"),
        "vector_store_files" | "vector_store_file_batches" => {
            parent_exists(table, "vector_store_id")
        }
        _ => "true".to_owned(),
    };
    format!("select seq from {table} where session = ? and {living} order by seq")
}

impl Database {
    /// Copies a session into a new one with this name. Returns its key. An incomplete copy is
    /// removed.
    pub(super) async fn copy_session(&self, from: i64, name: &str) -> Result<i64> {
        let made =
            "insert into sessions (name, starts) select ?2, starts from sessions where key = ?1";
        let bound = vec![json!(from), json!(name)];
        self.writer().exclusive(vec![(made.to_owned(), bound)]).await?;
        let query = sqlx::query_scalar("select key from sessions where name = ?").bind(name);
        let to = query.fetch_one(&mut *self.reader().await?).await?;
        let copied = self.copy_objects(from, to).await;
        copied.inspect_err(|_| _ = self.purge.send(Gone::Session(to)))?;
        Ok(to)
    }

    async fn copy_objects(&self, from: i64, to: i64) -> Result<()> {
        for (table, columns, values) in TABLES.iter().rev() {
            let query = sqlx::query_scalar(sqlx::AssertSqlSafe(rows_of(table))).bind(from);
            let rows: Vec<i64> = query.fetch_all(&mut *self.reader().await?).await?;
            let copy = format!(
                "insert into {table} (session, {columns}) select ?1, {values} from {table} where \
                 seq in (select value from json_each(?2)) order by seq"
            );
            self.copy_pieces(&copy, to, rows.into_iter().map(Value::from).collect()).await?;
        }
        let query = sqlx::query_as("select file_id, owner from tool_files where session = ?");
        let notes: Vec<(String, String)> =
            query.bind(from).fetch_all(&mut *self.reader().await?).await?;
        let notes =
            notes.into_iter().map(|(file_id, owner)| json!({"file_id": file_id, "owner": owner}));
        let copy = "insert into tool_files select ?1, value ->> '$.file_id', value ->> '$.owner' \
                    from json_each(?2)";
        self.copy_pieces(copy, to, notes.collect()).await
    }

    /// Copies rows. The statement takes them as an array.
    async fn copy_pieces(&self, copy: &str, to: i64, rows: Vec<Value>) -> Result<()> {
        for piece in rows.chunks(PIECE) {
            let bound = vec![json!(to), json!(Value::from(piece).to_string())];
            self.writer().exclusive(vec![(copy.to_owned(), bound)]).await?;
        }
        Ok(())
    }
}
