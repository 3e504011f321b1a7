//! The table of each resource, and how its rows are read.

use futures_util::TryStreamExt;
use serde_json::Value;
use sqlx::{
    Either, Executor, Sqlite, SqliteConnection,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};

use super::error::{Result, StoreError};
use crate::types::{
    Assistant, Container, ContainerFile, Conversation, File, FileBatch, Item, Message, Resource,
    Response, Run, Step, StoreFile, Thread, Upload, UploadPart, VectorStore,
};

/// A resource with a table. Its parent columns have the names from `Resource::PATH`.
pub trait Stored: Resource {
    const TABLE: &'static str;
}

impl Stored for Assistant {
    const TABLE: &'static str = "assistants";
}

impl Stored for Thread {
    const TABLE: &'static str = "threads";
}

impl Stored for Message {
    const TABLE: &'static str = "messages";
}

impl Stored for Run {
    const TABLE: &'static str = "runs";
}

impl Stored for Step {
    const TABLE: &'static str = "run_steps";
}

impl Stored for Response {
    const TABLE: &'static str = "responses";
}

impl Stored for Conversation {
    const TABLE: &'static str = "conversations";
}

impl Stored for Item {
    const TABLE: &'static str = "conversation_items";
}

impl Stored for Container {
    const TABLE: &'static str = "containers";
}

impl Stored for ContainerFile {
    const TABLE: &'static str = "container_files";
}

impl Stored for File {
    const TABLE: &'static str = "files";
}

impl Stored for Upload {
    const TABLE: &'static str = "uploads";
}

impl Stored for UploadPart {
    const TABLE: &'static str = "upload_parts";
}

impl Stored for VectorStore {
    const TABLE: &'static str = "vector_stores";
}

impl Stored for StoreFile {
    const TABLE: &'static str = "vector_store_files";
}

impl Stored for FileBatch {
    const TABLE: &'static str = "vector_store_file_batches";
}

/// A condition on the rows of a table: the parent in this column was not deleted before the row.
pub(super) fn parent_exists(table: &str, parent: &str) -> String {
    format!(
        "not exists (select 1 from deleted_parents as gone where gone.session = {table}.session \
         and gone.id = {table}.{parent})"
    )
}

/// The rows of one statement. Unlike `fetch_all`, this does not wait for the end of the results,
/// which is another turn of the connection's thread.
pub(super) async fn rows_of(
    query: Query<'_, Sqlite, SqliteArguments>,
    connection: &mut SqliteConnection,
) -> Result<Vec<SqliteRow>, sqlx::Error> {
    let (mut rows, mut results) = (Vec::new(), connection.fetch_many(query));
    while let Some(Either::Right(row)) = results.try_next().await? {
        rows.push(row);
    }
    Ok(rows)
}

/// Reads the body of a row.
pub(super) fn parse<T: Stored>(body: &str) -> Result<T> {
    serde_json::from_str(body).map_err(|source| {
        let id = serde_json::from_str::<Value>(body).ok();
        let id = id.and_then(|body| body["id"].as_str().map(str::to_owned));
        corrupt::<T>(id.unwrap_or_default(), source)
    })
}

pub(super) fn corrupt<T: Stored>(id: String, source: serde_json::Error) -> StoreError {
    StoreError::Corrupt { table: T::TABLE, id, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corrupt_row_is_named_with_its_table() {
        let error = parse::<Thread>(r#"{"id": "thread_1", "object": "thread"}"#).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(error.to_string().ends_with("thread_1 in threads"), "{error}");
        assert!(cause.contains("missing field"), "{cause}");
    }
}
