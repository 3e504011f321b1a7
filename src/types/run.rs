//! The run: one performance of an assistant on a thread.
//!
//! Its phase is a sum type: each variant has the fields that exist only in that phase. In responses
//! it is flat, with every key present. The engine decides the order of phases.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{
    Assistant, Id, Metadata, Resource, RunStatus, Thread, Timestamp, Tool, Usage, Version,
    assistant::{ReasoningEffort, ResponseFormat},
    limits,
    reader::{Fields, Path, Read, ValidationErrorKind, ValidationErrors},
    tool::{FunctionCall, ToolChoice},
};

#[derive(Clone, Debug)]
pub struct Run {
    pub id: Id<Self>,
    pub created_at: Timestamp,
    pub assistant_id: Id<Assistant>,
    pub thread_id: Id<Thread>,
    pub phase: Phase,
    /// Set each time the run becomes `in_progress`.
    pub started_at: Option<Timestamp>,
    pub model: String,
    pub instructions: Option<String>,
    pub tools: Vec<Tool>,
    pub metadata: Metadata,
    pub temperature: f64,
    pub top_p: f64,
    pub reasoning_effort: Option<ReasoningEffort>,
    pub max_completion_tokens: Option<i64>,
    pub max_prompt_tokens: Option<i64>,
    pub truncation_strategy: Truncation,
    pub response_format: ResponseFormat,
    pub tool_choice: ToolChoice,
    pub parallel_tool_calls: bool,
    /// The version of the request. The output of the run has the form of this version.
    pub version: Version,
    /// The files of its assistant when the run was created. Only v1 shows them.
    pub file_ids: Vec<String>,
    /// Set if an upstream performed it. It is stored but never shown.
    pub performed: Option<Performed>,
}

/// The message that a run answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {}

/// The question and the times of an upstream's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Performed {
    /// The newest message of a user, if any.
    pub asked: Option<Id<Question>>,
    /// The time from the request to the first token, in milliseconds.
    pub first_token: u64,
    /// The time from one token to the next, in microseconds.
    pub per_token: u64,
}

/// The state of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    Queued,
    InProgress,
    RequiresAction { calls: Vec<FunctionCall> },
    Cancelling,
    Cancelled { at: Timestamp, usage: Usage },
    Completed { at: Timestamp, usage: Usage },
    Incomplete { at: Timestamp, reason: IncompleteRun, usage: Usage },
    Failed { at: Timestamp, error: LastError, usage: Usage },
    Expired { usage: Usage },
}

impl Phase {
    pub fn status(&self) -> RunStatus {
        match self {
            Self::Queued => RunStatus::Queued,
            Self::InProgress => RunStatus::InProgress,
            Self::RequiresAction { .. } => RunStatus::RequiresAction,
            Self::Cancelling => RunStatus::Cancelling,
            Self::Cancelled { .. } => RunStatus::Cancelled,
            Self::Completed { .. } => RunStatus::Completed,
            Self::Incomplete { .. } => RunStatus::Incomplete,
            Self::Failed { .. } => RunStatus::Failed,
            Self::Expired { .. } => RunStatus::Expired,
        }
    }

    /// The usage of an ended run.
    pub fn usage(&self) -> Option<Usage> {
        match self {
            Self::Queued | Self::InProgress | Self::RequiresAction { .. } | Self::Cancelling => {
                None
            }
            Self::Cancelled { usage, .. }
            | Self::Completed { usage, .. }
            | Self::Incomplete { usage, .. }
            | Self::Failed { usage, .. }
            | Self::Expired { usage } => Some(*usage),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastError {
    pub code: String,
    pub message: String,
}

/// The text of a failed run in the real service.
pub const SORRY: &str = "Sorry, something went wrong.";

impl LastError {
    /// The code of an error of the service, with this text.
    pub fn server_error(message: impl Into<String>) -> Self {
        Self { code: "server_error".to_owned(), message: message.into() }
    }
}

impl LastError {
    /// Azure's error for a model without a deployment.
    pub fn invalid_engine(model: &str) -> Self {
        let message = format!("Failed to resolve model info for: {model}");
        Self { code: "invalid_engine_error".to_owned(), message }
    }
}

/// Why a run is incomplete. The content filter is Azure's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncompleteRun {
    MaxCompletionTokens,
    MaxPromptTokens,
    ContentFilter,
}

impl IncompleteRun {
    pub const NAMES: [&'static str; 4] =
        ["max_completion_tokens", "max_output_tokens", "max_prompt_tokens", "content_filter"];
}

impl Read for IncompleteRun {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        match String::read(value, at, errors)?.as_str() {
            // The name in the Responses API.
            "max_completion_tokens" | "max_output_tokens" => Some(Self::MaxCompletionTokens),
            "max_prompt_tokens" => Some(Self::MaxPromptTokens),
            "content_filter" => Some(Self::ContentFilter),
            other => errors.not_one_of(at, other, &Self::NAMES),
        }
    }
}

/// How a thread is truncated: as much as fits, or only the newest messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truncation {
    #[serde(rename = "type")]
    kind: TruncationKind,
    pub last_messages: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TruncationKind {
    Auto,
    LastMessages,
}

impl Default for Truncation {
    fn default() -> Self {
        Self { kind: TruncationKind::Auto, last_messages: None }
    }
}

impl Read for Truncation {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let kind = fields.required::<String>("type");
        let last_messages = fields.optional::<i64>("last_messages");
        let kind = match kind?.as_str() {
            "auto" => TruncationKind::Auto,
            "last_messages" => TruncationKind::LastMessages,
            other => {
                return fields.errors.not_one_of(
                    &at.key("type"),
                    other,
                    &["auto", "last_messages"],
                );
            }
        };
        let last_messages = match last_messages? {
            Some(got) if got < 1 => {
                return fields
                    .error("last_messages", ValidationErrorKind::IntegerBelow { min: 1, got });
            }
            None if kind == TruncationKind::LastMessages => {
                return fields.error("last_messages", ValidationErrorKind::Missing);
            }
            other => other,
        };
        fields.finish();
        Some(Self { kind, last_messages })
    }
}

impl Resource for Run {
    type Key = (Id<Thread>, Id<Self>);

