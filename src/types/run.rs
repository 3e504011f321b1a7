//! The run: one performance of an assistant on a thread.
//!
//! Its phase is a sum type that carries what exists only in that phase; the wire shows it flat,
//! with every key present. How one phase follows another is the engine's business.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};

use super::{
    Assistant, Id, Message, Metadata, Resource, Thread, Timestamp, Tool, Usage, Version, View,
    assistant::{ReasoningEffort, ResponseFormat},
    limits,
    reader::{FaultKind, Faults, Fields, Path, Read},
    tool::{FunctionCall, ToolChoice, ToolResources},
    v1,
    words::words,
};

#[derive(Clone, Debug)]
pub struct Run {
    pub id: Id<Self>,
    pub created_at: Timestamp,
    pub assistant_id: Id<Assistant>,
    pub thread_id: Id<Thread>,
    pub phase: Phase,
    /// Set anew each time the run becomes `in_progress`.
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
    /// The version in which it was asked for: what it writes is in the manner of that.
    pub version: Version,
    /// The files that its assistant had when it was made. Only v1 shows them.
    pub file_ids: Vec<String>,
    /// Set if an upstream performed it. Kept, and shown to nobody.
    pub performed: Option<Performed>,
}

/// What an upstream answered with the run, and how long it took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Performed {
    /// The newest message of a user, if any.
    pub asked: Option<Id<Message>>,
    /// From the request to the first token, in milliseconds.
    pub first_token: u64,
    /// From one token to the next, in microseconds.
    pub per_token: u64,
}

/// Where a run stands.
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

words! {
    /// The name of a phase, as the wire spells it.
    pub enum RunStatus {
        Queued = "queued",
        InProgress = "in_progress",
        RequiresAction = "requires_action",
        Cancelling = "cancelling",
        Cancelled = "cancelled",
        Completed = "completed",
        Incomplete = "incomplete",
        Failed = "failed",
        Expired = "expired",
    }
}

impl RunStatus {
    /// Whether nothing can happen to the run any more, and its thread is free.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Queued | Self::InProgress | Self::RequiresAction | Self::Cancelling => false,
            Self::Cancelled | Self::Completed | Self::Incomplete | Self::Failed | Self::Expired => {
                true
            }
        }
    }
}

impl std::fmt::Display for RunStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
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

    fn usage(&self) -> Option<Usage> {
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

/// The text of a failed run, as the real service had it.
pub const SORRY: &str = "Sorry, something went wrong.";

impl LastError {
    /// The text and code of a failure of the service itself.
    pub fn server_error(message: impl Into<String>) -> Self {
        Self { code: "server_error".to_owned(), message: message.into() }
    }
}

impl LastError {
    /// What Azure said of a model for which there is no deployment.
    pub fn invalid_engine(model: &str) -> Self {
        let message = format!("Failed to resolve model info for: {model}");
        Self { code: "invalid_engine_error".to_owned(), message }
    }
}

/// Why a run ended incomplete. The content filter is Azure's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncompleteRun {
    MaxCompletionTokens,
    MaxPromptTokens,
    ContentFilter,
}

impl IncompleteRun {
    pub const NAMES: [&'static str; 3] =
        ["max_completion_tokens", "max_prompt_tokens", "content_filter"];
}

impl Read for IncompleteRun {
    fn read(value: Value, at: &Path<'_>, faults: &mut Faults) -> Option<Self> {
        match String::read(value, at, faults)?.as_str() {
            "max_completion_tokens" => Some(Self::MaxCompletionTokens),
            "max_prompt_tokens" => Some(Self::MaxPromptTokens),
            "content_filter" => Some(Self::ContentFilter),
            other => faults.not_one_of(at, other, &Self::NAMES),
        }
    }
}

/// How a thread is cut down to fit: everything that fits, or the newest messages only.
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
    fn read(value: Value, at: &Path<'_>, faults: &mut Faults) -> Option<Self> {
        let mut fields = Fields::of(value, at, faults)?;
        let kind = fields.required::<String>("type");
        let last_messages = fields.optional::<i64>("last_messages");
        let kind = match kind?.as_str() {
            "auto" => TruncationKind::Auto,
            "last_messages" => TruncationKind::LastMessages,
            other => {
                return fields.faults.not_one_of(
                    &at.key("type"),
                    other,
                    &["auto", "last_messages"],
                );
            }
        };
        let last_messages = match last_messages? {
            Some(got) if got < 1 => {
                return fields.fault("last_messages", FaultKind::IntegerBelow { min: 1, got });
            }
            None if kind == TruncationKind::LastMessages => {
                return fields.fault("last_messages", FaultKind::Missing);
            }
            other => other,
        };
        fields.finish();
        Some(Self { kind, last_messages })
    }
}

impl Resource for Run {
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

    /// When it expires unless it has ended before. Never extended.
    pub fn deadline(&self) -> Timestamp {
        self.created_at + limits::RUN_LIFETIME
    }

    /// As answers show it.
    pub fn over_rest(&self) -> RunView<'_> {
        RunView { run: Cow::Borrowed(self), in_stream: false }
    }

    /// As stream events show it.
    pub fn in_stream(&self) -> RunView<'_> {
        RunView { run: Cow::Borrowed(self), in_stream: true }
    }

    /// As the answer to whoever asked for it.
    pub fn into_answer(self) -> RunView<'static> {
        RunView { run: Cow::Owned(self), in_stream: false }
    }
}

