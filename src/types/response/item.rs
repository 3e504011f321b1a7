//! Items: the parts of the input and output of a response, and of a conversation.
//!
//! The keys of an item are in the recorded order: id, type, and the rest by its type. Each shape
//! that the emulator makes is defined here once. Items of other types keep the keys of the client.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::{Conversation, Id, Resource};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    pub id: Id<Self>,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Resource for Item {
    type Key = (Id<Conversation>, Id<Self>);

    const PREFIX: &'static str = "msg_";
    const OBJECT: &'static str = "conversation.item";
    const DELETED: &'static str = "conversation.item.deleted";
    const NOUN: &'static str = "Item";
    const PATH: &'static [&'static str] = &["conversation_id", "item_id"];

    fn id(&self) -> &Id<Self> {
        &self.id
    }

    fn missing(ids: &[String]) -> String {
        let id = ids.last().map_or("", String::as_str);
        format!("Item with id '{id}' not found in conversation.")
    }
}

/// The progress of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemStatus {
    InProgress,
    Completed,
    Incomplete,
}

impl ItemStatus {
    pub fn name(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete => "incomplete",
        }
    }
}

pub const MESSAGE: &str = "message";
pub const REASONING: &str = "reasoning";
pub const FUNCTION_CALL: &str = "function_call";
pub const FUNCTION_CALL_OUTPUT: &str = "function_call_output";
pub const FILE_SEARCH_CALL: &str = "file_search_call";
pub const CODE_INTERPRETER_CALL: &str = "code_interpreter_call";
pub const WEB_SEARCH_CALL: &str = "web_search_call";
pub const MCP_LIST_TOOLS: &str = "mcp_list_tools";
pub const MCP_CALL: &str = "mcp_call";
pub const CUSTOM_TOOL_CALL: &str = "custom_tool_call";
pub const COMPACTION: &str = "compaction";
pub const ITEM_REFERENCE: &str = "item_reference";

/// The types of items, with the prefixes of their ids. All are recorded, except the last six, which
/// are documented.
const TYPES: [(&str, &str); 32] = [
    (MESSAGE, "msg_"),
    (REASONING, "rs_"),
    (FUNCTION_CALL, "fc_"),
    (FUNCTION_CALL_OUTPUT, "fc_"),
    (FILE_SEARCH_CALL, "fs_"),
    (CODE_INTERPRETER_CALL, "ci_"),
    (WEB_SEARCH_CALL, "ws_"),
    (MCP_LIST_TOOLS, "mcpl_"),
    (MCP_CALL, "mcp_"),
    ("mcp_approval_request", "mcpr_"),
    ("mcp_approval_response", "mcpr_"),
    (CUSTOM_TOOL_CALL, "ctc_"),
    ("custom_tool_call_output", "ctc_"),
    ("apply_patch_call", "apc_"),
    ("apply_patch_call_output", "apc_"),
    ("tool_search_call", "tsc_"),
    ("tool_search_output", "tso_"),
    (COMPACTION, "cmp_"),
    ("program", "cm_"),
    ("program_output", "cmo_"),
    ("additional_tools", "at_"),
    ("compaction_trigger", "cmpt_"),
    ("image_generation_call", "ig_"),
    ("computer_call", "cu_"),
    ("computer_call_output", "cu_"),
    ("local_shell_call", "lsh_"),
    ("local_shell_call_output", "lsh_"),
    ("shell_call", "sh_"),
    ("shell_call_output", "sh_"),
    ("agent_message", "am_"),
    ("multi_agent_call", "mac_"),
    ("multi_agent_call_output", "mac_"),
];

/// The prefix of the ids of items of a type, if the type exists.
pub fn prefix_of(kind: &str) -> Option<&'static str> {
    TYPES.iter().find(|(known, _)| *known == kind).map(|(_, prefix)| *prefix)
}

/// Whether an item of a type is the call of a tool that needs no client.
pub fn is_hosted_call(kind: &str) -> bool {
    const HOSTED: [&str; 5] = [
        FILE_SEARCH_CALL,
        CODE_INTERPRETER_CALL,
        WEB_SEARCH_CALL,
        MCP_CALL,
        "image_generation_call",
    ];
    HOSTED.contains(&kind)
}

