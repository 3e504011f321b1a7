//! The thread: the metadata and the tool resources of a conversation. Its messages are separate
//! objects.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Id, Metadata, Patch, Resource, Timestamp,
    reader::{Fields, Path, Read, ValidationErrors},
    tool::ToolResources,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Thread {
    pub id: Id<Self>,
    object: ThreadObject,
    pub created_at: Timestamp,
    pub metadata: Metadata,
    pub tool_resources: ToolResources,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum ThreadObject {
    #[serde(rename = "thread")]
    Thread,
}

impl Resource for Thread {
    type Key = Id<Self>;

    const PREFIX: &'static str = "thread_";
    const OBJECT: &'static str = "thread";
    const DELETED: &'static str = "thread.deleted";
    const NOUN: &'static str = "thread";
    const PATH: &'static [&'static str] = &["thread_id"];

    fn id(&self) -> &Id<Self> {
        &self.id
    }
}

impl Thread {
    pub fn new(
        id: Id<Self>,
        created_at: Timestamp,
        metadata: Metadata,
        tool_resources: ToolResources,
    ) -> Self {
        Self { id, object: ThreadObject::Thread, created_at, metadata, tool_resources }
    }

    pub fn change(&mut self, change: ThreadChange) {
        change.metadata.apply_or(&mut self.metadata, Metadata::default);
        match change.tool_resources {
            Patch::Set(given) => self.tool_resources.replace_parts(given),
            Patch::Clear => self.tool_resources = ToolResources::default(),
            Patch::Keep => {}
        }
    }

    /// The form in a GET and in the event `thread.created`.
    pub fn view(mut self) -> Self {
        self.tool_resources = self.tool_resources.or_empty_interpreter();
        self
    }
}

#[derive(Clone, Debug)]
pub struct ThreadChange {
    metadata: Patch<Metadata>,
    pub tool_resources: Patch<ToolResources>,
}

impl Read for ThreadChange {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let metadata = fields.patch("metadata");
        let tool_resources = if fields.version().is_v2() {
            fields.patch("tool_resources")
        } else {
            Some(Patch::Keep)
        };
        fields.finish();
        Some(Self { metadata: metadata?, tool_resources: tool_resources? })
    }
}
