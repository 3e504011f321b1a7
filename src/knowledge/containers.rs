//! Containers and the files in them. A file that is copied into a container has its own content, so
//! it stays when the original is deleted. An expired container is visible, but its files are not.

use super::{Knowledge, KnowledgeError, Result, on_disk};
use crate::{
    store::{Changes, blobs::Draft},
    types::{
        Container, ContainerFile, File, Id, Timestamp,
        container::{ContainerStatus, FileSource, NewContainer},
        resource::Spelling,
    },
};

impl Knowledge {
    /// Creates a container with copies of the given files.
    pub async fn make_container(&self, id: Id<Container>, new: &NewContainer) -> Result<Container> {
        let container = Container::new(id, self.clock.now().seconds(), new);
        let mut changes = Changes::new();
        changes.insert_container(&container)?;
        let mut drafts = Vec::new();
        for id in new.file_ids() {
            let (file, draft) = self.copy(&container.id, &Id::new(id.as_str())).await?;
            changes.insert_container_file(&file, draft.name())?;
            drafts.push(draft);
        }
        if self.store.write(changes).await? {
            drafts.into_iter().for_each(Draft::keep);
        }
        self.expiries.changed();
        Ok(container)
    }

    /// Notes that a response uses a container. Creates the container first if necessary.
    pub async fn use_container(
        &self,
        id: &Id<Container>,
        new: Option<&NewContainer>,
    ) -> Result<()> {
        match new {
            Some(new) if self.store.find::<Container>(id).await?.is_none() => {
                self.make_container(id.clone(), new).await.map(drop)
            }
            _ => self.touch_container(id).await,
        }
    }

    /// Notes the use of a container, which postpones its expiry.
    pub async fn touch_container(&self, id: &Id<Container>) -> Result<()> {
        let now = self.clock.now().seconds();
        let found = self.store.find::<Container>(id).await?;
        if found.is_some_and(|container| container.touched_at(now)) {
            self.store.update(id, |container: &mut Container| container.touch(now)).await?;
        }
        Ok(())
    }

    /// A running container.
    pub async fn running_container(&self, id: &Id<Container>) -> Result<Container> {
        let container = self.store.find::<Container>(id).await?;
        let container = container.ok_or_else(|| KnowledgeError::NoContainer(id.to_string()))?;
        if container.is_expired(self.clock.now().seconds()) {
            return Err(KnowledgeError::ContainerExpired);
        }
        Ok(container)
    }

    /// Puts the upload of a client into a container.
    pub async fn upload_into(
        &self,
        container: &Id<Container>,
        filename: &str,
        draft: Draft,
    ) -> Result<ContainerFile> {
        // Recorded: 32 hexadecimal digits, which are not a checksum.
        let before: Id<ContainerFile> = self.ids.next_as("", Spelling::Hex);
        let path = ContainerFile::path_of(Some(before.as_str()), filename);
        let (id, at) = (self.ids.next(), self.clock.now().seconds());
        let (container, bytes) = (container.clone(), draft.bytes());
        let file = ContainerFile::new(id, at, container, path, bytes, FileSource::User);
        self.keep_in_container(file, draft).await
    }

    /// Copies a file into a container.
    pub async fn copy_into(
        &self,
        container: &Id<Container>,
        file: &Id<File>,
    ) -> Result<ContainerFile> {
        let (file, draft) = self.copy(container, file).await?;
        self.keep_in_container(file, draft).await
    }

    /// Stores a file of a response, unless it exists already.
    pub async fn make_in_container(
        &self,
        container: &Id<Container>,
        id: Id<ContainerFile>,
        filename: &str,
        content: Vec<u8>,
    ) -> Result<()> {
        let key = (container.clone(), id);
        if self.store.find::<ContainerFile>(&key).await?.is_some() {
            return Ok(());
        }
        let (store, path) = (self.store.clone(), ContainerFile::path_of(None, filename));
        let draft = on_disk(move || {
            let mut draft = store.blobs().begin()?;
            draft.write(&content)?;
            Ok(draft)
        });
        let (draft, at) = (draft.await?, self.clock.now().seconds());
        let (container, id) = key;
        let file =
            ContainerFile::new(id, at, container, path, draft.bytes(), FileSource::Assistant);
        self.keep_in_container(file, draft).await.map(drop)
    }

    /// Returns whether the file existed.
    pub async fn delete_from_container(
        &self,
        container: &Id<Container>,
        file: &Id<ContainerFile>,
    ) -> Result<bool> {
        let mut changes = Changes::new();
        changes.delete_container_file(container, file);
        let was_there = self.store.write(changes).await?;
        self.store.bury_the_dead().await?;
        self.touch_container(container).await?;
        Ok(was_there)
    }

    /// Deletes a container with all its files. Returns whether it existed.
    pub async fn delete_container(&self, id: &Id<Container>) -> Result<bool> {
        let was_there = self.store.delete(id).await?;
        self.store.bury_the_dead().await?;
        Ok(was_there)
    }

    /// Ends a container that was unused for too long, and deletes its files.
    pub(super) async fn expire_container(&self, id: &Id<Container>, now: Timestamp) -> Result<()> {
        let found = self.store.find::<Container>(id).await?;
        if !found.is_some_and(|container| container.is_expired(now)) {
            return Ok(());
        }
        // First the files: after a crash between the two writes, the container is still due.
        let mut changes = Changes::new();
        changes.empty_container(id);
        self.store.write(changes).await?;
        let expire = |container: &mut Container| container.status = ContainerStatus::Expired;
        self.store.update(id, expire).await?;
        Ok(self.store.bury_the_dead().await?)
    }

    /// A copy of a file for a container, with its content. Recorded: the path of the copy has the
    /// id of the file before the name.
    async fn copy(
        &self,
        container: &Id<Container>,
        id: &Id<File>,
    ) -> Result<(ContainerFile, Draft)> {
        let missing = || KnowledgeError::NoFile(id.to_string());
        let file = self.store.find::<File>(id).await?.ok_or_else(missing)?;
        let blob = self.store.blob_of(id).await?.ok_or_else(missing)?;
        let store = self.store.clone();
        let draft = on_disk(move || {
            let mut draft = store.blobs().begin()?;
            draft.append(&mut store.blobs().open(&blob)?)?;
            Ok(draft)
        });
        let draft = draft.await?;
        let path = ContainerFile::path_of(Some(id.as_str()), &file.filename);
        let (own, at) = (self.ids.next(), self.clock.now().seconds());
        let (container, bytes) = (container.clone(), draft.bytes());
        let copy = ContainerFile::new(own, at, container, path, bytes, FileSource::User);
        Ok((copy, draft))
    }

    async fn keep_in_container(&self, file: ContainerFile, draft: Draft) -> Result<ContainerFile> {
        let mut changes = Changes::new();
        changes.insert_container_file(&file, draft.name())?;
        if !self.store.write(changes).await? {
            // Another request has deleted the container in the meantime, or it has expired.
            self.running_container(&file.container_id).await?;
            return Err(KnowledgeError::ContainerExpired);
        }
        draft.keep();
        self.touch_container(&file.container_id).await?;
        Ok(file)
    }
}