/// Whether items of a type have a status.
pub fn has_status(kind: &str) -> bool {
    const WITHOUT: [&str; 6] = [
        REASONING,
        "mcp_list_tools",
        "mcp_approval_request",
        "mcp_approval_response",
        COMPACTION,
        "program",
    ];
    !WITHOUT.contains(&kind)
}

/// The names of all types, for the error about an unknown one.
pub fn kinds() -> Vec<&'static str> {
    TYPES.iter().map(|(kind, _)| *kind).chain([ITEM_REFERENCE]).collect()
}

impl Item {
    pub fn new(id: impl Into<String>, kind: &str, rest: Value) -> Self {
        let rest = match rest {
            Value::Object(rest) => rest,
            _ => Map::new(),
        };
        Self { id: Id::new(id), kind: kind.to_owned(), rest }
    }

    /// A message of the model. Newer models show the phase of the answer that it belongs to.
    pub fn message(
        id: impl Into<String>,
        status: ItemStatus,
        content: Vec<Value>,
        phase: Option<&str>,
    ) -> Self {
        let mut rest = Map::new();
        rest.insert("status".to_owned(), status.name().into());
        rest.insert("content".to_owned(), content.into());
        if let Some(phase) = phase {
            rest.insert("phase".to_owned(), phase.into());
        }
        rest.insert("role".to_owned(), "assistant".into());
        Self::new(id, MESSAGE, Value::Object(rest))
    }

    pub fn reasoning(id: impl Into<String>, summary: &[String], encrypted: Option<String>) -> Self {
        let mut rest = Map::from_iter([("content".to_owned(), json!([]))]);
        if let Some(encrypted) = encrypted {
            rest.insert("encrypted_content".to_owned(), encrypted.into());
        }
        let summary: Vec<_> = summary.iter().map(|text| summary_part(text)).collect();
        rest.insert("summary".to_owned(), summary.into());
        Self::new(id, REASONING, Value::Object(rest))
    }

    pub fn function_call(
        id: impl Into<String>,
        status: ItemStatus,
        arguments: &str,
        call_id: &str,
        name: &str,
    ) -> Self {
        let status = status.name();
        let rest =
            json!({"status": status, "arguments": arguments, "call_id": call_id, "name": name});
        Self::new(id, FUNCTION_CALL, rest)
    }

    pub fn is(&self, kind: &str) -> bool {
        self.kind == kind
    }

    /// Whether the model made it.
    pub fn is_of_model(&self) -> bool {
        match self.kind.as_str() {
            MESSAGE => self.text_at("role") == Some("assistant"),
            COMPACTION | "additional_tools" => false,
            kind => !kind.ends_with("_output") && !kind.ends_with("_response"),
        }
    }

    /// The text at a key.
    pub fn text_at(&self, key: &str) -> Option<&str> {
        self.rest.get(key).and_then(Value::as_str)
    }

    /// The id of the call that it makes or answers.
    pub fn call_id(&self) -> Option<&str> {
        self.text_at("call_id")
    }

    pub fn role(&self) -> Option<&str> {
        self.text_at("role").filter(|_| self.is(MESSAGE))
    }

    pub fn parts(&self) -> &[Value] {
        self.rest.get("content").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// All of its text, with a newline between parts.
    pub fn text(&self) -> String {
        let texts = self
            .parts()
            .iter()
            .filter_map(|part| part["text"].as_str().or_else(|| part["refusal"].as_str()));
        texts.collect::<Vec<_>>().join("\n")
    }
}

/// A part of a message's text that may still be incomplete.
pub fn text_part(text: &str, annotations: &[Value]) -> Value {
    json!({"type": "output_text", "annotations": annotations, "logprobs": [], "text": text})
}

pub fn refusal_part(refusal: &str) -> Value {
    json!({"type": "refusal", "refusal": refusal})
}

pub fn summary_part(text: &str) -> Value {
    json!({"type": "summary_text", "text": text})
}
