//! Changes of the contents of vector stores.

use std::borrow::Cow;

use serde::Serialize;

use super::kind::ChangeKind;
use crate::types::{FileBatch, Id, VectorStore};

/// Inserts a batch, as long as its store exists.
#[derive(Serialize)]
pub(super) struct InsertBatch {
    pub body: String,
    pub vector_store_id: Id<VectorStore>,
}

impl ChangeKind for InsertBatch {
    const MUST_CHANGE: bool = true;

    fn sql() -> Cow<'static, str> {
        "insert into vector_store_file_batches (session, body) select value ->> '$.session', value \
         ->> '$.body' from jsonb_each(?) where exists (select 1 from vector_stores where session = \
         value ->> '$.session' and id = value ->> '$.vector_store_id')"
            .into()
    }

    fn touches(&self) -> Vec<&str> {
        vec![self.vector_store_id.as_str()]
    }
}

/// Inserts a file into a store, as long as both exist. A file that is in the store already is
/// processed again.
#[derive(Serialize)]
pub(super) struct PutStoreFile {
    pub body: String,
    pub vector_store_id: Id<VectorStore>,
    pub batch_id: Option<Id<FileBatch>>,
}

impl ChangeKind for PutStoreFile {
    const MUST_CHANGE: bool = true;

    fn sql() -> Cow<'static, str> {
        "insert into vector_store_files (session, body, batch_id) select value ->> '$.session', \
         value ->> '$.body', value ->> '$.batch_id' from jsonb_each(?) where exists (select 1 from \
         vector_stores where session = value ->> '$.session' and id = value ->> \
         '$.vector_store_id') and exists (select 1 from files where session = value ->> \
         '$.session' and id = value ->> '$.id') on conflict (session, vector_store_id, id) do \
         update set body = excluded.body, batch_id = excluded.batch_id, attempt = attempt + 1, \
         chunks = 0, words = 0"
            .into()
    }

    fn touches(&self) -> Vec<&str> {
        vec![self.vector_store_id.as_str()]
    }
}

/// Removes a file from a store.
#[derive(Serialize)]
pub(super) struct DeleteStoreFile {
    pub vector_store_id: Id<VectorStore>,
}

impl ChangeKind for DeleteStoreFile {
    const MUST_CHANGE: bool = true;

    fn sql() -> Cow<'static, str> {
        "delete from vector_store_files where seq in (select it.seq from jsonb_each(?) cross join \
         vector_store_files as it where it.session = value ->> '$.session' and it.vector_store_id \
         = value ->> '$.vector_store_id' and it.id = value ->> '$.id')"
            .into()
    }

    fn touches(&self) -> Vec<&str> {
        vec![self.vector_store_id.as_str()]
    }
}

/// Cancels the files of a batch that are not ready yet.
#[derive(Serialize)]
pub(super) struct CancelBatch;

impl ChangeKind for CancelBatch {
    fn sql() -> Cow<'static, str> {
        "update vector_store_files set body = json_set(body, '$.status', 'cancelled') from \
         jsonb_each(?) where session = value ->> '$.session' and batch_id = value ->> '$.id' and \
         status = 'in_progress'"
            .into()
    }
}

/// The extra condition of an attachment: the message or the run that is written with it exists.
const NEEDS: &str = "(value ->> '$.needs' is null or exists (select 1 from messages where session = \
                     value ->> '$.session' and id = value ->> '$.needs') or exists (select 1 from \
                     runs where session = value ->> '$.session' and id = value ->> '$.needs'))";

/// Inserts the store for attachments, as long as their message or run is written.
#[derive(Serialize)]
pub(super) struct AttachStore {
    pub body: String,
    pub needs: Option<String>,
}

impl ChangeKind for AttachStore {
    fn sql() -> Cow<'static, str> {
        format!(
            "insert into vector_stores (session, body) select value ->> '$.session', value ->> \
             '$.body' from jsonb_each(?) where {NEEDS}"
        )
        .into()
    }

    fn touches(&self) -> Vec<&str> {
        self.needs.as_deref().into_iter().collect()
    }
}

/// Inserts an attached file, as long as the file exists and its message or run is written.
#[derive(Serialize)]
pub(super) struct AttachFile {
    pub body: String,
    pub vector_store_id: Id<VectorStore>,
    pub needs: Option<String>,
}

impl ChangeKind for AttachFile {
    fn sql() -> Cow<'static, str> {
        format!(
            "insert into vector_store_files (session, body) select value ->> '$.session', value \
             ->> '$.body' from jsonb_each(?) where exists (select 1 from vector_stores where \
             session = value ->> '$.session' and id = value ->> '$.vector_store_id') and exists \
             (select 1 from files where session = value ->> '$.session' and id = value ->> '$.id') \
             and {NEEDS} on conflict do nothing"
        )
        .into()
    }

    fn touches(&self) -> Vec<&str> {
        vec![self.vector_store_id.as_str()]
    }
}

/// Gives files to a thread, as long as the thread is unchanged and their message or run is written.
#[derive(Serialize)]
pub(super) struct GiveFiles {
    pub body: String,
    pub was: String,
    pub needs: Option<String>,
}

impl ChangeKind for GiveFiles {
    const MUST_CHANGE: bool = true;

    fn sql() -> Cow<'static, str> {
        format!(
            "update threads set body = value ->> '$.body' from jsonb_each(?) where session = value \
             ->> '$.session' and threads.id = value ->> '$.id' and body = value ->> '$.was' and \
             {NEEDS}"
        )
        .into()
    }
}
