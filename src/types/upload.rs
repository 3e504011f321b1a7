//! The upload: a file that comes in parts, within an hour.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Id, Resource, Timestamp,
    file::{File, FileExpiry, NewFile, Purpose},
    limits,
    reader::{Fields, Path, Read, ValidationErrors, checked, integer_between},
    resource::Spelling,
    words::words,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Upload {
    pub id: Id<Self>,
    object: UploadObject,
    pub bytes: u64,
    pub created_at: Timestamp,
    pub filename: String,
    pub purpose: Purpose,
    pub status: UploadStatus,
    pub expires_at: Timestamp,
    /// Set after the upload is completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<File>,
    /// The lifetime of the file. It is stored with the upload, but never shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_expiry: Option<FileExpiry>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum UploadObject {
    #[serde(rename = "upload")]
    Upload,
}

words! {
    pub enum UploadStatus {
        Pending = "pending",
        Completed = "completed",
        Cancelled = "cancelled",
        Expired = "expired",
    }
}

impl Resource for Upload {
    type Key = Id<Self>;

    const PREFIX: &'static str = "upload_";
    const SPELLING: Spelling = Spelling::Dated;
    const OBJECT: &'static str = "upload";
    const DELETED: &'static str = "upload.deleted";
    const NOUN: &'static str = "upload";
    const PATH: &'static [&'static str] = &["upload_id"];

    fn id(&self) -> &Id<Self> {
        &self.id
    }
}

impl Upload {
    pub fn new(id: Id<Self>, created_at: Timestamp, new: NewUpload) -> Self {
        Self {
            id,
            object: UploadObject::Upload,
            bytes: new.bytes,
            created_at,
            filename: new.file.filename,
            purpose: new.file.purpose,
            status: UploadStatus::Pending,
            expires_at: created_at + limits::UPLOAD_LIFETIME,
            file: None,
            file_expiry: new.file.expires_after,
        }
    }

    /// The file of the upload. Recorded: it has the creation time of the upload.
    pub fn becomes(&self, id: Id<File>) -> File {
        let new = NewFile {
            filename: self.filename.clone(),
            purpose: self.purpose,
            expires_after: self.file_expiry,
        };
        File::new(id, self.created_at, new, self.bytes)
    }

    /// The form in responses.
    pub fn view(mut self) -> Self {
        self.file_expiry = None;
        self
    }
}

/// A part of an upload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UploadPart {
    pub id: Id<Self>,
    object: PartObject,
    pub created_at: Timestamp,
    pub upload_id: Id<Upload>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum PartObject {
    #[serde(rename = "upload.part")]
    Part,
}

impl Resource for UploadPart {
    type Key = (Id<Upload>, Id<Self>);

    const PREFIX: &'static str = "part_";
    const SPELLING: Spelling = Spelling::Dated;
    const OBJECT: &'static str = "upload.part";
    const DELETED: &'static str = "upload.part.deleted";
    const NOUN: &'static str = "part";
    const PATH: &'static [&'static str] = &["upload_id", "part_id"];

    fn id(&self) -> &Id<Self> {
        &self.id
    }
}

impl UploadPart {
    pub fn new(id: Id<Self>, created_at: Timestamp, upload_id: Id<Upload>) -> Self {
        Self { id, object: PartObject::Part, created_at, upload_id }
    }
}

#[derive(Clone, Debug)]
pub struct NewUpload {
    pub file: NewFile,
    pub bytes: u64,
}

impl Read for NewUpload {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let filename = fields.required("filename");
        let purpose = fields.required("purpose");
        let bytes = fields.required::<i64>("bytes");
        // The declared type of the content has no effect here.
        let mime_type = fields.required::<String>("mime_type");
        let expires_after = fields.optional("expires_after");
        fields.finish();
        let bytes =
            checked(integer_between(bytes?, 1, limits::UPLOAD_BYTES), &at.key("bytes"), errors);
        mime_type?;
        let file =
            NewFile { filename: filename?, purpose: purpose?, expires_after: expires_after? };
        checked(
            super::file::check_extension(&file.filename, file.purpose),
            &at.key("filename"),
            errors,
        )?;
        Some(Self { file, bytes: bytes?.unsigned_abs() })
    }
}

/// The order of the parts, and the expected checksum.
#[derive(Clone, Debug)]
pub struct CompleteUpload {
    pub part_ids: Vec<String>,
    pub md5: Option<String>,
}

impl Read for CompleteUpload {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let part_ids = fields.required("part_ids");
        let md5 = fields.optional("md5");
        fields.finish();
        Some(Self { part_ids: part_ids?, md5: md5? })
    }
}
