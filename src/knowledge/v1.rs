//! How the files that v1 gives to assistants and messages come to the tools that work with them.

use super::{
    Denied, Knowledge, Result,
    ingest::once,
    resources::{Attached, new_files},
};
use crate::{
    extract,
    types::{
        Assistant, File, Id, StoreFile, Tool, VectorStore, Version,
        assistant::Given,
        limits,
        message::{AttachmentTool, NewMessage},
        tool::ToolResources,
        vector_store::NewVectorStore,
    },
};

/// An assistant's files as they are to be, and what its tools make of them.
#[derive(Clone, Debug)]
pub struct Regiven {
    pub files: Vec<Given>,
    pub tool_resources: ToolResources,
}

impl Knowledge {
    /// Gives an assistant these files in place of those that v1 gave it before. The code interpreter gets all of
    /// them; what can be searched goes into a vector store, which is the assistant's own.
    pub async fn regive(&self, assistant: &Assistant, wanted: Vec<String>) -> Result<Regiven> {
        let wanted = once(wanted);
        let found = self.need_files(&wanted).await?;
        let taken: Vec<&str> = assistant.files.iter().map(|given| given.id.as_str()).collect();
        let taken: Vec<&str> = taken.into_iter().filter(|id| !wanted.iter().any(|kept| kept == id)).collect();
        let mut tool_resources = assistant.tool_resources.clone();
        let interprets = assistant.tools.iter().any(|tool| matches!(tool, Tool::CodeInterpreter));
        if let Some(resources) = &mut tool_resources.code_interpreter {
            resources.file_ids.retain(|id| !taken.contains(&id.as_str()));
        }
        if interprets {
            let resources = tool_resources.code_interpreter.get_or_insert_default();
            let missing = wanted.iter().filter(|id| !resources.file_ids.contains(id)).cloned().collect::<Vec<_>>();
            resources.file_ids.extend(missing);
            if resources.file_ids.len() > limits::CODE_INTERPRETER_FILES {
                return Err(Denied::TooManyToolFiles(resources.file_ids.len()));
            }
        }
        if assistant.tools.iter().any(|tool| matches!(tool, Tool::FileSearch { .. })) {
            let searched = if interprets { searchable(&found) } else { wanted.clone() };
            self.need_searchable(&searched).await?;
            self.restock(&mut tool_resources, &searched, &taken).await?;
        }
        let now = self.clock.now().seconds();
        let given = |id: &String| {
            let before = assistant.files.iter().find(|given| given.id.as_str() == id);
            before.cloned().unwrap_or_else(|| Given { id: Id::new(id.as_str()), created_at: now })
        };
        Ok(Regiven { files: wanted.iter().map(given).collect(), tool_resources })
    }

    /// Puts files into the store of these resources, one that is made if need be, and takes others out of it.
    async fn restock(&self, resources: &mut ToolResources, files: &[String], taken: &[&str]) -> Result<()> {
        let search = resources.file_search.get_or_insert_default();
        let Some(store) = self.usable(search.vector_store_ids.first()).await? else {
            if !files.is_empty() {
                let new = NewVectorStore { file_ids: files.to_vec(), ..NewVectorStore::default() };
                search.vector_store_ids = vec![self.make_store(new).await?.id.to_string()];
            }
            return Ok(());
        };
        let new = self.not_yet_in(&store, files).await?;
        if !new.is_empty() {
            self.add_files(&store, new_files(&new), None).await?;
        }
        self.take_out(&store, taken).await
    }

    async fn take_out(&self, store: &Id<VectorStore>, taken: &[&str]) -> Result<()> {
        for file in taken {
            if let Some(file) = self.store.find::<StoreFile>(&[store.to_string(), (*file).to_owned()]).await? {
                self.remove_from_store(&file).await?;
            }
        }
        Ok(())
    }

    /// The files that messages bring along. Those of v1 are for every tool that can do something with them.
    pub async fn brought(&self, version: Version, messages: &mut [NewMessage]) -> Result<Attached> {
        if version.is_v2() {
            return Ok(Attached::to(messages));
        }
        for attachment in messages.iter_mut().flat_map(|message| &mut message.attachments) {
            let found = self.need_files(std::slice::from_ref(&attachment.file_id)).await?;
            if searchable(&found).is_empty() {
                attachment.tools.retain(|tool| *tool != AttachmentTool::FileSearch);
            }
        }
        Ok(Attached::to(messages).without_bounds())
    }

    /// Held while the files of an assistant change under v1, so that no two make a store for it.
    pub async fn alone(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.attaching.lock().await
    }
}

fn searchable(files: &[File]) -> Vec<String> {
    files.iter().filter(|file| extract::is_searchable(file.extension())).map(|file| file.id.to_string()).collect()
}
