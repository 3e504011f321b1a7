//! A write as data: rows of kinds. Each kind has its statement and its condition.
//!
//! A write lists its changes in the order in which they happen. The session gets their events after
//! the commit.

mod chunks;
mod containers;
mod files;
mod kind;
mod objects;
mod order;
mod responses;
mod runs;
mod vector_stores;

use std::marker::PhantomData;

use foldhash::HashSet;

pub(super) use self::order::IN_ORDER;
use self::{
    chunks::{ClearChunks, FinishStoreFile, IndexChunk, InsertChunk},
    containers::{EmptyContainer, InsertContainerFile},
    files::{BuryBlob, DeleteParts, Detach, InsertFile, InsertPart, NoteToolFile},
    kind::ChangeKind,
    objects::{AddMessage, Delete, DeleteChild, EnterSession, Insert, ReplaceBody},
    order::Row,
    responses::{
        InsertConversationItem, InsertResponse, InsertResponseItem, NoteConversationEnd,
        PutContinuation, UpdateResponse,
    },
    runs::{InsertMessage, InsertRun, PutStep, UpdateMessage, UpdateRun},
    vector_stores::{
        AttachFile, AttachStore, CancelBatch, DeleteStoreFile, GiveFiles, InsertBatch, PutStoreFile,
    },
};
use super::{
    body_cache::CachedBody,
    error::Result,
    events::{ChangeEvent, StoreEvent},
    table::{Stored, corrupt},
};
use crate::types::{
    Assistant, Container, ContainerFile, Conversation, File, FileBatch, Id, Item, Message,
    Resource, Response, Run, Step, StoreFile, Thread, Upload, UploadPart, VectorStore,
    store_file::IngestError, v1,
};

/// A body that a row is known to have afterwards, if the row of this key was changed.
pub(super) struct Written {
    pub session: i64,
    pub key: Option<RowKey>,
    pub body: CachedBody,
}

/// The key of a changed row, to find its change afterwards: rank, session, id.
pub(super) type RowKey = (u8, i64, String);

/// The place of a file in preparation: its number and that of its store. Numbers are never used
/// twice.
#[derive(Clone, Debug)]
pub struct FilePlace {
    pub id: String,
    pub store_id: String,
    pub file: i64,
    pub store: i64,
    /// The number of the attempt to prepare the file.
    pub attempt: i64,
}

/// A piece of a file's text, and its words by their frequency: once, twice, three times, more
/// often.
#[derive(Debug)]
pub struct Chunk {
    pub start: usize,
    pub text: String,
    pub words: usize,
    pub columns: [String; 4],
}

/// The result of the preparation of a file.
#[derive(Debug, Default)]
pub struct Ready {
    pub chunks: usize,
    pub words: usize,
    pub bytes: usize,
    pub error: Option<IngestError>,
}

/// The changes of one write.
#[derive(Default)]
pub struct Changes {
    rows: Vec<Row>,
    events: Vec<StoreEvent>,
}

