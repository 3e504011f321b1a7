//! Changes of the index: the processing of a file, as long as somebody still waits for it.

use std::borrow::Cow;

use serde::Serialize;

use super::kind::ChangeKind;
use crate::types::store_file::IngestError;

/// Deletes the chunks that an earlier attempt at a file has left.
#[derive(Serialize)]
pub(super) struct ClearChunks {
    pub file: i64,
    pub attempt: i64,
}

impl ChangeKind for ClearChunks {
    fn sql() -> Cow<'static, str> {
        "delete from chunks where key in (select it.key from jsonb_each(?) cross join \
         vector_store_files as file cross join chunks as it where file.seq = value ->> '$.file' \
         and file.attempt = value ->> '$.attempt' and file.status = 'in_progress' and it.key >= \
         file.seq << 20 and it.key < (file.seq + 1) << 20)"
            .into()
    }
}

#[derive(Serialize)]
pub(super) struct InsertChunk {
    pub file: i64,
    pub attempt: i64,
    pub key: i64,
    pub start: usize,
    pub words: usize,
    pub text: String,
}

impl ChangeKind for InsertChunk {
    fn sql() -> Cow<'static, str> {
        "insert into chunks (key, start, words, text) select value ->> '$.key', value ->> \
         '$.start', value ->> '$.words', value ->> '$.text' from jsonb_each(?) where exists (select \
         1 from vector_store_files where seq = value ->> '$.file' and attempt = value ->> \
         '$.attempt' and status = 'in_progress')"
            .into()
    }
}

/// The words of a chunk, grouped by their count in it.
#[derive(Serialize)]
pub(super) struct IndexChunk {
    pub file: i64,
    pub attempt: i64,
    pub key: i64,
    pub once: String,
    pub twice: String,
    pub thrice: String,
    pub often: String,
}

impl ChangeKind for IndexChunk {
    fn sql() -> Cow<'static, str> {
        "insert into chunk_words (rowid, once, twice, thrice, often) select value ->> '$.key', \
         value ->> '$.once', value ->> '$.twice', value ->> '$.thrice', value ->> '$.often' from \
         jsonb_each(?) where exists (select 1 from vector_store_files where seq = value ->> \
         '$.file' and attempt = value ->> '$.attempt' and status = 'in_progress')"
            .into()
    }
}

/// Ends the processing of a file, with success or not, unless it has ended already.
#[derive(Serialize)]
pub(super) struct FinishStoreFile {
    pub file: i64,
    pub attempt: i64,
    pub chunks: usize,
    pub words: usize,
    pub status: &'static str,
    pub bytes: usize,
    pub last_error: Option<IngestError>,
}

impl ChangeKind for FinishStoreFile {
    const MUST_CHANGE: bool = true;

    fn sql() -> Cow<'static, str> {
        "update vector_store_files set chunks = value ->> '$.chunks', words = value ->> \
         '$.words', body = json_set(body, '$.status', value ->> '$.status', '$.usage_bytes', value \
         ->> '$.bytes', '$.last_error', value -> '$.last_error') from jsonb_each(?) where \
         vector_store_files.seq = value ->> '$.file' and attempt = value ->> '$.attempt' and \
         status = 'in_progress'"
            .into()
    }
}
