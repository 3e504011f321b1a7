//! The kinds of changes, each one SQL statement with its condition.
//!
//! A statement takes any number of rows, given as one JSON array, so a batch of a thousand writes
//! is a handful of statements, and all of them go to SQLite in one command. Kinds run in the order
//! in which they are listed, which is that of the references between tables.

use super::table::Stored;
use crate::types::{Assistant, File, Message, Run, StoreFile, Thread, Upload, VectorStore};

macro_rules! kinds {
    ($($name:ident),* $(,)?) => {
        /// One kind of change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Kind { $($name),* }

        impl Kind {
            pub(super) const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

kinds![
    EnterSession,
    InsertFile,
    InsertUpload,
    InsertPart,
    InsertVectorStore,
    InsertBatch,
    InsertAssistant,
    InsertThread,
    InsertRun,
    AddMessage,
    InsertMessage,
    UpdateMessage,
    UpdateRun,
    PutStep,
    PutStoreFile,
    NoteToolFile,
    ClearChunks,
    InsertChunk,
    IndexChunk,
    FinishStoreFile,
    CancelBatch,
    SwapAssistant,
    SwapThread,
    SwapMessage,
    SwapRun,
    SwapUpload,
    SwapVectorStore,
    SwapStoreFile,
    DetachFromAssistants,
    DetachFromThreads,
    DeleteAssistant,
    DeleteThread,
    DeleteMessage,
    DeleteParts,
    DeleteStoreFile,
    DeleteVectorStore,
    DeleteFile,
    BuryBlob,
];

impl Kind {
    /// The statement. Its one parameter is an array of rows; a row is an array that begins with the
    /// session and the id.
    pub(super) fn sql(self) -> String {
        let told = self as u8;
        let told =
            if self.tells() { format!(" returning {told}, session, id") } else { String::new() };
        let statement = match self {
            Self::EnterSession => {
                "insert into sessions (name) select value ->> 1 from json_each(?) where true on \
                 conflict (name) do update set starts = starts + 1"
            }
            Self::InsertAssistant => {
                "insert into assistants (session, body) select value ->> 0, value ->> 2 from \
                 json_each(?)"
            }
            Self::InsertThread => {
                "insert into threads (session, body) select value ->> 0, value ->> 2 from \
                 json_each(?)"
            }
            // A run that goes on after a crash makes the same file again. The file of an upload
            // comes only if that still is what it was.
            Self::InsertFile => {
                "insert into files (session, body, blob) select value ->> 0, value ->> 2, value \
                 ->> 3 from json_each(?) where value ->> 4 is null or exists (select 1 from \
                 uploads where session = value ->> 0 and id = value ->> 4 and body = value ->> 5) \
                 on conflict do nothing"
            }
            Self::InsertUpload => {
                "insert into uploads (session, body) select value ->> 0, value ->> 2 from \
                 json_each(?)"
            }
            Self::InsertPart => {
                "insert into upload_parts (session, body, blob, bytes) select value ->> 0, value \
                 ->> 2, value ->> 3, value ->> 4 from json_each(?) where exists (select 1 from \
                 uploads where session = value ->> 0 and id = value ->> 5 and status = 'pending')"
            }
            Self::InsertVectorStore => {
                "insert into vector_stores (session, body) select value ->> 0, value ->> 2 from \
                 json_each(?)"
            }
            Self::InsertBatch => {
                "insert into vector_store_file_batches (session, body) select value ->> 0, value \
                 ->> 2 from json_each(?) where exists (select 1 from vector_stores where session = \
                 value ->> 0 and id = value ->> 3)"
            }
            // Not without its thread, nor without anything to run on. That the thread is free is
            // what the unique index on open runs says.
            Self::InsertRun => {
                "insert into runs (session, body, turn) select value ->> 0, value ->> 2, 1 + \
                 coalesce((select turn from runs as earlier where earlier.session = value ->> 0 \
                 and earlier.thread_id = value ->> 3 order by seq desc limit 1), 0) from \
                 json_each(?) where exists (select 1 from threads where session = value ->> 0 and \
                 id = value ->> 3) and (value ->> 4 or exists (select 1 from messages where \
                 session = value ->> 0 and thread_id = value ->> 3 and role = 'user')) on conflict \
                 do nothing"
            }
            // Not without its thread, nor while a run holds that.
            Self::AddMessage => {
                "insert into messages (session, body) select value ->> 0, value ->> 2 from \
                 json_each(?) where exists (select 1 from threads where session = value ->> 0 and \
                 id = value ->> 3) and not exists (select 1 from runs where session = value ->> 0 \
                 and thread_id = value ->> 3 and status in ('queued', 'in_progress', \
                 'requires_action', 'cancelling'))"
            }
            // If a run is named, only as long as that is there.
            Self::InsertMessage => {
                "insert into messages (session, body) select value ->> 0, value ->> 2 from \
                 json_each(?) where value ->> 3 is null or exists (select 1 from runs where \
                 session = value ->> 0 and id = value ->> 3)"
            }
            // A run that goes on writing a message leaves alone what clients may change, and one
            // that was deleted stays deleted.
            Self::UpdateMessage => {
                "update messages set body = json_set(value ->> 2, '$.metadata', body -> \
                 '$.metadata') from json_each(?) where session = value ->> 0 and messages.id = \
                 value ->> 1"
            }
            Self::UpdateRun => {
                "update runs set body = value ->> 2, performance = value ->> 3 from json_each(?) \
                 where session = value ->> 0 and runs.id = value ->> 1"
            }
            Self::PutStep => {
                "insert into run_steps (session, body) select value ->> 0, value ->> 2 from \
                 json_each(?) where exists (select 1 from runs where session = value ->> 0 and id \
                 = value ->> 3) on conflict (session, id) do update set body = excluded.body"
            }
            // A file that is in the store already is taken up anew.
            Self::PutStoreFile => {
                "insert into vector_store_files (session, body, batch_id) select value ->> 0, \
                 value ->> 2, value ->> 4 from json_each(?) where exists (select 1 from \
                 vector_stores where session = value ->> 0 and id = value ->> 3) and exists \
                 (select 1 from files where session = value ->> 0 and id = value ->> 1) on \
                 conflict (session, vector_store_id, id) do update set body = excluded.body, \
                 batch_id = excluded.batch_id, attempt = attempt + 1, chunks = 0, words = 0"
            }
            Self::NoteToolFile => {
                "insert or ignore into tool_files select value ->> 0, value ->> 1, value ->> 2 \
                 from json_each(?)"
            }
            Self::ClearChunks => {
                "delete from chunks where key in (select it.key from json_each(?) cross join \
                 vector_store_files as file cross join chunks as it where file.seq = value ->> 2 \
                 and file.attempt = value ->> 3 and file.status = 'in_progress' and it.key >= \
                 file.seq << 20 and it.key < (file.seq + 1) << 20)"
            }
            // Only as long as somebody still waits for the file to be ready.
            Self::InsertChunk => {
                "insert into chunks select value ->> 4, value ->> 5, value ->> 6, value ->> 7 from \
                 json_each(?) where exists (select 1 from vector_store_files where seq = value ->> \
                 2 and attempt = value ->> 3 and status = 'in_progress')"
            }
            Self::IndexChunk => {
                "insert into chunk_words (rowid, once, twice, thrice, often) select value ->> 4, \
                 value ->> 5, value ->> 6, value ->> 7, value ->> 8 from json_each(?) where exists \
                 (select 1 from vector_store_files where seq = value ->> 2 and attempt = value ->> \
                 3 and status = 'in_progress')"
            }
            Self::FinishStoreFile => {
                "update vector_store_files set chunks = value ->> 4, words = value ->> 5, body = \
                 json_set(body, '$.status', value ->> 6, '$.usage_bytes', value ->> 7, \
                 '$.last_error', value -> 8) from json_each(?) where vector_store_files.seq = \
                 value ->> 2 and attempt = value ->> 3 and status = 'in_progress'"
            }
            Self::CancelBatch => {
                "update vector_store_files set body = json_set(body, '$.status', 'cancelled') from \
                 json_each(?) where session = value ->> 0 and batch_id = value ->> 1 and status = \
                 'in_progress'"
            }
            Self::SwapAssistant => &swap(Assistant::TABLE),
            Self::SwapThread => &swap(Thread::TABLE),
            Self::SwapMessage => &swap(Message::TABLE),
            Self::SwapRun => &swap(Run::TABLE),
            Self::SwapUpload => &swap(Upload::TABLE),
            Self::SwapVectorStore => &swap(VectorStore::TABLE),
            Self::SwapStoreFile => &swap(StoreFile::TABLE),
            Self::DetachFromAssistants => &detach(Assistant::TABLE),
            Self::DetachFromThreads => &detach(Thread::TABLE),
            Self::DeleteAssistant => &delete(Assistant::TABLE),
            Self::DeleteThread => &delete(Thread::TABLE),
            Self::DeleteMessage => &delete(Message::TABLE),
            Self::DeleteVectorStore => &delete(VectorStore::TABLE),
            Self::DeleteFile => &delete(File::TABLE),
            Self::DeleteParts => {
                "delete from upload_parts where seq in (select it.seq from json_each(?) cross join \
                 upload_parts as it where it.session = value ->> 0 and it.upload_id = value ->> 1)"
            }
            Self::DeleteStoreFile => {
                "delete from vector_store_files where seq in (select it.seq from json_each(?) \
                 cross join vector_store_files as it where it.session = value ->> 0 and \
                 it.vector_store_id = value ->> 2 and it.id = value ->> 1)"
            }
            Self::BuryBlob => {
                "delete from dead_blobs where name in (select value ->> 1 from json_each(?))"
            }
        };
        format!("{statement}{told}")
    }

    /// What a change of this kind is called as news, if it is any.
    pub(super) fn news(self) -> Option<&'static str> {
        Some(match self {
            Self::InsertAssistant => "assistant.created",
            Self::SwapAssistant => "assistant.updated",
            Self::DeleteAssistant => "assistant.deleted",
            Self::InsertThread => "thread.created",
            Self::SwapThread => "thread.updated",
            Self::DeleteThread => "thread.deleted",
            Self::AddMessage | Self::InsertMessage => "thread.message.created",
            Self::SwapMessage => "thread.message.updated",
            Self::DeleteMessage => "thread.message.deleted",
            Self::SwapRun => "thread.run.updated",
            Self::InsertFile => "file.created",
            Self::DeleteFile => "file.deleted",
            Self::InsertUpload => "upload.created",
            Self::SwapUpload => "upload.updated",
            Self::InsertVectorStore => "vector_store.created",
            Self::SwapVectorStore => "vector_store.updated",
            Self::DeleteVectorStore => "vector_store.deleted",
            Self::InsertBatch => "vector_store.file_batch.created",
            Self::PutStoreFile => "vector_store.file.created",
            Self::SwapStoreFile | Self::FinishStoreFile => "vector_store.file.updated",
            Self::DeleteStoreFile => "vector_store.file.deleted",
            Self::EnterSession
            | Self::InsertRun
            | Self::InsertPart
            | Self::UpdateMessage
            | Self::UpdateRun => return None,
            Self::PutStep
            | Self::NoteToolFile
            | Self::ClearChunks
            | Self::InsertChunk
            | Self::IndexChunk => return None,
            Self::CancelBatch | Self::DetachFromAssistants | Self::DetachFromThreads => {
                return None;
            }
            Self::DeleteParts | Self::BuryBlob => return None,
        })
    }

    /// Whether the statement tells which of its rows met their condition: kind, session, id.
    pub(super) fn tells(self) -> bool {
        match self {
            Self::EnterSession
            | Self::InsertAssistant
            | Self::InsertThread
            | Self::InsertFile
            | Self::InsertUpload => false,
            Self::InsertMessage
            | Self::UpdateMessage
            | Self::PutStep
            | Self::InsertVectorStore
            | Self::NoteToolFile => false,
            Self::ClearChunks
            | Self::InsertChunk
            | Self::IndexChunk
            | Self::CancelBatch
            | Self::DeleteParts => false,
            Self::DetachFromAssistants | Self::DetachFromThreads | Self::BuryBlob => false,
            Self::InsertRun
            | Self::AddMessage
            | Self::UpdateRun
            | Self::InsertPart
            | Self::InsertBatch => true,
            Self::PutStoreFile | Self::FinishStoreFile => true,
            Self::SwapAssistant | Self::SwapThread | Self::SwapMessage | Self::SwapRun => true,
            Self::SwapUpload | Self::SwapVectorStore | Self::SwapStoreFile => true,
            Self::DeleteAssistant
            | Self::DeleteThread
            | Self::DeleteMessage
            | Self::DeleteVectorStore => true,
            Self::DeleteFile | Self::DeleteStoreFile => true,
        }
    }
}

/// Exchanges a body that still is what it was.
fn swap(table: &str) -> String {
    format!(
        "update {table} set body = value ->> 2 from json_each(?) where session = value ->> 0 and \
         {table}.id = value ->> 1 and body = value ->> 3"
    )
}

fn delete(table: &str) -> String {
    format!(
        "delete from {table} where seq in (select it.seq from json_each(?) cross join {table} as \
         it where it.session = value ->> 0 and it.id = value ->> 1)"
    )
}

/// Takes a file out of the lists that it is noted to be in.
fn detach(table: &str) -> String {
    // Where files are listed, how an item of the list names one, and how it is put into another
    // list.
    const LISTS: [(&str, &str, &str); 2] = [
        ("'$.tool_resources.code_interpreter.file_ids'", "listed.value", "listed.value"),
        ("'$.v1_files'", "listed.value ->> '$.id'", "json(listed.value)"),
    ];
    let without = LISTS.map(|(list, file, item)| {
        format!(
            "{list}, (select json_group_array({item}) from json_each(body, {list}) as listed where \
             {file} not in (select file from gone where gone.session = {table}.session))"
        )
    });
    let without = without.join(", ");
    format!(
        "with gone as materialized (select value ->> 0 as session, value ->> 1 as file from \
         json_each(?)) update {table} set body = json_replace(body, {without}) where seq in \
         (select it.seq from gone cross join tool_files on tool_files.session = gone.session and \
         file_id = gone.file cross join {table} as it on it.session = gone.session and it.id = \
         owner)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_numbered_in_their_order() {
        for (number, kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(*kind as usize, number);
        }
        assert!(Kind::ALL.len() < 64, "a set of kinds is a number of 64 bits");
    }
}