/// A resource whose body can be exchanged for another.
pub trait Changeable: Stored + ChangeEvent {
    /// The files that it lists. A deleted file is removed from the list.
    fn given_files(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Changeable for Assistant {
    fn given_files(&self) -> Vec<String> {
        v1::files_of(self)
    }
}

impl Changeable for Thread {
    fn given_files(&self) -> Vec<String> {
        self.tool_resources.interpreter_files().to_vec()
    }
}

impl Changeable for Message {}

impl Changeable for Run {}

impl Changeable for Conversation {}

impl Changeable for Container {}

impl Changeable for Upload {}

impl Changeable for VectorStore {}

impl Changeable for StoreFile {}

/// A resource that can be deleted.
pub trait Deletable: Stored + ChangeEvent {}

impl Deletable for Assistant {}

impl Deletable for Thread {}

impl Deletable for Message {}

impl Deletable for Response {}

impl Deletable for Conversation {}

impl Deletable for Container {}

impl Deletable for File {}

impl Deletable for VectorStore {}

impl Changes {
    pub fn new() -> Self {
        Self::default()
    }

    fn add(&mut self, id: String, fields: impl ChangeKind) {
        self.rows.push(Row::new(id, &fields));
    }

    fn insert<T: Stored + ChangeEvent>(&mut self, item: &T) -> Result<()> {
        self.add(id_of(item), Insert::<T> { body: body_of(item)?, of: PhantomData });
        self.creates(item);
        Ok(())
    }

    fn creates(&mut self, item: &impl ChangeEvent) {
        self.events.push(StoreEvent::Created(item.clone().changed()));
    }

    pub(super) fn enter_session(name: &str) -> Self {
        let mut changes = Self::new();
        changes.add(name.to_owned(), EnterSession);
        changes
    }

    pub fn insert_assistant(&mut self, assistant: &Assistant) -> Result<()> {
        self.insert(assistant)?;
        self.note_tool_files(assistant);
        Ok(())
    }

    pub fn insert_thread(&mut self, thread: &Thread) -> Result<()> {
        self.insert(thread)?;
        self.note_tool_files(thread);
        Ok(())
    }

    /// Notes the files that belong to an assistant or a thread.
    fn note_tool_files<T: Changeable>(&mut self, owner: &T) {
        for id in owner.given_files() {
            self.add(id, NoteToolFile { owner: id_of(owner) });
        }
    }

    /// Inserts a file whose content is in a blob, unless a file with this id exists.
    pub fn insert_file(&mut self, file: &File, blob: &str) -> Result<()> {
        self.add_file(file, blob, None)
    }

    fn add_file(&mut self, file: &File, blob: &str, upload: Option<(&Upload, &str)>) -> Result<()> {
        self.add(
            id_of(file),
            InsertFile {
                body: body_of(file)?,
                blob: blob.to_owned(),
                upload_id: upload.map(|(upload, _)| upload.id.clone()),
                upload_was: upload.map(|(_, was)| was.to_owned()),
            },
        );
        self.creates(file);
        Ok(())
    }

    /// Makes a file of an upload that has not changed meanwhile, and ends the upload.
    pub(super) fn complete_upload(
        &mut self,
        upload: &Upload,
        was: &str,
        file: &File,
        blob: &str,
    ) -> Result<()> {
        self.add_file(file, blob, Some((upload, was)))?;
        self.swap(upload, was)?;
        self.delete_parts(&upload.id);
        Ok(())
    }

    pub fn insert_upload(&mut self, upload: &Upload) -> Result<()> {
        self.insert(upload)
    }

    /// Inserts a part if its upload still accepts parts.
    pub fn insert_part(&mut self, part: &UploadPart, blob: &str, bytes: u64) -> Result<()> {
        self.add(
            id_of(part),
            InsertPart {
                body: body_of(part)?,
                blob: blob.to_owned(),
                bytes,
                upload_id: part.upload_id.clone(),
            },
        );
        Ok(())
    }

    pub fn delete_parts(&mut self, upload: &Id<Upload>) {
        self.add(upload.to_string(), DeleteParts);
    }

    pub fn insert_vector_store(&mut self, store: &VectorStore) -> Result<()> {
        self.insert(store)
    }

    /// Inserts a batch if its store exists.
    pub fn insert_batch(&mut self, batch: &FileBatch) -> Result<()> {
        let vector_store_id = batch.vector_store_id.clone();
        self.add(id_of(batch), InsertBatch { body: body_of(batch)?, vector_store_id });
        self.creates(batch);
        Ok(())
    }

    /// Adds a file to a store, or restarts its preparation, if both exist.
    pub fn put_store_file(
        &mut self,
        file: &StoreFile,
        batch: Option<&Id<FileBatch>>,
    ) -> Result<()> {
        self.add(
            id_of(file),
            PutStoreFile {
                body: body_of(file)?,
                vector_store_id: file.vector_store_id.clone(),
                batch_id: batch.cloned(),
            },
        );
        self.creates(file);
        Ok(())
    }

    /// Creates the store of attachments, together with the owner of the attachments if that does
    /// not exist yet: a message or a run of the same write.
    pub fn attach_store(&mut self, store: &VectorStore, needs: Option<&str>) -> Result<()> {
        let needs = needs.map(str::to_owned);
        self.add(id_of(store), AttachStore { body: body_of(store)?, needs });
        self.creates(store);
        Ok(())
    }

    /// Adds an attached file to a store, under the same condition.
    pub fn attach_file(&mut self, file: &StoreFile, needs: Option<&str>) -> Result<()> {
        self.add(
            id_of(file),
            AttachFile {
                body: body_of(file)?,
                vector_store_id: file.vector_store_id.clone(),
                needs: needs.map(str::to_owned),
            },
        );
        self.creates(file);
        Ok(())
    }

    /// Gives files to a thread that has not changed meanwhile, under the same condition.
    pub fn give_files(&mut self, thread: &Thread, was: &str, needs: Option<&str>) -> Result<()> {
        self.add(
            id_of(thread),
            GiveFiles {
                body: body_of(thread)?,
                was: was.to_owned(),
                needs: needs.map(str::to_owned),
            },
        );
        self.note_tool_files(thread);
        self.events.push(StoreEvent::Updated(thread.clone().changed()));
        Ok(())
    }

    /// Cancels the files of a batch that are not ready yet.
    pub fn cancel_batch(&mut self, batch: &Id<FileBatch>) {
        self.add(batch.to_string(), CancelBatch);
    }

    pub fn delete_store_file(&mut self, file: &StoreFile) {
        let vector_store_id = file.vector_store_id.clone();
        self.add(id_of(file), DeleteStoreFile { vector_store_id });
        self.events.push(StoreEvent::Deleted { resource: StoreFile::EVENTS, id: id_of(file) });
    }

    /// Deletes a file everywhere. The database removes it from stores; this removes it from the
    /// lists of tools.
    pub fn delete_file(&mut self, file: &Id<File>) {
        self.add(file.to_string(), Detach::<Assistant> { of: PhantomData });
        self.add(file.to_string(), Detach::<Thread> { of: PhantomData });
        self.delete(file);
    }

    /// Removes the chunks that an earlier attempt left of a file.
    pub fn clear_chunks(&mut self, place: &FilePlace) {
        let FilePlace { id, file, attempt, .. } = place.clone();
        self.add(id, ClearChunks { file, attempt });
    }

    /// Adds a chunk to a file in preparation.
    pub fn insert_chunk(&mut self, place: &FilePlace, number: usize, chunk: Chunk) {
        let FilePlace { id, file, attempt, .. } = place.clone();
        let Chunk { start, text, words, columns } = chunk;
        let key = file << 20 | i64::try_from(number).unwrap_or_default();
        let [once, twice, thrice, often] = columns;
        self.add(id.clone(), InsertChunk { file, attempt, key, start, words, text });
        self.add(id, IndexChunk { file, attempt, key, once, twice, thrice, often });
    }

    /// Ends the preparation of a file, with or without success, unless it has ended already.
    pub fn finish_store_file(&mut self, place: &FilePlace, end: &Ready) {
        let FilePlace { id, file, attempt, store_id, .. } = place.clone();
        let status = if end.error.is_none() { "completed" } else { "failed" };
        let (vector_store_id, file_id) = (store_id, id.clone());
        self.add(
            id,
            FinishStoreFile {
                file,
                attempt,
                chunks: end.chunks,
                words: end.words,
                status,
                bytes: end.bytes,
                last_error: end.error.clone(),
            },
        );
        self.events.push(StoreEvent::StoreFileEnded { id: file_id, vector_store_id, status });
    }

    /// Forgets the name of a blob that is gone.
    pub(super) fn bury(&mut self, blob: &str) {
        self.add(blob.to_owned(), BuryBlob);
    }

    /// Inserts a run if its thread exists and is free, and the run has an input: `anyway`, or a
    /// message of a user in the thread. The task of the run publishes its events.
    pub fn insert_run(
        &mut self,
        run: &Run,
        note: Option<&str>,
        anyway: bool,
        thread_was: Option<&str>,
    ) -> Result<()> {
        self.add(
            id_of(run),
            InsertRun {
                body: body_of(run)?,
                performance: note.map(str::to_owned),
                thread_id: run.thread_id.clone(),
                thread_was: thread_was.map(str::to_owned),
                anyway,
            },
        );
        Ok(())
    }

    /// Adds a client's message if its thread exists and is free.
    pub fn add_message(&mut self, message: &Message, thread_was: Option<&str>) -> Result<()> {
        self.add(
            id_of(message),
            AddMessage {
                body: body_of(message)?,
                thread_id: message.thread_id.clone(),
                thread_was: thread_was.map(str::to_owned),
            },
        );
        self.creates(message);
        Ok(())
    }

    /// Inserts a message. If a run is given, that must still exist.
    pub fn insert_message(&mut self, message: &Message, run: Option<&Id<Run>>) -> Result<()> {
        let (thread_id, run_id) = (message.thread_id.clone(), run.cloned());
        self.add(id_of(message), InsertMessage { body: body_of(message)?, run_id, thread_id });
        // The task of a run publishes the messages that the run writes.
        if message.run_id.is_none() {
            self.creates(message);
        }
        Ok(())
    }

    /// Writes a run's changes to a message, all but its metadata.
    pub fn update_message(&mut self, message: &Message) -> Result<()> {
        let thread_id = message.thread_id.clone();
        self.add(id_of(message), UpdateMessage { body: body_of(message)?, thread_id });
        Ok(())
    }

    /// Writes a run's new state and its note, if the run still exists.
    pub fn update_run(&mut self, run: &Run, note: Option<&str>) -> Result<()> {
        self.add(
            id_of(run),
            UpdateRun {
                body: body_of(run)?,
                performance: note.map(str::to_owned),
                thread_id: run.thread_id.clone(),
            },
        );
        Ok(())
    }

    /// Writes a step, new or not, if its run exists.
    pub fn put_step(&mut self, step: &Step) -> Result<()> {
        let (run_id, thread_id) = (step.run_id.clone(), step.thread_id.clone());
        self.add(id_of(step), PutStep { body: body_of(step)?, run_id, thread_id });
        Ok(())
    }

    pub fn insert_conversation(&mut self, conversation: &Conversation) -> Result<()> {
        self.insert(conversation)
    }

    /// Adds items to a conversation after the item of this number, if the conversation exists. `by`
    /// is the response that adds them, if it is kept, and `turn` the question that it answers.
    pub fn extend_conversation<'i>(
        &mut self,
        conversation: &Id<Conversation>,
        items: impl IntoIterator<Item = &'i Item>,
        behind: i64,
        by: Option<&Id<Response>>,
        turn: Option<i64>,
    ) -> Result<()> {
        let mut last = behind;
        for item in items {
            last += 1;
            let insert = InsertConversationItem {
                body: body_of(item)?,
                conversation_id: conversation.clone(),
                number: last,
                response_id: by.cloned(),
            };
            self.add(id_of(item), insert);
        }
        let end = NoteConversationEnd { last, turn, response_id: by.cloned() };
        self.add(conversation.to_string(), end);
        Ok(())
    }

    pub fn delete_conversation_item(&mut self, conversation: &Id<Conversation>, item: &Id<Item>) {
        self.delete_child(conversation, item, Item::OBJECT);
    }

    fn delete_child<P: Resource, T: Stored>(
        &mut self,
        parent: &Id<P>,
        child: &Id<T>,
        events: &'static str,
    ) {
        let delete = DeleteChild::<T> { parent: parent.to_string(), of: PhantomData };
        self.add(child.to_string(), delete);
        self.events.push(StoreEvent::Deleted { resource: events, id: child.to_string() });
    }

    pub fn insert_container(&mut self, container: &Container) -> Result<()> {
        self.insert(container)
    }

    /// Inserts a file whose content is in a blob, as long as its container runs.
    pub fn insert_container_file(&mut self, file: &ContainerFile, blob: &str) -> Result<()> {
        let (blob, container_id) = (blob.to_owned(), file.container_id.clone());
        self.add(id_of(file), InsertContainerFile { body: body_of(file)?, blob, container_id });
        self.creates(file);
        Ok(())
    }

    pub fn delete_container_file(&mut self, container: &Id<Container>, file: &Id<ContainerFile>) {
        self.delete_child(container, file, ContainerFile::EVENTS);
    }

    /// Deletes all files of a container.
    pub fn empty_container(&mut self, container: &Id<Container>) {
        self.add(container.to_string(), EmptyContainer);
    }

    /// Inserts a response. If it continues, this includes the data for a restart. Its task
    /// publishes its events.
    pub fn insert_response(
        &mut self,
        response: &Response,
        turn: i64,
        setting: Option<&str>,
        note: Option<&str>,
        stream: Option<&str>,
    ) -> Result<()> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        self.add(
            id_of(response),
            InsertResponse {
                body: body_of(response)?,
                turn,
                setting: owned(setting),
                performance: owned(note),
                stream: owned(stream),
            },
        );
        Ok(())
    }

