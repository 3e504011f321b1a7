//! The run step: one action of a run, either a message or a round of tool calls.

use serde::{Deserialize, Serialize};

use super::{
    Assistant, Id, Message, Resource, Run, Thread, Timestamp, Usage,
    message::FileRef,
    run::LastError,
    search::TextPart,
    store_file::Attributes,
    tool::{FunctionCall, Ranking},
};

/// Stored in the shape of stream events. There is no `metadata` key, in spite of the OpenAPI
/// document: recorded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    pub id: Id<Self>,
    object: StepObject,
    pub created_at: Timestamp,
    pub run_id: Id<Run>,
    pub assistant_id: Id<Assistant>,
    pub thread_id: Id<Thread>,
    #[serde(rename = "type")]
    pub(super) kind: StepKind,
    pub status: StepStatus,
    pub(super) cancelled_at: Option<Timestamp>,
    pub(super) completed_at: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) failed_at: Option<Timestamp>,
    pub(super) last_error: Option<LastError>,
    pub step_details: StepDetails,
    pub usage: Option<Usage>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum StepObject {
    #[serde(rename = "thread.run.step")]
    Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StepKind {
    MessageCreation,
    ToolCalls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    InProgress,
    Cancelled,
    Failed,
    Completed,
    Expired,
}

/// How a step ends, with what belongs to that end.
#[derive(Clone, Debug)]
pub enum StepEnd {
    Completed,
    Cancelled,
    Failed(LastError),
    Expired,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum StepDetails {
    MessageCreation { message_creation: MessageCreation },
    ToolCalls { tool_calls: Vec<ToolCall> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MessageCreation {
    pub message_id: Id<Message>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    pub id: String,
    #[serde(flatten)]
    pub kind: ToolCallKind,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToolCallKind {
    Function { function: CalledFunction },
    CodeInterpreter { code_interpreter: Interpreted },
    FileSearch { file_search: Searched },
}

/// A search, and its results. The store keeps their content; only clients that ask for it see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Searched {
    pub ranking_options: Ranking,
    pub results: Vec<SearchResult>,
    /// The query, which is kept and never shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchResult {
    pub file_id: String,
    pub file_name: String,
    pub score: f64,
    /// These two are shown only on request: recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Attributes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Vec<TextPart>>,
    /// The vector store in which it was found. It is kept, and steps never show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
}

impl SearchResult {
    /// The text that was found.
    pub fn text(&self) -> &str {
        self.content.iter().flatten().map(|part| part.text.as_str()).next().unwrap_or_default()
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalledFunction {
    pub name: String,
    pub arguments: String,
    /// Null until it is submitted.
    pub output: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interpreted {
    pub input: String,
    pub outputs: Vec<CodeOutput>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum CodeOutput {
    Logs { logs: String },
    Image { image: FileRef },
}

impl Resource for Step {
    type Key = (Id<Thread>, Id<Run>, Id<Self>);

    const PREFIX: &'static str = "step_";
    const OBJECT: &'static str = "thread.run.step";
    const DELETED: &'static str = "thread.run.step.deleted";
    const NOUN: &'static str = "run step";
    const PATH: &'static [&'static str] = &["thread_id", "run_id", "step_id"];

    fn id(&self) -> &Id<Self> {
        &self.id
    }
}

impl Step {
    pub fn begun(
        id: Id<Self>,
        created_at: Timestamp,
        run: &Run,
        step_details: StepDetails,
    ) -> Self {
        let kind = match step_details {
            StepDetails::MessageCreation { .. } => StepKind::MessageCreation,
            StepDetails::ToolCalls { .. } => StepKind::ToolCalls,
        };
        Self {
            id,
            object: StepObject::Step,
            created_at,
            run_id: run.id.clone(),
            assistant_id: run.assistant_id.clone(),
            thread_id: run.thread_id.clone(),
            kind,
            status: StepStatus::InProgress,
            cancelled_at: None,
            completed_at: None,
            expires_at: Some(run.deadline()),
            failed_at: None,
            last_error: None,
            step_details,
            usage: None,
        }
    }

    pub fn is_open(&self) -> bool {
        self.status == StepStatus::InProgress
    }

    pub fn end(&mut self, end: StepEnd, at: Timestamp, usage: Usage) {
        match end {
            StepEnd::Completed => {
                self.status = StepStatus::Completed;
                self.completed_at = Some(at);
            }
            StepEnd::Cancelled => {
                self.status = StepStatus::Cancelled;
                self.cancelled_at = Some(at);
            }
            StepEnd::Failed(error) => {
                self.status = StepStatus::Failed;
                self.failed_at = Some(at);
                self.last_error = Some(error);
            }
            StepEnd::Expired => self.status = StepStatus::Expired,
        }
        self.usage = Some(usage);
    }

    pub fn tool_calls(&self) -> &[ToolCall] {
        match &self.step_details {
            StepDetails::ToolCalls { tool_calls } => tool_calls,
            StepDetails::MessageCreation { .. } => &[],
        }
    }

    pub fn tool_calls_mut(&mut self) -> Option<&mut Vec<ToolCall>> {
        match &mut self.step_details {
            StepDetails::ToolCalls { tool_calls } => Some(tool_calls),
            StepDetails::MessageCreation { .. } => None,
        }
    }

    /// The function calls of this step, as `required_action` shows them.
    pub fn function_calls(&self) -> Vec<FunctionCall> {
        let functions = self.tool_calls().iter().filter_map(|call| match &call.kind {
            ToolCallKind::Function { function } => Some(FunctionCall {
                id: call.id.clone(),
                name: function.name.clone(),
                arguments: function.arguments.clone(),
            }),
            ToolCallKind::CodeInterpreter { .. } | ToolCallKind::FileSearch { .. } => None,
        });
        functions.collect()
    }

    /// The results of the searches of this step.
    pub fn search_results(&self) -> impl Iterator<Item = &SearchResult> {
        self.tool_calls().iter().flat_map(|call| match &call.kind {
            ToolCallKind::FileSearch { file_search } => file_search.results.as_slice(),
            ToolCallKind::Function { .. } | ToolCallKind::CodeInterpreter { .. } => &[],
        })
    }

    /// The outputs for its functions, in the order of the calls.
    pub fn function_outputs(&self) -> impl Iterator<Item = &str> {
        self.tool_calls().iter().filter_map(|call| match &call.kind {
            ToolCallKind::Function { function } => {
                Some(function.output.as_deref().unwrap_or_default())
            }
            ToolCallKind::CodeInterpreter { .. } | ToolCallKind::FileSearch { .. } => None,
        })
    }

    pub(super) fn has_queries(&self) -> bool {
        self.tool_calls().iter().any(|call| {
            let ToolCallKind::FileSearch { file_search } = &call.kind else { return false };
            file_search.query.is_some()
        })
    }

    /// The step without the parts of a search that are kept and never shown.
    pub(super) fn without_kept(mut self) -> Self {
        for call in self.tool_calls_mut().into_iter().flatten() {
            if let ToolCallKind::FileSearch { file_search } = &mut call.kind {
                file_search.query = None;
                file_search.results.iter_mut().for_each(|result| result.store = None);
            }
        }
        self
    }

    /// The step without the content of search results, which only clients that ask for it see.
    pub fn without_content(mut self) -> Self {
        for call in self.tool_calls_mut().into_iter().flatten() {
            if let ToolCallKind::FileSearch { file_search } = &mut call.kind {
                for result in &mut file_search.results {
                    (result.attributes, result.content) = (None, None);
                }
            }
        }
        self
    }

    /// The step as answers over REST show it: `expires_at` is null as soon as the run has ended.
    /// The last stream event of the step still had it. Recorded.
    pub fn over_rest(mut self, run: &Run) -> Self {
        if run.status().is_terminal() {
            self.expires_at = None;
        }
        self
    }
}
