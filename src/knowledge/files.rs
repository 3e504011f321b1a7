//! Makes files, whole or out of parts, and deletes them, so that rows and contents never part.

use md5::{Digest, Md5};

use super::{Denied, Knowledge, Result, on_disk};
use crate::{
    store::{Changes, blobs::Draft},
    types::{
        File, Id, StoreFile, Upload, UploadPart, VectorStore,
        file::{NewFile, Purpose},
        upload::{CompleteUpload, UploadStatus},
    },
};

impl Knowledge {
    /// Makes a file of what was written down.
    pub async fn make_file(&self, new: NewFile, draft: Draft) -> Result<File> {
        let file = File::new(self.ids.next(), self.clock.now().seconds(), new, draft.bytes());
        self.keep_file(&file, draft).await?;
        Ok(file)
    }

    /// Makes a file that a run gives to the user, unless it is there already.
    pub async fn give_file(&self, id: Id<File>, filename: String, content: Vec<u8>) -> Result<File> {
        if let Some(file) = self.store.find::<File>(&[id.to_string()]).await? {
            return Ok(file);
        }
        let draft = self.draft_of(content).await?;
        let new = NewFile { filename, purpose: Purpose::AssistantsOutput, expires_after: None };
        let file = File::new(id, self.clock.now().seconds(), new, draft.bytes());
        self.keep_file(&file, draft).await?;
        Ok(file)
    }

    /// Puts a file in that is to exist from the start, unless it does.
    pub async fn seed_file(&self, id: Id<File>, new: NewFile, content: Vec<u8>) -> Result<()> {
        if self.store.find::<File>(&[id.to_string()]).await?.is_none() {
            let draft = self.draft_of(content).await?;
            let file = File::new(id, self.clock.now().seconds(), new, draft.bytes());
            self.keep_file(&file, draft).await?;
        }
        Ok(())
    }

    /// A file by its id or its name; of several of the same name, the newest.
    pub async fn file_called(&self, called: &str) -> Result<Option<File>> {
        match self.store.find::<File>(&[called.to_owned()]).await? {
            Some(file) => Ok(Some(file)),
            None => Ok(self.store.file_named(called).await?),
        }
    }

    async fn draft_of(&self, content: Vec<u8>) -> Result<Draft> {
        let store = self.store.clone();
        let write = move || {
            let mut draft = store.blobs().begin()?;
            draft.push(&content);
            draft.flush()?;
            Ok(draft)
        };
        Ok(on_disk(write).await?)
    }

    async fn keep_file(&self, file: &File, draft: Draft) -> Result<()> {
        let mut changes = Changes::new();
        changes.insert_file(file, draft.name())?;
        self.store.write(changes).await?;
        draft.keep();
        if file.expires_at.is_some() {
            self.expiries.changed();
        }
        Ok(())
    }

    /// Deletes a file wherever it is. Answers whether it was there.
    pub async fn delete_file(&self, id: &Id<File>) -> Result<bool> {
        let mut changes = Changes::new();
        changes.delete_file(id);
        let was_there = self.store.write(changes).await?;
        self.store.bury_the_dead().await?;
        Ok(was_there)
    }

    /// Takes a file out of a store; the file itself stays.
    pub async fn remove_from_store(&self, file: &StoreFile) -> Result<bool> {
        let mut changes = Changes::new();
        changes.delete_store_file(file);
        Ok(self.store.write(changes).await?)
    }

    pub async fn delete_store(&self, id: &Id<VectorStore>) -> Result<bool> {
        Ok(self.store.delete(id).await?)
    }

    pub async fn make_upload(&self, upload: &Upload) -> Result<()> {
        let mut changes = Changes::new();
        changes.insert_upload(upload)?;
        self.store.write(changes).await?;
        self.expiries.changed();
        Ok(())
    }

