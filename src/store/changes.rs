//! What a write asks for, as data: rows to insert, to put, to change, to delete, each kind under
//! its own condition. What each kind does in SQL stands in `statements.rs`.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{
    error::Result,
    statements::Kind,
    table::{Stored, corrupt},
};
use crate::types::{
    Assistant, File, FileBatch, Id, Message, Run, Step, StoreFile, Thread, Upload, UploadPart,
    VectorStore, Version, View, store_file::IngestError, v1,
};

/// A row of a kind, by which a change is told afterwards: kind, session, id.
pub(super) type Claim = (u8, i64, String);

/// One row of one kind.
#[derive(Debug)]
pub(super) struct Change {
    pub kind: Kind,
    pub id: String,
    /// What the statement takes behind the session and the id.
    rest: Vec<Value>,
}

impl Change {
    pub(super) fn row(self, session: i64) -> Value {
        let mut row = vec![json!(session), Value::String(self.id)];
        row.extend(self.rest);
        Value::Array(row)
    }

    pub(super) fn claim(&self, session: i64) -> Claim {
        (self.kind as u8, session, self.id.clone())
    }

    fn news(&self) -> Option<(&'static str, String)> {
        let name = self.kind.news()?;
        if let Some(object) = name.strip_suffix(".deleted") {
            return Some((
                name,
                json!({"id": self.id, "object": object, "deleted": true}).to_string(),
            ));
        }
        if self.kind == Kind::FinishStoreFile {
            let status = self.rest.get(4).cloned().unwrap_or_default();
            let store = self.rest.get(7).cloned().unwrap_or_default();
            let file = json!({"id": self.id, "object": "vector_store.file",
                "vector_store_id": store, "status": status});
            return Some((name, file.to_string()));
        }
        let body = shown(name, self.rest.first()?.as_str()?)?;
        let is_of_a_run = || {
            serde_json::from_str::<Value>(&body).is_ok_and(|message| !message["run_id"].is_null())
        };
        if self.kind == Kind::InsertMessage && is_of_a_run() {
            return None;
        }
        Some((name, body))
    }
}

/// A body as the API shows it, which need not be all that is kept.
fn shown(news: &str, body: &str) -> Option<String> {
    fn parsed<T: serde::de::DeserializeOwned>(body: &str) -> Option<T> {
        serde_json::from_str(body).ok()
    }
    let of_v2 = match news.rsplit_once('.')?.0 {
        "assistant" => serde_json::to_string(&parsed::<Assistant>(body)?.seen(Version::V2)),
        "thread.message" => serde_json::to_string(&parsed::<Message>(body)?.seen(Version::V2)),
        "thread.run" => {
            serde_json::to_string(&parsed::<Run>(body)?.into_answer().seen(Version::V2))
        }
        "upload" => serde_json::to_string(&parsed::<Upload>(body)?.shown()),
        _ => return Some(body.to_owned()),
    };
    of_v2.ok()
}

/// Where a file stands that is being made ready: by its number and that of its store, which are
/// never used twice.
#[derive(Clone, Debug)]
pub struct Place {
    pub id: String,
    pub store_id: String,
    pub file: i64,
    pub store: i64,
    /// Which time it is that the file is made ready.
    pub attempt: i64,
}

/// A piece of a file's text, and its words, by how often they occur: once, twice, three times, more
/// often.
#[derive(Debug)]
pub struct Chunk {
    pub start: usize,
    pub text: String,
    pub words: usize,
    pub columns: [String; 4],
}

/// What has become of a file that was made ready.
#[derive(Debug, Default)]
pub struct Ready {
    pub chunks: usize,
    pub words: usize,
    pub bytes: usize,
    pub error: Option<IngestError>,
}

/// What one write asks for.
#[derive(Debug, Default)]
pub struct Changes {
    pub(super) list: Vec<Change>,
}

/// A resource whose body can be exchanged for another.
pub trait Changeable: Stored {
    const SWAP: Kind;

