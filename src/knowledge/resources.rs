//! Gives assistants and threads the files and stores that their tools use.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::OwnedMutexGuard;

use super::{
    Knowledge, KnowledgeError, Result,
    ingest::{Look, once},
};
use crate::{
    extract,
    store::{self, Changes, Paged},
    types::{
        File, FileBatch, Id, Order, StoreFile, Thread, Timestamp, VectorStore,
        chunking::Chunking,
        limits,
        list::PageRequest,
        message::{AttachmentTool, NewMessage},
        store_file::{Attributes, NewStoreFile},
        tool::{CodeInterpreterResources, ToolResources},
        vector_store::{ExpiresAfter, NewVectorStore},
    },
};

/// The files that come with messages, by the tool that gets them.
#[derive(Clone, Debug, Default)]
pub struct AttachedFiles {
    search: Vec<String>,
    interpreter: Vec<String>,
    /// Under v1, the code interpreter took any number of files, and attached files stayed
    /// searchable without an expiry.
    is_of_v1: bool,
}

impl AttachedFiles {
    pub fn to(messages: &[NewMessage]) -> Self {
        let attachments = || messages.iter().flat_map(|message| &message.attachments);
        let with = |tool| {
            let files = attachments()
                .filter(move |it| it.tools.contains(&tool))
                .map(|it| it.file_id.clone());
            once(files)
        };
        Self {
            search: with(AttachmentTool::FileSearch),
            interpreter: with(AttachmentTool::CodeInterpreter),
            is_of_v1: false,
        }
    }

    pub(super) fn of_v1(self) -> Self {
        Self { is_of_v1: true, ..self }
    }

    /// The store for these files.
    fn helper_store(&self) -> NewVectorStore {
        let expires_after = (!self.is_of_v1).then_some(ExpiresAfter::OF_HELPERS);
        NewVectorStore { file_ids: self.search.clone(), expires_after, ..NewVectorStore::default() }
    }

    /// Whether any of the files is for search.
    pub fn has_searched(&self) -> bool {
        !self.search.is_empty()
    }

    pub fn is_empty(&self) -> bool {
        self.search.is_empty() && self.interpreter.is_empty()
    }
}

/// The changes that the files of messages cause. They are written together with the messages.
#[derive(Debug, Default)]
pub struct Attachments {
    /// The new store for them.
    store: Option<VectorStore>,
    files: Vec<StoreFile>,
    /// The thread that gets them, and its earlier body.
    thread: Option<(Thread, Arc<str>)>,
    /// The guard is held until they are written.
    _alone: Option<OwnedMutexGuard<()>>,
}

impl Attachments {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.store.is_none() && self.files.is_empty() && self.thread.is_none()
    }

    /// The body that the thread must still have when they are written.
    pub fn thread_was(&self) -> Option<&str> {
        self.thread.as_ref().map(|(_, was)| &**was)
    }

    /// Adds them to a write. `needs` is the message or the run that they are attached to.
    pub fn write(&self, changes: &mut Changes, needs: Option<&str>) -> store::Result<()> {
        if let Some(store) = &self.store {
            changes.attach_store(store, needs)?;
        }
        for file in &self.files {
            changes.attach_file(file, needs)?;
        }
        if let Some((thread, was)) = &self.thread {
            changes.give_files(thread, was, needs)?;
        }
        Ok(())
    }
}

fn store_files(store: &Id<VectorStore>, now: Timestamp, new: Vec<NewStoreFile>) -> Vec<StoreFile> {
    new.into_iter().map(|new| StoreFile::new(store.clone(), now, new)).collect()
}

impl Knowledge {
    /// Creates the stores that resources request, and rejects references to missing objects.
    pub async fn provide(&self, resources: &mut ToolResources) -> Result<()> {
        self.need_files(resources.interpreter_files()).await?;
        let Some(search) = &mut resources.file_search else { return Ok(()) };
        let missing = self.store.missing_stores(&search.vector_store_ids).await?;
        if !missing.is_empty() {
            return Err(KnowledgeError::NoStores(missing));
        }
        for helper in std::mem::take(&mut search.vector_stores) {
            search.vector_store_ids.push(self.make_store(helper.0).await?.id.to_string());
        }
        Ok(())
    }