    /// Writes a response's new state and its note, if the response still exists.
    pub fn update_response(
        &mut self,
        response: &Response,
        note: Option<&str>,
        stream: Option<&str>,
    ) -> Result<()> {
        let (performance, stream) = (note.map(str::to_owned), stream.map(str::to_owned));
        let body = body_of(response)?;
        self.add(
            id_of(response),
            UpdateResponse { body, performance, stream, is_over: response.status.is_final() },
        );
        Ok(())
    }

    pub fn insert_response_item(
        &mut self,
        response: &Id<Response>,
        item: &Item,
        is_output: bool,
    ) -> Result<()> {
        let (body, response_id) = (body_of(item)?, response.clone());
        self.add(id_of(item), InsertResponseItem { body, response_id, is_output });
        Ok(())
    }

    /// Notes how a reply continues once the output of a call exists.
    pub fn put_continuation(&mut self, call_id: &str, note: &str) {
        self.add(call_id.to_owned(), PutContinuation { body: note.to_owned() });
    }

    /// Replaces a body that has not changed meanwhile.
    pub(super) fn swap<T: Changeable>(&mut self, item: &T, was: &str) -> Result<()> {
        self.note_tool_files(item);
        let (id, body, was) = (id_of(item), body_of(item)?, was.to_owned());
        self.add(id, ReplaceBody::<T> { body, was, of: PhantomData });
        self.events.push(StoreEvent::Updated(item.clone().changed()));
        Ok(())
    }

