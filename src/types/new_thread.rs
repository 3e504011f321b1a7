//! The thread in a create request.

use serde_json::Value;

use super::{
    Metadata,
    message::NewMessage,
    reader::{Fields, Path, Read, ValidationErrors},
    tool::ToolResources,
};

/// A new thread with its first messages.
#[derive(Clone, Debug, Default)]
pub struct NewThread {
    pub messages: Vec<NewMessage>,
    pub metadata: Metadata,
    pub tool_resources: ToolResources,
}

impl NewThread {
    pub fn read_from(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let messages = fields.or_default("messages");
        let metadata = fields.or_default("metadata");
        let tool_resources = if fields.version().is_v2() {
            fields.or_default("tool_resources")
        } else {
            Some(ToolResources::default())
        };
        Some(Self { messages: messages?, metadata: metadata?, tool_resources: tool_resources? })
    }
}

impl Read for NewThread {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let new = Self::read_from(&mut fields);
        fields.finish();
        new
    }
}
