//! How the v1 files of assistants and messages reach the tools that use them.

use super::{
    Knowledge, Result,
    ingest::once,
    resources::{AttachedFiles, new_files},
};
use crate::{
    extract,
    types::{
        Assistant, File, Id, StoreFile, Tool, VectorStore, Version,
        message::{AttachmentTool, NewMessage},
        tool::searches,
        vector_store::NewVectorStore,
    },
};

impl Knowledge {
    /// Rejects files that these tools cannot get: missing files and, if the only tool is search,
    /// files without text.
    pub async fn check_given(&self, tools: &[Tool], files: &[String]) -> Result<()> {
        self.need_files(files).await?;
        let interprets = tools.iter().any(|tool| matches!(tool, Tool::CodeInterpreter));
        if searches(tools) && !interprets { self.need_searchable(files).await } else { Ok(()) }
    }

    /// Makes the v1 files of an assistant searchable, in a store for v1 only. The store is created
    /// when a tool searches for the first time. After that, new files of the assistant are added to
    /// it, and removed files leave it.
    pub async fn restock(
        &self,
        assistant: Assistant,
        tools: &[Tool],
        taken: &[String],
    ) -> Result<Assistant> {
        let files = self.searchable(&assistant).await?;
        match self.usable(assistant.v1_store.as_ref()).await? {
            Some(store) => {
                let new = self.not_yet_in(&store, &files).await?;
                if !new.is_empty() {
                    self.add_files(&store, new_files(&new), None).await?;
                }
                self.take_out(&store, taken).await?;
                Ok(assistant)
            }
            None if files.is_empty() || !searches(tools) => Ok(assistant),
            None => {
                let store = self
                    .make_store(NewVectorStore { file_ids: files, ..NewVectorStore::default() })
                    .await?
                    .id;
                let update = |assistant: &mut Assistant| assistant.v1_store = Some(store.clone());
                let updated = self.store.update(&assistant.id, update).await?;
                Ok(updated.unwrap_or(assistant))
            }
        }
    }

    async fn searchable(&self, assistant: &Assistant) -> Result<Vec<String>> {
        let ids: Vec<_> = assistant.files.iter().map(|given| given.id.to_string()).collect();
        let found = self.store.find_files(&once(ids)).await?;
        Ok(searchable(found.iter().flatten()))
    }

    async fn take_out(&self, store: &Id<VectorStore>, taken: &[String]) -> Result<()> {
        for file in taken {
            if let Some(file) =
                self.store.find::<StoreFile>(&(store.clone(), Id::new(file.as_str()))).await?
            {
                self.remove_from_store(&file).await?;
            }
        }
        Ok(())
    }

    /// The files that come with messages. A v1 file is for every tool that can use it.
    pub async fn brought(
        &self,
        version: Version,
        messages: &mut [NewMessage],
    ) -> Result<AttachedFiles> {
        if version.is_v2() {
            return Ok(AttachedFiles::to(messages));
        }
        for attachment in messages.iter_mut().flat_map(|message| &mut message.attachments) {
            let found = self.need_files(std::slice::from_ref(&attachment.file_id)).await?;
            if searchable(&found).is_empty() {
                attachment.tools.retain(|tool| *tool != AttachmentTool::FileSearch);
            }
        }
        Ok(AttachedFiles::to(messages).of_v1())
    }

    /// Locked while the files of an assistant change under v1, so that two requests cannot both
    /// create a store for it.
    pub async fn alone(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.attaching.lock().await
    }
}

fn searchable<'f>(files: impl IntoIterator<Item = &'f File>) -> Vec<String> {
    files
        .into_iter()
        .filter(|file| extract::is_searchable(file.extension()))
        .map(|file| file.id.to_string())
        .collect()
}