    pub(super) fn delete<T: Deletable>(&mut self, id: &Id<T>) {
        self.add(id.to_string(), Delete::<T> { of: PhantomData });
        self.events.push(StoreEvent::Deleted { resource: T::EVENTS, id: id.to_string() });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn take_events(&mut self) -> Vec<StoreEvent> {
        std::mem::take(&mut self.events)
    }

    /// The rows whose change must be distinct from another write's change of the same row.
    pub(super) fn row_keys(&self, session: i64) -> HashSet<RowKey> {
        let held_keys = self.rows.iter().filter(|row| row.must_change);
        held_keys.map(|row| (row.rank, session, row.id.clone())).collect()
    }

    /// The kinds of its rows: a bit for each.
    pub(super) fn kinds(&self) -> u64 {
        self.rows.iter().fold(0, |kinds, row| kinds | 1 << row.rank)
    }

    /// The ids of the objects that it changes or depends on, perhaps more than once.
    pub(super) fn touches(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().flat_map(|row| &row.touches).map(String::as_str)
    }

    /// Whether it changes objects that it does not name.
    pub(super) fn is_wide(&self) -> bool {
        self.rows.iter().any(|row| row.is_wide)
    }

    /// The bodies that the rows will have. If a body has a key, it is known only if that row
    /// changes. Nothing is known of an object that changes twice.
    pub(super) fn written(&self, session: i64) -> Vec<Written> {
        let is_only = |row: &Row| self.rows.iter().filter(|other| other.id == row.id).count() == 1;
        let written = self.rows.iter().filter_map(|row| {
            let key = row.must_change.then(|| (row.rank, session, row.id.clone()));
            let body = row.written.clone().filter(|_| is_only(row))?;
            Some(Written { session, key, body })
        });
        written.collect()
    }

    /// Its rows in the form that the statements take, with the ranks of their kinds.
    pub(super) fn into_rows(self, session: i64) -> Vec<(u8, String)> {
        self.rows.iter().map(|row| (row.rank, row.json(session))).collect()
    }
}

fn id_of<T: Stored>(item: &T) -> String {
    item.id().to_string()
}

fn body_of<T: Stored>(item: &T) -> Result<String> {
    serde_json::to_string(item).map_err(|source| corrupt::<T>(item.id().to_string(), source))
}
