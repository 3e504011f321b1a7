//! A model turn: the input of the performer and its answer, in the same form for every API.
//!
//! A turn begins when the performer has to answer. It ends when the client has to act: with a
//! function call, or with the end of the run. The keys are the same for every API, so that two
//! clients can be compared.

mod log;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use self::log::{KeptTurn, TurnLog, TurnOrder, TurnPlace};
use crate::types::{
    Api, Role, RunStatus, Tool, Usage, Version,
    assistant::ResponseFormat,
    run::Truncation,
    tool::{FunctionCall, ToolChoice},
};

/// One model turn.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "object", rename = "turn")]
pub struct Turn {
    pub id: String,
    pub api: TurnApi,
    pub run: String,
    pub thread: Option<String>,
    /// The number of the turn since the user's message, from 1.
    pub number: usize,
    pub asked: Arc<Asked>,
    pub answered: Answered,
}

/// The API that the client used. Azure's API counts as the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum TurnApi {
    #[serde(rename = "assistants.v1")]
    AssistantsV1,
    #[serde(rename = "assistants.v2")]
    AssistantsV2,
    #[serde(rename = "responses")]
    Responses,
}

impl TurnApi {
    pub fn new(api: Api, version: Version) -> Self {
        match (api, version) {
            (Api::Responses, _) => Self::Responses,
            (Api::Assistants, Version::V1) => Self::AssistantsV1,
            (Api::Assistants, Version::V2) => Self::AssistantsV2,
        }
    }
}

/// The values in force for the turn, after all defaults and overrides.
#[derive(Debug, Serialize)]
pub struct Asked {
    pub assistant: Option<AskedAssistant>,
    pub model: String,
    pub instructions: Option<Arc<str>>,
    /// The messages in the context window, oldest first.
    pub messages: Vec<AskedMessage>,
    pub tools: Arc<[Tool]>,
    pub tool_choice: ToolChoice,
    pub response_format: ResponseFormat,
    pub temperature: f64,
    pub top_p: f64,
    pub max_output_tokens: Option<i64>,
    pub truncation: AskedTruncation,
    pub vector_stores: Vec<String>,
    pub files: Vec<String>,
    /// The outputs of the client for the calls of the previous turn.
    pub tool_outputs: Vec<GivenOutput>,
}

#[derive(Debug, Serialize)]
pub struct AskedAssistant {
    pub id: String,
    pub name: Option<String>,
}

/// The text of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AskedMessage {
    pub role: AskedRole,
    pub content: Arc<str>,
}

/// The author of a message. Threads have only users and assistants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskedRole {
    User,
    Assistant,
    System,
    Developer,
}

impl From<Role> for AskedRole {
    fn from(role: Role) -> Self {
        match role {
            Role::User => Self::User,
            Role::Assistant => Self::Assistant,
        }
    }
}

#[derive(Debug, Serialize)]
pub struct GivenOutput {
    pub id: String,
    pub name: String,
    pub output: String,
}

/// The answer of the performer so far.
#[derive(Clone, Debug, Serialize)]
pub struct Answered {
    /// The reply of the fixtures that answered: its name, or its place if it has none.
    pub reply: Option<String>,
    pub status: RunStatus,
    pub text: String,
    pub tool_calls: Vec<FunctionCall>,
    pub citations: Vec<Citation>,
    /// `None` while the turn is in progress.
    pub usage: Option<TurnUsage>,
}

/// A file that the text cites.
#[derive(Clone, Debug, Serialize)]
pub struct Citation {
    pub file_id: String,
    pub filename: Option<String>,
    /// Its mark in the text.
    pub text: String,
}

/// The tokens of one turn.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct TurnUsage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub total_tokens: u64,
}

impl TurnUsage {
    /// The usage between two moments.
    pub fn between(before: Usage, after: Usage) -> Self {
        let input_tokens = after.prompt_tokens.saturating_sub(before.prompt_tokens);
        let output_tokens = after.completion_tokens.saturating_sub(before.completion_tokens);
        let total_tokens = input_tokens.saturating_add(output_tokens);
        Self { input_tokens, output_tokens, total_tokens }
    }
}

/// How a conversation is truncated if it does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedTruncation {
    Auto,
    /// The request is rejected. Only responses have this value.
    Disabled,
    LastMessages(i64),
}

impl From<&Truncation> for AskedTruncation {
    fn from(truncation: &Truncation) -> Self {
        truncation.last_messages.map_or(Self::Auto, Self::LastMessages)
    }
}

impl Serialize for AskedTruncation {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown = match self {
            Self::Auto => Value::from("auto"),
            Self::Disabled => Value::from("disabled"),
            Self::LastMessages(last) => json!({"type": "last_messages", "last_messages": last}),
        };
        shown.serialize(serializer)
    }
}

impl Asked {
    /// The text of the newest message of a user.
    pub fn message(&self) -> Option<&str> {
        let newest = self.messages.iter().rfind(|message| message.role == AskedRole::User);
        newest.map(|message| &*message.content)
    }
}

impl Turn {
    /// The size of its texts, in bytes.
    fn held(&self) -> usize {
        let Self { asked, answered, .. } = self;
        let messages: usize = asked.messages.iter().map(|message| message.content.len()).sum();
        let outputs: usize = asked.tool_outputs.iter().map(|given| given.output.len()).sum();
        let calls: usize = answered.tool_calls.iter().map(|call| call.arguments.len()).sum();
        let instructions = asked.instructions.as_deref().map_or(0, str::len);
        instructions + messages + outputs + calls + answered.text.len() + tools(&asked.tools)
    }
}

/// The approximate size of the descriptions and schemas of functions, in bytes.
fn tools(tools: &[Tool]) -> usize {
    let functions = tools.iter().filter_map(|tool| match tool {
        Tool::Function { function } => Some(function),
        Tool::CodeInterpreter | Tool::FileSearch { .. } | Tool::Other(_) => None,
    });
    functions.map(|function| serde_json::to_vec(function).map_or(0, |json| json.len())).sum()
}
