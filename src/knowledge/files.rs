//! Creates files, complete or from parts, and deletes them. It keeps rows and contents consistent.

use md5::{Digest, Md5};

use super::{Knowledge, KnowledgeError, Result, ingest::Look, on_disk};
use crate::{
    store::{Changes, blobs::Draft},
    types::{
        File, Id, StoreFile, Upload, UploadPart, VectorStore,
        file::NewFile,
        limits,
        upload::{CompleteUpload, UploadStatus},
    },
};

impl Knowledge {
    /// Creates a file from a draft.
    pub async fn make_file(&self, id: Id<File>, new: NewFile, draft: Draft) -> Result<File> {
        self.keep_as(id, new, draft).await
    }

    /// Creates a file with a known id, unless the file exists. Seeded files and the files that a
    /// run gives to the user have such ids.
    pub async fn make_file_as(&self, id: Id<File>, new: NewFile, content: Vec<u8>) -> Result<File> {
        if let Some(file) = self.store.find::<File>(&id).await? {
            return Ok(file);
        }
        let store = self.store.clone();
        let written = on_disk(move || {
            let mut draft = store.blobs().begin()?;
            draft.write(&content)?;
            Ok(draft)
        });
        self.keep_as(id, new, written.await?).await
    }

    async fn keep_as(&self, id: Id<File>, new: NewFile, draft: Draft) -> Result<File> {
        let file = File::new(id, self.clock.now().seconds(), new, draft.bytes());
        let mut changes = Changes::new();
        changes.insert_file(&file, draft.name())?;
        self.store.write(changes).await?;
        // Another request may have been faster with the same id and another content.
        if self.store.blob_of(&file.id).await?.as_deref() == Some(draft.name()) {
            draft.keep();
        }
        if file.expires_at.is_some() {
            self.expiries.changed();
        }
        Ok(file)
    }

    /// The file with this id, name or path. If several have the name, the newest.
    pub async fn file_called(&self, called: &str) -> Result<Option<File>> {
        if let Some(file) = self.store.find::<File>(&Id::new(called)).await? {
            return Ok(Some(file));
        }
        match self.store.file_named(called).await? {
            Some(file) => Ok(Some(file)),
            None => {
                Ok(self.store.file_named(called.rsplit('/').next().unwrap_or_default()).await?)
            }
        }
    }

    /// A file and its content. `None` if there is no such file.
    pub async fn content_of(&self, id: &str) -> Result<Option<(File, Vec<u8>)>> {
        let Some(file) = self.store.find::<File>(&Id::new(id)).await? else { return Ok(None) };
        let content = self.store.content_of(&file.id).await?;
        Ok(content.map(|content| (file, content)))
    }

    /// A file and its text. `None` if there is no such file, or if it has no text.
    pub async fn text_of(&self, id: &str) -> Result<Option<(File, String)>> {
        let Some(file) = self.store.find::<File>(&Id::new(id)).await? else { return Ok(None) };
        let text = self.ingest.text_of(id).await?;
        Ok(text.ok().map(|text| (file, text)))
    }

    /// Deletes a file in all places. Returns whether it existed.
    pub async fn delete_file(&self, id: &Id<File>) -> Result<bool> {
        self.ingest.forget(Look::Anywhere(id.as_str()));
        let mut changes = Changes::new();
        changes.delete_file(id);
        let was_there = self.store.write(changes).await?;
        self.store.bury_the_dead().await?;
        Ok(was_there)
    }

    /// Removes a file from a store; the file itself stays.
    pub async fn remove_from_store(&self, file: &StoreFile) -> Result<bool> {
        let mut changes = Changes::new();
        changes.delete_store_file(file);
        let was_there = self.store.write(changes).await?;
        self.ingest
            .forget(Look::File { store: file.vector_store_id.as_str(), file: file.id.as_str() });
        Ok(was_there)
    }

    pub async fn delete_store(&self, id: &Id<VectorStore>) -> Result<bool> {
        let was_there = self.store.delete(id).await?;
        self.ingest.forget(Look::Store(id.as_str()));
        Ok(was_there)
    }

    pub async fn make_upload(&self, upload: &Upload) -> Result<()> {
        let mut changes = Changes::new();
        changes.insert_upload(upload)?;
        self.store.write(changes).await?;
        self.expiries.changed();
        Ok(())
    }

