//! The vector store: a collection of searchable files. The database maintains its counts and its
//! size when files are added, changed and removed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Id, Metadata, Patch, Resource, Timestamp,
    chunking::Chunking,
    limits,
    reader::{Few, Fields, Path, Read, ValidationErrors, checked, integer_between},
    resource::Spelling,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VectorStore {
    pub id: Id<Self>,
    object: VectorStoreObject,
    pub created_at: Timestamp,
    pub name: Option<String>,
    pub description: Option<String>,
    usage_bytes: u64,
    pub file_counts: FileCounts,
    pub status: VectorStoreStatus,
    pub expires_after: Option<ExpiresAfter>,
    pub expires_at: Option<Timestamp>,
    pub last_active_at: Timestamp,
    pub metadata: Metadata,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum VectorStoreObject {
    #[serde(rename = "vector_store")]
    VectorStore,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VectorStoreStatus {
    InProgress,
    Completed,
    Expired,
}

/// The number of files in each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileCounts {
    pub in_progress: u64,
    pub completed: u64,
    pub failed: u64,
    pub cancelled: u64,
    pub total: u64,
}

impl Resource for VectorStore {
    type Key = Id<Self>;

    const PREFIX: &'static str = "vs_";
    const SPELLING: Spelling = Spelling::Dated;
    const OBJECT: &'static str = "vector_store";
    const DELETED: &'static str = "vector_store.deleted";
    const NOUN: &'static str = "vector store";
    const PATH: &'static [&'static str] = &["vector_store_id"];

    fn id(&self) -> &Id<Self> {
        &self.id
    }
}

impl VectorStore {
    /// A store without files. They are counted when they are added.
    pub fn new(id: Id<Self>, created_at: Timestamp, new: NewVectorStore) -> Self {
        let mut store = Self {
            id,
            object: VectorStoreObject::VectorStore,
            created_at,
            name: new.name,
            description: new.description,
            usage_bytes: 0,
            file_counts: FileCounts::default(),
            status: VectorStoreStatus::Completed,
            expires_after: new.expires_after,
            expires_at: None,
            last_active_at: created_at,
            metadata: new.metadata,
        };
        store.touch(created_at);
        store
    }

    /// Notes a use of the store, which postpones its expiry.
    pub fn touch(&mut self, now: Timestamp) {
        self.last_active_at = now;
        self.expires_at = self.expires_after.map(|after| now + after.lifetime());
    }

    pub fn is_expired(&self) -> bool {
        self.status == VectorStoreStatus::Expired
    }

    pub fn change(&mut self, change: VectorStoreChange) {
        change.name.apply(&mut self.name);
        change.metadata.apply_or(&mut self.metadata, Metadata::default);
        if change.expires_after != Patch::Keep {
            change.expires_after.apply(&mut self.expires_after);
            self.touch(self.last_active_at);
        }
    }
}

/// The number of days after the last activity of the store.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExpiresAfter {
    anchor: Anchor,
    days: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Anchor {
    LastActiveAt,
}

impl ExpiresAfter {
    /// The value that the service gives to stores that it creates for a thread or for attachments.
    pub const OF_HELPERS: Self = Self { anchor: Anchor::LastActiveAt, days: 7 };

    fn lifetime(self) -> Duration {
        Duration::from_secs(self.days.unsigned_abs() * 86_400)
    }
}

impl Read for ExpiresAfter {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let anchor = fields.required::<String>("anchor");
        let days = fields.required::<i64>("days");
        fields.finish();
        let anchor = anchor?;
        if anchor != "last_active_at" {
            return errors.not_one_of(&at.key("anchor"), &anchor, &["last_active_at"]);
        }
        let days = checked(
            integer_between(days?, 1, limits::STORE_LIFETIME_DAYS),
            &at.key("days"),
            errors,
        )?;
        Some(Self { anchor: Anchor::LastActiveAt, days })
    }
}

#[derive(Clone, Debug, Default)]
pub struct NewVectorStore {
    pub name: Option<String>,
    pub description: Option<String>,
    pub file_ids: Vec<String>,
    pub chunking: Chunking,
    pub expires_after: Option<ExpiresAfter>,
    pub metadata: Metadata,
}

impl Read for NewVectorStore {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let name = fields.optional("name");
        let description = fields.optional("description");
        let file_ids = fields.or_default::<Few<String, { limits::STORE_CREATE_FILES }>>("file_ids");
        let chunking = fields.or_default("chunking_strategy");
        let expires_after = fields.optional("expires_after");
        let metadata = fields.or_default("metadata");
        fields.finish();
        Some(Self {
            name: name?,
            description: description?,
            file_ids: file_ids?.0,
            chunking: chunking?,
            expires_after: expires_after?,
            metadata: metadata?,
        })
    }
}

/// A new store in `tool_resources`.
#[derive(Clone, Debug)]
pub struct HelperStore(pub NewVectorStore);

impl Read for HelperStore {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let file_ids = fields.or_default::<Few<String, { limits::STORE_FILES }>>("file_ids");
        let chunking = fields.or_default("chunking_strategy");
        let metadata = fields.or_default("metadata");
        fields.finish();
        Some(Self(NewVectorStore {
            file_ids: file_ids?.0,
            chunking: chunking?,
            metadata: metadata?,
            expires_after: Some(ExpiresAfter::OF_HELPERS),
            ..NewVectorStore::default()
        }))
    }
}

#[derive(Clone, Debug)]
pub struct VectorStoreChange {
    name: Patch<String>,
    expires_after: Patch<ExpiresAfter>,
    metadata: Patch<Metadata>,
}

impl Read for VectorStoreChange {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let name = fields.patch("name");
        let expires_after = fields.patch("expires_after");
        let metadata = fields.patch("metadata");
        fields.finish();
        Some(Self { name: name?, expires_after: expires_after?, metadata: metadata? })
    }
}