/// A run as the wire shows it.
#[derive(Debug)]
pub struct RunView<'a> {
    pub run: Cow<'a, Run>,
    in_stream: bool,
}

/// As it is kept: what v2 shows, and behind it what it does not.
impl Serialize for Run {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.over_rest().write(Version::V2, &mut map)?;
        if self.version.is_v1() {
            map.serialize_entry("version", &self.version)?;
        }
        if !self.file_ids.is_empty() {
            map.serialize_entry("v1_files", &self.file_ids)?;
        }
        if let Some(performed) = &self.performed {
            map.serialize_entry("upstream", performed)?;
        }
        map.end()
    }
}

impl View for RunView<'_> {
    fn show<S: Serializer>(&self, version: Version, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.write(version, &mut map)?;
        map.end()
    }
}

impl RunView<'_> {
    /// Over REST `tool_resources` are `{}`, in streams they have an empty list for the code
    /// interpreter. Both recorded.
    fn tool_resources(&self) -> ToolResources {
        let none = ToolResources::default();
        if self.in_stream { none.or_empty_interpreter() } else { none }
    }

    fn write<M: SerializeMap>(&self, version: Version, map: &mut M) -> Result<(), M::Error> {
        let (run, phase) = (&self.run, &self.run.phase);
        map.serialize_entry("id", &run.id)?;
        map.serialize_entry("object", Run::OBJECT)?;
        map.serialize_entry("created_at", &run.created_at)?;
        map.serialize_entry("assistant_id", &run.assistant_id)?;
        map.serialize_entry("thread_id", &run.thread_id)?;
        map.serialize_entry("status", &phase.status())?;
        map.serialize_entry("started_at", &run.started_at)?;
        map.serialize_entry(
            "expires_at",
            &(!phase.status().is_terminal()).then(|| run.deadline()),
        )?;
        map.serialize_entry(
            "cancelled_at",
            &if let Phase::Cancelled { at, .. } = phase { Some(at) } else { None },
        )?;
        map.serialize_entry(
            "failed_at",
            &if let Phase::Failed { at, .. } = phase { Some(at) } else { None },
        )?;
        map.serialize_entry("completed_at", &completed_at(phase))?;
        map.serialize_entry("required_action", &required_action(phase))?;
        map.serialize_entry(
            "last_error",
            &if let Phase::Failed { error, .. } = phase { Some(error) } else { None },
        )?;
        map.serialize_entry("model", &run.model)?;
        map.serialize_entry("instructions", &run.instructions)?;
        match version {
            Version::V1 => {
                map.serialize_entry(
                    "tools",
                    &run.tools.iter().map(v1::ShownTool::of).collect::<Vec<_>>(),
                )?;
                map.serialize_entry("file_ids", &run.file_ids)?;
            }
            Version::V2 => {
                map.serialize_entry("tools", &run.tools)?;
                map.serialize_entry("tool_resources", &self.tool_resources())?;
            }
        }
        map.serialize_entry("metadata", &run.metadata)?;
        map.serialize_entry("temperature", &run.temperature)?;
        map.serialize_entry("top_p", &run.top_p)?;
        if version.is_v2() {
            map.serialize_entry("reasoning_effort", &run.reasoning_effort)?;
        }
        map.serialize_entry("max_completion_tokens", &run.max_completion_tokens)?;
        map.serialize_entry("max_prompt_tokens", &run.max_prompt_tokens)?;
        map.serialize_entry("truncation_strategy", &run.truncation_strategy)?;
        map.serialize_entry("incomplete_details", &incomplete_details(phase))?;
        match version {
            Version::V1 => map.serialize_entry("usage", &phase.usage().map(v1::Counts::of))?,
            Version::V2 => map.serialize_entry("usage", &phase.usage())?,
        }
        map.serialize_entry("response_format", &run.response_format)?;
        match version {
            Version::V1 => map.serialize_entry("tool_choice", &v1::tool_choice(&run.tool_choice)),
            Version::V2 => {
                map.serialize_entry("tool_choice", &run.tool_choice)?;
                map.serialize_entry("parallel_tool_calls", &run.parallel_tool_calls)
            }
        }
    }
}

/// Reported once: an incomplete run has `completed_at` set.
fn completed_at(phase: &Phase) -> Option<Timestamp> {
    match phase {
        Phase::Completed { at, .. } | Phase::Incomplete { at, .. } => Some(*at),
        _ => None,
    }
}

fn required_action(phase: &Phase) -> Option<Value> {
    let Phase::RequiresAction { calls } = phase else { return None };
    let tool_calls: Vec<Value> = calls
        .iter()
        .map(|call| {
            json!({"id": call.id, "type": "function",
            "function": {"name": call.name, "arguments": call.arguments}})
        })
        .collect();
    Some(json!({"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": tool_calls}}))
}

fn incomplete_details(phase: &Phase) -> Option<Value> {
    match phase {
        Phase::Incomplete { reason, .. } => Some(json!({ "reason": reason })),
        _ => None,
    }
}

impl<'de> Deserialize<'de> for Run {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let flat = Flat::deserialize(deserializer)?;
        flat.into_run()
            .ok_or_else(|| serde::de::Error::custom("a run whose status lacks what belongs to it"))
    }
}

/// A run as it is stored: the wire's shape.
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