    /// Gives a new thread the files of its first messages. The returned changes are written
    /// together with the thread.
    pub async fn attach(
        &self,
        resources: &mut ToolResources,
        attached: &AttachedFiles,
    ) -> Result<Attachments> {
        self.need_files(&attached.interpreter).await?;
        self.need_searchable(&attached.search).await?;
        let mut attachments = Attachments::default();
        if !attached.search.is_empty() {
            let search = resources.file_search.get_or_insert_default();
            let now = self.clock.now().seconds();
            match self.usable(search.vector_store_ids.first().map(Id::new).as_ref()).await? {
                Some(store) => {
                    let new = self.not_yet_in(&store, &attached.search).await?;
                    self.check_added(&store, &new).await?;
                    attachments.files = store_files(&store, now, new_files(&new));
                }
                // The store is missing or has expired, so a new one replaces it.
                None => {
                    let store = VectorStore::new(self.ids.next(), now, attached.helper_store());
                    attachments.files = store_files(&store.id, now, new_files(&attached.search));
                    search.vector_store_ids = vec![store.id.to_string()];
                    attachments.store = Some(store);
                }
            }
        }
        give_interpreter(resources, &attached.interpreter);
        Ok(attachments)
    }

    /// The files of messages that are added to a thread. Nobody else gives files to the thread
    /// until the result is dropped.
    pub async fn attachments_to(
        &self,
        thread: &Id<Thread>,
        attached: &AttachedFiles,
    ) -> Result<Attachments> {
        if attached.is_empty() {
            return Ok(Attachments::default());
        }
        let alone = Arc::clone(&self.attaching).lock_owned().await;
        let found = self.store.find_stored::<Thread>(thread).await?;
        let Some((mut thread, was)) = found else { return Ok(Attachments::default()) };
        let attachments = self.attach(&mut thread.tool_resources, attached).await?;
        Ok(Attachments { thread: Some((thread, was)), _alone: Some(alone), ..attachments })
    }

    /// Starts to process attachments after their write.
    pub fn attached(&self, attachments: Attachments) {
        if let Some(store) = &attachments.store {
            self.expects(store);
        }
        for file in &attachments.files {
            let (store, id) = (file.vector_store_id.as_str(), file.id.as_str());
            self.ingest.forget(Look::File { store, file: id });
        }
        self.ingest.begin(attachments.files.into_iter().map(|file| (file, None)));
    }

    /// Rejects files that cannot be attached to a thread, before any of them is attached.
    pub async fn check_attached(
        &self,
        attached: &AttachedFiles,
        thread: Option<&Id<Thread>>,
    ) -> Result<()> {
        self.need_files(&attached.interpreter).await?;
        self.need_searchable(&attached.search).await?;
        let given = match thread {
            Some(thread) if !attached.interpreter.is_empty() => {
                self.store.find::<Thread>(thread).await?
            }
            _ => None,
        };
        let given = given
            .as_ref()
            .map_or(&[] as &[String], |thread| thread.tool_resources.interpreter_files());
        let all = once(given.iter().chain(&attached.interpreter).cloned()).len();
        if all > limits::CODE_INTERPRETER_FILES && !attached.is_of_v1 {
            Err(KnowledgeError::TooManyToolFiles(all))
        } else {
            Ok(())
        }
    }

    /// The store, if it can take files.
    pub(super) async fn usable(
        &self,
        store: Option<&Id<VectorStore>>,
    ) -> Result<Option<Id<VectorStore>>> {
        let Some(id) = store else { return Ok(None) };
        let found = self.store.find::<VectorStore>(id).await?;
        Ok(found.filter(|store| !store.is_expired()).map(|store| store.id))
    }

    /// The files that a store does not have yet. Its existing files do not change.
    pub(super) async fn not_yet_in(
        &self,
        store: &Id<VectorStore>,
        files: &[String],
    ) -> Result<Vec<String>> {
        let mut new = Vec::new();
        for file in files {
            if self
                .store
                .find::<StoreFile>(&(store.clone(), Id::new(file.as_str())))
                .await?
                .is_none()
            {
                new.push(file.clone());
            }
        }
        Ok(new)
    }