    const PREFIX: &'static str = "run_";
    const OBJECT: &'static str = "thread.run";
    const DELETED: &'static str = "thread.run.deleted";
    const NOUN: &'static str = "run";
    const PATH: &'static [&'static str] = &["thread_id", "run_id"];

    fn id(&self) -> &Id<Self> {
        &self.id
    }
}

impl Run {
    pub fn status(&self) -> RunStatus {
        self.phase.status()
    }

    /// The time at which it expires, unless it has ended before. It is never extended.
    pub fn deadline(&self) -> Timestamp {
        self.created_at + limits::RUN_LIFETIME
    }
}

impl<'de> Deserialize<'de> for Run {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let flat = Flat::deserialize(deserializer)?;
        flat.into_run()
            .ok_or_else(|| serde::de::Error::custom("a run whose status lacks what belongs to it"))
    }
}

/// A run in its stored form, which is the form of responses.
#[derive(Deserialize)]
struct Flat {
    id: Id<Run>,
    created_at: Timestamp,
    assistant_id: Id<Assistant>,
    thread_id: Id<Thread>,
    status: RunStatus,
    started_at: Option<Timestamp>,
    cancelled_at: Option<Timestamp>,
    failed_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    required_action: Option<FlatAction>,
    last_error: Option<LastError>,
    model: String,
    instructions: Option<String>,
    tools: Vec<Tool>,
    metadata: Metadata,
    temperature: f64,
    top_p: f64,
    reasoning_effort: Option<ReasoningEffort>,
    max_completion_tokens: Option<i64>,
    max_prompt_tokens: Option<i64>,
    truncation_strategy: Truncation,
    incomplete_details: Option<FlatIncomplete>,
    usage: Option<Usage>,
    response_format: ResponseFormat,
    tool_choice: ToolChoice,
    parallel_tool_calls: bool,
    #[serde(default)]
    version: Version,
    #[serde(rename = "v1_files", default)]
    file_ids: Vec<String>,
    #[serde(rename = "upstream")]
    performed: Option<Performed>,
}

#[derive(Deserialize)]
struct FlatAction {
    submit_tool_outputs: FlatOutputs,
}

#[derive(Deserialize)]
struct FlatOutputs {
    tool_calls: Vec<FlatCall>,
}

#[derive(Deserialize)]
struct FlatCall {
    id: String,
    function: FlatFunction,
}

#[derive(Deserialize)]
struct FlatFunction {
    name: String,
    arguments: String,
}

#[derive(Deserialize)]
struct FlatIncomplete {
    reason: IncompleteRun,
}

impl Flat {
    fn phase(&mut self) -> Option<Phase> {
        let usage = self.usage.unwrap_or_default();
        Some(match self.status {
            RunStatus::Queued => Phase::Queued,
            RunStatus::InProgress => Phase::InProgress,
            RunStatus::RequiresAction => {
                Phase::RequiresAction { calls: self.required_action.take()?.calls() }
            }
            RunStatus::Cancelling => Phase::Cancelling,
            RunStatus::Cancelled => Phase::Cancelled { at: self.cancelled_at?, usage },
            RunStatus::Completed => Phase::Completed { at: self.completed_at?, usage },
            RunStatus::Incomplete => Phase::Incomplete {
                at: self.completed_at?,
                reason: self.incomplete_details.as_ref()?.reason,
                usage,
            },
            RunStatus::Failed => {
                Phase::Failed { at: self.failed_at?, error: self.last_error.take()?, usage }
            }
            RunStatus::Expired => Phase::Expired { usage },
        })
    }

    fn into_run(mut self) -> Option<Run> {
        Some(Run {
            phase: self.phase()?,
            id: self.id,
            created_at: self.created_at,
            assistant_id: self.assistant_id,
            thread_id: self.thread_id,
            started_at: self.started_at,
            model: self.model,
            instructions: self.instructions,
            tools: self.tools,
            metadata: self.metadata,
            temperature: self.temperature,
            top_p: self.top_p,
            reasoning_effort: self.reasoning_effort,
            max_completion_tokens: self.max_completion_tokens,
            max_prompt_tokens: self.max_prompt_tokens,
            truncation_strategy: self.truncation_strategy,
            response_format: self.response_format,
            tool_choice: self.tool_choice,
            parallel_tool_calls: self.parallel_tool_calls,
            version: self.version,
            file_ids: self.file_ids,
            performed: self.performed,
        })
    }
}

impl FlatAction {
    fn calls(self) -> Vec<FunctionCall> {
        let calls = self.submit_tool_outputs.tool_calls.into_iter();
        calls
            .map(|call| FunctionCall {
                id: call.id,
                name: call.function.name,
                arguments: call.function.arguments,
            })
            .collect()
    }
}
