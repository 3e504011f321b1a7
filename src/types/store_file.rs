//! A file in a vector store, and a batch of them: the status, the chunking and the attributes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Id, Resource, Timestamp, VectorStore,
    chunking::Chunking,
    limits,
    metadata::check_keys,
    reader::{Few, Fields, Path, Read, ValidationErrorKind, ValidationErrors, type_name},
    resource::Spelling,
    vector_store::FileCounts,
    words::words,
};

/// Its id is the id of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoreFile {
    pub id: Id<Self>,
    object: StoreFileObject,
    pub usage_bytes: u64,
    pub created_at: Timestamp,
    pub vector_store_id: Id<VectorStore>,
    pub status: StoreFileStatus,
    pub last_error: Option<IngestError>,
    pub chunking_strategy: Chunking,
    pub attributes: Attributes,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum StoreFileObject {
    #[serde(rename = "vector_store.file")]
    StoreFile,
}

words! {
    pub enum StoreFileStatus {
        InProgress = "in_progress",
        Completed = "completed",
        Failed = "failed",
        Cancelled = "cancelled",
    }
}

/// Why a file could not be made searchable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IngestError {
    pub code: IngestErrorCode,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IngestErrorCode {
    ServerError,
    UnsupportedFile,
    InvalidFile,
}

impl Resource for StoreFile {
    type Key = (Id<VectorStore>, Id<Self>);

    const PREFIX: &'static str = "file-";
    const SPELLING: Spelling = Spelling::Base58;
    const OBJECT: &'static str = "vector_store.file";
    const DELETED: &'static str = "vector_store.file.deleted";
    const NOUN: &'static str = "file";
    const PATH: &'static [&'static str] = &["vector_store_id", "file_id"];

    fn id(&self) -> &Id<Self> {
        &self.id
    }

    fn missing(ids: &[String]) -> String {
        let [.., store, file] = ids else { return String::new() };
        format!("No file found with id '{file}' in vector store '{store}'.")
    }
}

impl StoreFile {
    pub fn new(vector_store_id: Id<VectorStore>, created_at: Timestamp, new: NewStoreFile) -> Self {
        Self {
            id: Id::new(new.file_id),
            object: StoreFileObject::StoreFile,
            usage_bytes: 0,
            created_at,
            vector_store_id,
            status: StoreFileStatus::InProgress,
            last_error: None,
            chunking_strategy: new.chunking,
            attributes: new.attributes,
        }
    }

    pub fn is_final(&self) -> bool {
        self.status != StoreFileStatus::InProgress
    }
}

/// Up to 16 attributes that can narrow searches: strings, numbers, booleans.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attributes(Map<String, Value>);

impl Attributes {
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }
}

impl Read for Attributes {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let map = Map::read(value, at, errors)?;
        if !check_keys(&map, at, errors) {
            return None;
        }
        let mut sound = true;
        for (key, value) in &map {
            let fault = match value {
                Value::String(text) if text.chars().count() > limits::METADATA_VALUE => {
                    ValidationErrorKind::StringTooLong {
                        max: limits::METADATA_VALUE,
                        got: text.chars().count(),
                    }
                }
                Value::String(_) | Value::Number(_) | Value::Bool(_) => continue,
                other => ValidationErrorKind::WrongType {
                    expected: "one of a string, a number, or a boolean".to_owned(),
                    got: type_name(other),
                },
            };
            errors.note(&at.key(key), fault);
            sound = false;
        }
        sound.then_some(Self(map))
    }
}

/// A file to add to a store.
#[derive(Clone, Debug)]
pub struct NewStoreFile {
    pub file_id: String,
    pub chunking: Chunking,
    pub attributes: Attributes,
}

impl Read for NewStoreFile {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let file_id = fields.required("file_id");
        let chunking = fields.or_default("chunking_strategy");
        let attributes = fields.or_default("attributes");
        fields.finish();
        Some(Self { file_id: file_id?, chunking: chunking?, attributes: attributes? })
    }
}

/// The new attributes replace the old ones.
#[derive(Clone, Debug)]
pub struct AttributesChange {
    pub attributes: Attributes,
}

impl Read for AttributesChange {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        // Null removes them; a missing key is a mistake.
        let attributes = match fields.patch("attributes")? {
            super::Patch::Keep => return fields.error("attributes", ValidationErrorKind::Missing),
            other => other.set_or(Attributes::default()),
        };
        fields.finish();
        Some(Self { attributes })
    }
}

/// Files that a client adds to a store together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileBatch {
    pub id: Id<Self>,
    object: BatchObject,
    pub created_at: Timestamp,
    pub status: StoreFileStatus,
    pub vector_store_id: Id<VectorStore>,
    pub file_counts: FileCounts,
}

/// The OpenAPI document has `files_batch`; all recordings have this value.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum BatchObject {
    #[serde(rename = "vector_store.file_batch")]
    FileBatch,
}

impl Resource for FileBatch {
    type Key = (Id<VectorStore>, Id<Self>);

    const PREFIX: &'static str = "vsfb_";
    const SPELLING: Spelling = Spelling::Hex;
    const OBJECT: &'static str = "vector_store.file_batch";
    const DELETED: &'static str = "vector_store.file_batch.deleted";
    const NOUN: &'static str = "file batch";
    const PATH: &'static [&'static str] = &["vector_store_id", "batch_id"];

    fn id(&self) -> &Id<Self> {
        &self.id
    }
}

impl FileBatch {
    /// A batch before its files are counted.
    pub fn new(id: Id<Self>, created_at: Timestamp, vector_store_id: Id<VectorStore>) -> Self {
        Self {
            id,
            object: BatchObject::FileBatch,
            created_at,
            status: StoreFileStatus::Completed,
            vector_store_id,
            file_counts: FileCounts::default(),
        }
    }

    /// The batch after its files are counted, before any of them is ready.
    pub fn begun(self, files: u64) -> Self {
        let file_counts = FileCounts { in_progress: files, total: files, ..FileCounts::default() };
        Self { status: StoreFileStatus::InProgress, file_counts, ..self }
    }

    pub fn is_final(&self) -> bool {
        self.status != StoreFileStatus::InProgress
    }
}

/// Either ids with common settings, or files with their own settings.
#[derive(Clone, Debug)]
pub struct NewFileBatch {
    pub files: Vec<NewStoreFile>,
}

impl Read for NewFileBatch {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let file_ids = fields.optional::<Few<String, { limits::BATCH_FILES }>>("file_ids");
        let files = fields.optional::<Few<NewStoreFile, { limits::BATCH_FILES }>>("files");
        let chunking = fields.or_default::<Chunking>("chunking_strategy");
        let attributes = fields.or_default::<Attributes>("attributes");
        let files = match (file_ids?, files?) {
            (Some(ids), None) if ids.0.is_empty() => {
                return fields.error("file_ids", ValidationErrorKind::EmptyArray);
            }
            (None, Some(files)) if files.0.is_empty() => {
                return fields.error("files", ValidationErrorKind::EmptyArray);
            }
            (Some(ids), None) => {
                let (chunking, attributes) = (chunking?, attributes?);
                let new =
                    |file_id| NewStoreFile { file_id, chunking, attributes: attributes.clone() };
                ids.0.into_iter().map(new).collect()
            }
            (None, Some(files)) => files.0,
            (None, None) => return fields.error("file_ids", ValidationErrorKind::Missing),
            (Some(_), Some(_)) => {
                return fields.error("files", ValidationErrorKind::Excludes { other: "file_ids" });
            }
        };
        fields.finish();
        Some(Self { files })
    }
}