    /// Creates a store and starts to process its files. Returns the store in its first state.
    pub async fn make_store(&self, new: NewVectorStore) -> Result<VectorStore> {
        self.make_store_as(self.ids.next(), new).await
    }

    /// Creates a store with a known id.
    pub async fn make_store_as(
        &self,
        id: Id<VectorStore>,
        new: NewVectorStore,
    ) -> Result<VectorStore> {
        let files = once(new.file_ids.iter().cloned());
        self.need_searchable(&files).await?;
        let (now, chunking) = (self.clock.now().seconds(), new.chunking);
        let store = VectorStore::new(id, now, new);
        let new = files.into_iter().map(|file_id| NewStoreFile {
            file_id,
            chunking,
            attributes: Attributes::default(),
        });
        let files: Vec<_> = new.map(|new| StoreFile::new(store.id.clone(), now, new)).collect();
        let mut changes = Changes::new();
        changes.insert_vector_store(&store)?;
        for file in &files {
            changes.put_store_file(file, None)?;
        }
        self.store.write(changes).await?;
        self.expects(&store);
        let made = self.store.find::<VectorStore>(&store.id).await?;
        self.ingest.begin(files.into_iter().map(|file| (file, None)));
        made.ok_or_else(|| KnowledgeError::NoStores(vec![store.id.to_string()]))
    }

    /// Notes the expiry of a changed store.
    pub fn expects(&self, store: &VectorStore) {
        if store.expires_at.is_some() {
            self.expiries.changed();
        }
    }

    /// Puts files into a store and starts to process them.
    pub async fn add_files(
        &self,
        store: &Id<VectorStore>,
        new: Vec<NewStoreFile>,
        batch: Option<&FileBatch>,
    ) -> Result<Vec<StoreFile>> {
        let ids: Vec<_> = new.iter().map(|new| new.file_id.clone()).collect();
        self.check_added(store, &ids).await?;
        let now = self.clock.now().seconds();
        let files = store_files(store, now, new);
        let mut changes = Changes::new();
        if let Some(batch) = batch {
            changes.insert_batch(batch)?;
        }
        let batch = batch.map(|batch| &batch.id);
        for file in &files {
            self.ingest.forget(Look::File { store: store.as_str(), file: file.id.as_str() });
            changes.put_store_file(file, batch)?;
        }
        let all_are_in = self.store.write(changes).await?;
        self.ingest.begin(files.iter().map(|file| (file.clone(), batch.map(Id::to_string))));
        if !all_are_in {
            // Another request has deleted the store or a file in the meantime.
            self.need_files(&ids).await?;
            return Err(KnowledgeError::NoStores(vec![store.to_string()]));
        }
        Ok(files)
    }

    /// Rejects files that cannot be put into a store.
    async fn check_added(&self, store: &Id<VectorStore>, files: &[String]) -> Result<()> {
        let found = self.store.find::<VectorStore>(store).await?;
        let found = found.ok_or_else(|| KnowledgeError::NoStores(vec![store.to_string()]))?;
        if found.is_expired() {
            return Err(KnowledgeError::Expired(store.to_string()));
        }
        if found.file_counts.total as usize + files.len() > limits::STORE_FILES {
            return Err(KnowledgeError::StoreFull(store.to_string()));
        }
        self.need_searchable(files).await
    }

    /// Adds files to a store together. Returns the batch in its first state, before any file is
    /// ready.
    pub async fn add_batch(
        &self,
        store: &Id<VectorStore>,
        new: Vec<NewStoreFile>,
    ) -> Result<FileBatch> {
        let batch = FileBatch::new(self.ids.next(), self.clock.now().seconds(), store.clone());
        // If several entries name the same file, the last one counts.
        let later: HashMap<&str, usize> =
            new.iter().enumerate().map(|(place, it)| (it.file_id.as_str(), place)).collect();
        let wanted = new
            .iter()
            .enumerate()
            .filter(|(place, it)| later.get(it.file_id.as_str()) == Some(place));
        let wanted: Vec<_> = wanted.map(|(_, it)| it.clone()).collect();
        let total = wanted.len() as u64;
        self.add_files(store, wanted, Some(&batch)).await?;
        Ok(batch.begun(total))
    }