    /// The files that are listed in it, which are taken out of it when they are deleted.
    fn given_files(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Changeable for Assistant {
    const SWAP: Kind = Kind::SwapAssistant;

    fn given_files(&self) -> Vec<String> {
        v1::files_of(self)
    }
}

impl Changeable for Thread {
    const SWAP: Kind = Kind::SwapThread;

    fn given_files(&self) -> Vec<String> {
        self.tool_resources.interpreter_files().to_vec()
    }
}

impl Changeable for Message {
    const SWAP: Kind = Kind::SwapMessage;
}

impl Changeable for Run {
    const SWAP: Kind = Kind::SwapRun;
}

impl Changeable for Upload {
    const SWAP: Kind = Kind::SwapUpload;
}

impl Changeable for VectorStore {
    const SWAP: Kind = Kind::SwapVectorStore;
}

impl Changeable for StoreFile {
    const SWAP: Kind = Kind::SwapStoreFile;
}

/// A resource that can be deleted.
pub trait Deletable: Stored {
    const DELETE: Kind;
}

impl Deletable for Assistant {
    const DELETE: Kind = Kind::DeleteAssistant;
}

impl Deletable for Thread {
    const DELETE: Kind = Kind::DeleteThread;
}

impl Deletable for Message {
    const DELETE: Kind = Kind::DeleteMessage;
}

impl Deletable for File {
    const DELETE: Kind = Kind::DeleteFile;
}

impl Deletable for VectorStore {
    const DELETE: Kind = Kind::DeleteVectorStore;
}

impl Changes {
    pub fn new() -> Self {
        Self::default()
    }

    fn add(&mut self, kind: Kind, id: &str, rest: Vec<Value>) {
        self.list.push(Change { kind, id: id.to_owned(), rest });
    }

    fn add_item<T: Stored>(
        &mut self,
        kind: Kind,
        item: &T,
        rest: impl IntoIterator<Item = Value>,
    ) -> Result<()> {
        let mut all = vec![Value::String(body_of(item)?)];
        all.extend(rest);
        self.add(kind, item.id().as_str(), all);
        Ok(())
    }

    pub(super) fn enter_session(name: &str) -> Self {
        let mut changes = Self::new();
        changes.add(Kind::EnterSession, name, Vec::new());
        changes
    }

    pub fn insert_assistant(&mut self, assistant: &Assistant) -> Result<()> {
        self.note_tool_files(assistant);
        self.add_item(Kind::InsertAssistant, assistant, [])
    }

    pub fn insert_thread(&mut self, thread: &Thread) -> Result<()> {
        self.note_tool_files(thread);
        self.add_item(Kind::InsertThread, thread, [])
    }

    /// Notes which files an assistant or a thread is given.
    fn note_tool_files<T: Changeable>(&mut self, owner: &T) {
        for file in owner.given_files() {
            self.add(Kind::NoteToolFile, &file, vec![json!(owner.id())]);
        }
    }

    /// Inserts a file whose content is in a blob, unless there is one of this id.
    pub fn insert_file(&mut self, file: &File, blob: &str) -> Result<()> {
        self.add_item(Kind::InsertFile, file, [json!(blob)])
    }

    /// Makes a file of an upload that still is what it was, and ends that.
    pub(super) fn complete_upload(
        &mut self,
        upload: &Upload,
        was: &str,
        file: &File,
        blob: &str,
    ) -> Result<()> {
        self.add_item(Kind::InsertFile, file, [json!(blob), json!(upload.id), json!(was)])?;
        self.swap(upload, was)?;
        self.delete_parts(&upload.id);
        Ok(())
    }

    pub fn insert_upload(&mut self, upload: &Upload) -> Result<()> {
        self.add_item(Kind::InsertUpload, upload, [])
    }

    /// Inserts a part if its upload still takes any.
    pub fn insert_part(&mut self, part: &UploadPart, blob: &str, bytes: u64) -> Result<()> {
        self.add_item(Kind::InsertPart, part, [json!(blob), json!(bytes), json!(part.upload_id)])
    }

    pub fn delete_parts(&mut self, upload: &Id<Upload>) {
        self.add(Kind::DeleteParts, upload.as_str(), Vec::new());
    }

    pub fn insert_vector_store(&mut self, store: &VectorStore) -> Result<()> {
        self.add_item(Kind::InsertVectorStore, store, [])
    }

    /// Inserts a batch as long as its store is there.
    pub fn insert_batch(&mut self, batch: &FileBatch) -> Result<()> {
        self.add_item(Kind::InsertBatch, batch, [json!(batch.vector_store_id)])
    }

    /// Puts a file into a store, or takes it up anew, as long as both are there.
    pub fn put_store_file(
        &mut self,
        file: &StoreFile,
        batch: Option<&Id<FileBatch>>,
    ) -> Result<()> {
        self.add_item(Kind::PutStoreFile, file, [json!(file.vector_store_id), json!(batch)])
    }

    /// Cancels the files of a batch that are not ready yet.
    pub fn cancel_batch(&mut self, batch: &Id<FileBatch>) {
        self.add(Kind::CancelBatch, batch.as_str(), Vec::new());
    }

    pub fn delete_store_file(&mut self, file: &StoreFile) {
        self.add(Kind::DeleteStoreFile, file.id.as_str(), vec![json!(file.vector_store_id)]);
    }

    /// Deletes a file wherever it is: in stores it goes by itself, in the lists of tools it is
    /// taken out.
    pub fn delete_file(&mut self, file: &Id<File>) {
        self.add(Kind::DetachFromAssistants, file.as_str(), Vec::new());
        self.add(Kind::DetachFromThreads, file.as_str(), Vec::new());
        self.delete(file);
    }

    /// Removes what an earlier attempt left of a file's chunks.
    pub fn clear_chunks(&mut self, file: &Place) {
        self.add(Kind::ClearChunks, &file.id, vec![json!(file.file), json!(file.attempt)]);
    }

    /// Adds a chunk to a file that is being made ready.
    pub fn insert_chunk(&mut self, file: &Place, number: usize, chunk: Chunk) {
        let Chunk { start, text, words, columns } = chunk;
        let key = file.file << 20 | i64::try_from(number).unwrap_or_default();
        let rest = vec![
            json!(file.file),
            json!(file.attempt),
            json!(key),
            json!(start),
            json!(words),
            Value::String(text),
        ];
        self.add(Kind::InsertChunk, &file.id, rest);
        let mut rest = vec![json!(file.file), json!(file.attempt), json!(key)];
        rest.extend(columns.into_iter().map(Value::String));
        self.add(Kind::IndexChunk, &file.id, rest);
    }

    /// Ends the making ready of a file, one way or the other, unless somebody else has ended it.
    pub fn finish_store_file(&mut self, file: &Place, end: &Ready) {
        let (status, error) = match &end.error {
            None => ("completed", Value::Null),
            Some(error) => ("failed", json!(error)),
        };
        let rest = vec![
            json!(file.file),
            json!(file.attempt),
            json!(end.chunks),
            json!(end.words),
            json!(status),
            json!(end.bytes),
            error,
            // For the news only.
            json!(file.store_id),
        ];
        self.add(Kind::FinishStoreFile, &file.id, rest);
    }

    /// Forgets the name of a blob that is gone.
    pub(super) fn bury(&mut self, blob: &str) {
        self.add(Kind::BuryBlob, blob, Vec::new());
    }

    /// Inserts a run if its thread is there and free, and there is something to run on: `anyway`,
    /// or a message of a user in the thread.
    pub fn insert_run(&mut self, run: &Run, anyway: bool) -> Result<()> {
        self.add_item(Kind::InsertRun, run, [json!(run.thread_id), json!(anyway)])
    }

    /// Adds a client's message if its thread is there and free.
    pub fn add_message(&mut self, message: &Message) -> Result<()> {
        self.add_item(Kind::AddMessage, message, [json!(message.thread_id)])
    }

    /// Inserts a message; if a run is given, only as long as that is there.
    pub fn insert_message(&mut self, message: &Message, run: Option<&Id<Run>>) -> Result<()> {
        self.add_item(Kind::InsertMessage, message, [json!(run)])
    }

    /// Writes what a run has made of a message, all but its metadata.
    pub fn update_message(&mut self, message: &Message) -> Result<()> {
        self.add_item(Kind::UpdateMessage, message, [])
    }

    /// Writes a run's new state and its performer's notes, if the run is still there.
    pub fn update_run(&mut self, run: &Run, performance: Option<&str>) -> Result<()> {
        self.add_item(Kind::UpdateRun, run, [json!(performance)])
    }

    /// Writes a step, new or not, as long as its run is there.
    pub fn put_step(&mut self, step: &Step) -> Result<()> {
        self.add_item(Kind::PutStep, step, [json!(step.run_id)])
    }

    /// Exchanges a body that still is what it was.
    pub(super) fn swap<T: Changeable>(&mut self, item: &T, was: &str) -> Result<()> {
        self.note_tool_files(item);
        self.add_item(T::SWAP, item, [json!(was)])
    }

    pub(super) fn delete<T: Deletable>(&mut self, id: &Id<T>) {
        self.add(T::DELETE, id.as_str(), Vec::new());
    }

    /// What these changes are called as news, each with its object. What a run does, its task
    /// tells.
    pub(super) fn news(&self) -> Vec<(&'static str, String)> {
        self.list.iter().filter_map(Change::news).collect()
    }

    /// The rows whose change has to be told apart from that of the same row by another write.
    pub(super) fn claims(&self, session: i64) -> HashSet<Claim> {
        self.list
            .iter()
            .filter(|change| change.kind.tells())
            .map(|change| change.claim(session))
            .collect()
    }
}

pub(super) fn body_of<T: Stored>(item: &T) -> Result<String> {
    serde_json::to_string(item).map_err(|source| corrupt::<T>(item.id().to_string(), source))
}
