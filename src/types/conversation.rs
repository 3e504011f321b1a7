//! The conversation: items that responses read and add to.

use serde::{Deserialize, Serialize};

use super::{Id, Metadata, Resource, Timestamp, resource::not_found};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Conversation {
    pub id: Id<Self>,
    object: ConversationObject,
    pub created_at: Timestamp,
    pub metadata: Metadata,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum ConversationObject {
    #[serde(rename = "conversation")]
    Conversation,
}

impl Conversation {
    pub fn new(id: Id<Self>, created_at: Timestamp, metadata: Metadata) -> Self {
        Self { id, object: ConversationObject::Conversation, created_at, metadata }
    }
}

impl Resource for Conversation {
    type Key = Id<Self>;

    const PREFIX: &'static str = "conv_";
    const OBJECT: &'static str = "conversation";
    const DELETED: &'static str = "conversation.deleted";
    const NOUN: &'static str = "Conversation";
    const PATH: &'static [&'static str] = &["conversation_id"];

    fn id(&self) -> &Id<Self> {
        &self.id
    }

    fn missing(ids: &[String]) -> String {
        not_found(Self::NOUN, ids)
    }
}