    /// Adds a part to an upload.
    pub async fn add_part(&self, upload: &Id<Upload>, draft: Draft) -> Result<UploadPart> {
        let part = UploadPart::new(self.ids.next(), self.clock.now().seconds(), upload.clone());
        let mut changes = Changes::new();
        changes.insert_part(&part, draft.name(), draft.bytes())?;
        if !self.store.write(changes).await? {
            return Err(self.not_pending(upload).await?);
        }
        draft.keep();
        Ok(part)
    }

    /// Puts the parts together, in the order given, and makes a file of them.
    pub async fn complete(&self, upload: &Upload, how: &CompleteUpload) -> Result<Upload> {
        if upload.status != UploadStatus::Pending {
            return Err(Denied::NotPending { id: upload.id.to_string(), status: upload.status });
        }
        let parts = self.store.parts_of(&upload.id).await?;
        let (mut blobs, mut bytes) = (Vec::new(), 0);
        for id in &how.part_ids {
            let Some((_, blob, size)) = parts.iter().find(|(known, ..)| known == id) else {
                return Err(Denied::NoSuchPart { part: id.clone(), upload: upload.id.to_string() });
            };
            blobs.push(blob.clone());
            bytes += size.unsigned_abs();
        }
        if bytes != upload.bytes {
            return Err(Denied::WrongBytes { expected: upload.bytes, got: bytes });
        }
        let draft = self.put_together(blobs, how.md5.clone()).await?;
        let file = upload.becomes(self.ids.next());
        let mut changes = Changes::new();
        changes.insert_file(&file, draft.name())?;
        self.store.write(changes).await?;
        draft.keep();
        // Of two that complete the same upload, one gets its file.
        let end = self.end_upload(&upload.id, UploadStatus::Completed, Some(&file)).await;
        if end.is_err() {
            self.delete_file(&file.id).await?;
        } else if file.expires_at.is_some() {
            self.expiries.changed();
        }
        end
    }

    async fn put_together(&self, blobs: Vec<String>, md5: Option<String>) -> Result<Draft> {
        let store = self.store.clone();
        let written = on_disk(move || {
            let mut draft = store.blobs().begin()?;
            let mut digest = Md5::new();
            for blob in &blobs {
                draft.append(&mut store.blobs().open(blob)?)?;
                if md5.is_some() {
                    std::io::copy(&mut store.blobs().open(blob)?, &mut Summing(&mut digest))?;
                }
            }
            let got: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            let wrong = md5.filter(|expected| !expected.eq_ignore_ascii_case(&got));
            Ok(match wrong {
                Some(expected) => Err(Denied::WrongChecksum { expected, got }),
                None => Ok(draft),
            })
        });
        written.await?
    }

    /// Ends an upload that is pending. Its parts are not needed any more.
    pub async fn end_upload(&self, id: &Id<Upload>, status: UploadStatus, file: Option<&File>) -> Result<Upload> {
        let ids = [id.to_string()];
        let ended = self.store.change(&ids, |upload: &mut Upload| {
            if upload.status != UploadStatus::Pending {
                return Err(Denied::NotPending { id: upload.id.to_string(), status: upload.status });
            }
            upload.status = status;
            upload.file = file.cloned();
            Ok(())
        });
        let upload = match ended.await? {
            Some(ended) => ended?,
            None => return Err(Denied::NotPending { id: id.to_string(), status }),
        };
        let mut changes = Changes::new();
        changes.delete_parts(id);
        self.store.write(changes).await?;
        self.store.bury_the_dead().await?;
        Ok(upload)
    }

    async fn not_pending(&self, id: &Id<Upload>) -> Result<Denied> {
        let upload = self.store.find::<Upload>(&[id.to_string()]).await?;
        let status = upload.map_or(UploadStatus::Cancelled, |upload| upload.status);
        Ok(Denied::NotPending { id: id.to_string(), status })
    }
}

/// Adds up a checksum of what is written to it.
struct Summing<'d>(&'d mut Md5);

impl std::io::Write for Summing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