    /// Cancels the files of a batch that are not ready yet.
    pub async fn cancel_batch(&self, batch: &FileBatch) -> Result<FileBatch> {
        let mut changes = Changes::new();
        changes.cancel_batch(&batch.id);
        self.store.write(changes).await?;
        self.ingest.forget(Look::Batch(batch.id.as_str()));
        let key = (batch.vector_store_id.clone(), batch.id.clone());
        let after = self.store.find::<FileBatch>(&key).await?;
        after.ok_or_else(|| KnowledgeError::NoStores(vec![batch.vector_store_id.to_string()]))
    }

    /// The first of these stores that has expired, if one has.
    pub async fn expired_among(&self, stores: &[String]) -> Result<Option<String>> {
        for id in stores {
            let found = self.store.find::<VectorStore>(&Id::new(id.as_str())).await?;
            if found.is_some_and(|store| store.is_expired()) {
                return Ok(Some(id.clone()));
            }
        }
        Ok(None)
    }

    /// The existing stores of a run. Their use postpones their expiry. An expired store is an
    /// error.
    pub async fn stores_of_run(&self, stores: &[String]) -> Result<Vec<VectorStore>> {
        let now = self.clock.now().seconds();
        let mut found = Vec::new();
        for id in stores {
            let key = Id::new(id.as_str());
            let Some(store) = self.store.find::<VectorStore>(&key).await? else { continue };
            if store.is_expired() {
                return Err(KnowledgeError::Expired(id.clone()));
            }
            if store.last_active_at != now {
                self.store.update(&key, |store: &mut VectorStore| store.touch(now)).await?;
            }
            found.push(store);
        }
        Ok(found)
    }

    /// The files of a run: those with these ids, and the first ones of its stores.
    pub async fn files_of_run(
        &self,
        ids: Vec<String>,
        stores: &[VectorStore],
    ) -> Result<Vec<File>> {
        let mut ids = ids;
        for store in stores {
            let first = PageRequest {
                limit: limits::PAGE_DEFAULT,
                order: Order::Ascending,
                after: None,
                before: None,
            };
            if let Paged::Page(page) = self
                .store
                .list::<StoreFile>(&[("vector_store_id", store.id.as_str())], &first)
                .await?
            {
                ids.extend(page.items.iter().map(|file| file.id.to_string()));
            }
        }
        Ok(self.store.find_files(&once(ids)).await?.into_iter().flatten().collect())
    }

    pub(super) async fn need_files(&self, ids: &[String]) -> Result<Vec<File>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.store.find_files(ids).await?;
        ids.iter()
            .zip(found)
            .map(|(id, file)| file.ok_or_else(|| KnowledgeError::NoFile(id.clone())))
            .collect()
    }

    /// Rejects files if their names say that they have no searchable text.
    pub(super) async fn need_searchable(&self, ids: &[String]) -> Result<()> {
        let files = self.need_files(ids).await?;
        let wrong = files.iter().filter(|file| !extract::is_searchable(file.extension()));
        let wrong = once(wrong.map(|file| format!(".{}", file.extension().unwrap_or_default())));
        if wrong.is_empty() { Ok(()) } else { Err(KnowledgeError::NotSearchable(wrong)) }
    }
}

pub(super) fn new_files(ids: &[String]) -> Vec<NewStoreFile> {
    let new = |file_id: &String| NewStoreFile {
        file_id: file_id.clone(),
        chunking: Chunking::default(),
        attributes: Attributes::default(),
    };
    ids.iter().map(new).collect()
}

fn give_interpreter(resources: &mut ToolResources, files: &[String]) {
    if files.is_empty() {
        return;
    }
    let CodeInterpreterResources { file_ids } = resources.code_interpreter.get_or_insert_default();
    for file in files {
        if !file_ids.contains(file) {
            file_ids.push(file.clone());
        }
    }
}