    /// Adds a part to an upload.
    pub async fn add_part(&self, upload: &Upload, draft: Draft) -> Result<UploadPart> {
        let limit = limits::PART_BYTES.saturating_add(upload.bytes);
        if self.store.bytes_of_parts(&upload.id).await?.unsigned_abs() + draft.bytes() > limit {
            return Err(KnowledgeError::WrongBytes { expected: upload.bytes, got: limit + 1 });
        }
        let part = UploadPart::new(self.ids.next(), self.clock.now().seconds(), upload.id.clone());
        let mut changes = Changes::new();
        changes.insert_part(&part, draft.name(), draft.bytes())?;
        if !self.store.write(changes).await? {
            return Err(self.not_pending(&upload.id).await?);
        }
        draft.keep();
        Ok(part)
    }

    /// Joins the parts in the given order and creates a file from them.
    pub async fn complete(&self, upload: &Upload, how: &CompleteUpload) -> Result<Upload> {
        if upload.status != UploadStatus::Pending {
            return Err(KnowledgeError::NotPending {
                id: upload.id.to_string(),
                status: upload.status,
            });
        }
        let parts = self.store.parts_of(&upload.id).await?;
        let (mut blobs, mut bytes) = (Vec::new(), 0);
        for id in &how.part_ids {
            let Some((_, blob, size)) = parts.iter().find(|(known, ..)| known == id) else {
                return Err(KnowledgeError::NoSuchPart {
                    part: id.clone(),
                    upload: upload.id.to_string(),
                });
            };
            blobs.push(blob.clone());
            bytes += size.unsigned_abs();
        }
        if bytes != upload.bytes {
            return Err(KnowledgeError::WrongBytes { expected: upload.bytes, got: bytes });
        }
        let draft = match self.put_together(blobs, how.md5.clone()).await {
            // Another request has completed or cancelled the upload in the meantime, so its parts
            // are gone.
            Err(KnowledgeError::Disk(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(self.not_pending(&upload.id).await?);
            }
            put_together => put_together?,
        };
        let file = upload.becomes(self.ids.next());
        let end = |upload: &mut Upload| {
            upload.status = UploadStatus::Completed;
            upload.file = Some(file.clone());
        };
        match self.store.complete_upload(&upload.id, &file, draft.name(), end).await? {
            Some((completed, true)) => {
                draft.keep();
                self.store.bury_the_dead().await?;
                if file.expires_at.is_some() {
                    self.expiries.changed();
                }
                Ok(completed)
            }
            Some((other, false)) => {
                Err(KnowledgeError::NotPending { id: other.id.to_string(), status: other.status })
            }
            None => Err(self.not_pending(&upload.id).await?),
        }
    }

    async fn put_together(&self, blobs: Vec<String>, md5: Option<String>) -> Result<Draft> {
        let store = self.store.clone();
        let written = on_disk(move || {
            let mut draft = store.blobs().begin()?;
            let mut digest = Md5::new();
            for blob in &blobs {
                let mut part = store.blobs().open(blob)?;
                match md5 {
                    Some(_) => {
                        draft.append(&mut ChecksumReader { source: part, digest: &mut digest })?
                    }
                    None => draft.append(&mut part)?,
                }
            }
            let got: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            let wrong = md5.filter(|expected| !expected.eq_ignore_ascii_case(&got));
            Ok(match wrong {
                Some(expected) => Err(KnowledgeError::WrongChecksum { expected, got }),
                None => Ok(draft),
            })
        });
        written.await?
    }

    /// Ends a pending upload without a file, and deletes its parts.
    pub async fn end_upload(&self, id: &Id<Upload>, status: UploadStatus) -> Result<Upload> {
        let ended = self.store.change(id, |upload: &mut Upload| {
            if upload.status != UploadStatus::Pending {
                return Err(KnowledgeError::NotPending {
                    id: upload.id.to_string(),
                    status: upload.status,
                });
            }
            upload.status = status;
            Ok(())
        });
        let upload = match ended.await? {
            Some(ended) => ended?,
            None => return Err(KnowledgeError::NotPending { id: id.to_string(), status }),
        };
        let mut changes = Changes::new();
        changes.delete_parts(id);
        self.store.write(changes).await?;
        self.store.bury_the_dead().await?;
        Ok(upload)
    }

    async fn not_pending(&self, id: &Id<Upload>) -> Result<KnowledgeError> {
        let upload = self.store.find::<Upload>(id).await?;
        let status = upload.map_or(UploadStatus::Cancelled, |upload| upload.status);
        Ok(KnowledgeError::NotPending { id: id.to_string(), status })
    }
}

/// A reader that computes the checksum of its source.
struct ChecksumReader<'d, R> {
    source: R,
    digest: &'d mut Md5,
}

impl<R: std::io::Read> std::io::Read for ChecksumReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.digest.update(&buffer[..read]);
        Ok(read)
    }
}
