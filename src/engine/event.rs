//! What happens to a run, as the stream tells it. One enum feeds the streams and the store.

use serde::Serialize;
use serde_json::{Value, json};

use crate::types::{
    Id, Message, Run, RunStatus, Step, Thread,
    message::{Content, MessageStatus},
    run::SORRY,
    step::{StepStatus, ToolCall, ToolCallKind},
};

#[derive(Clone, Debug)]
pub enum Event {
    ThreadCreated(Thread),
    RunCreated(Run),
    /// The run has the status it has now.
    Run(Run),
    StepCreated(Step),
    Step(Step),
    /// Something is added to the call at this index.
    StepDelta {
        id: Id<Step>,
        index: usize,
        delta: CallDelta,
    },
    MessageCreated(Message),
    Message(Message),
    /// Something is added to the content at this index.
    MessageDelta {
        id: Id<Message>,
        index: usize,
        delta: ContentDelta,
    },
    /// The server failed; the connection closes after it.
    Error,
    Done,
}

/// What is added to a message. The first piece of a text shows itself as that: recorded.
#[derive(Clone, Debug)]
pub enum ContentDelta {
    Text { value: String, is_first: bool },
    Refusal(String),
}

/// What is added to a tool call.
#[derive(Clone, Debug)]
pub enum CallDelta {
    /// All of its keys, and nothing in them yet: recorded.
    Begins(ToolCall),
    Arguments(String),
    Input(String),
    Logs {
        output: usize,
        logs: String,
    },
}

impl Event {
    pub fn name(&self) -> &'static str {
        match self {
            Self::ThreadCreated(_) => "thread.created",
            Self::RunCreated(_) => "thread.run.created",
            Self::Run(run) => match run.status() {
                RunStatus::Queued => "thread.run.queued",
                RunStatus::InProgress => "thread.run.in_progress",
                RunStatus::RequiresAction => "thread.run.requires_action",
                RunStatus::Cancelling => "thread.run.cancelling",
                RunStatus::Cancelled => "thread.run.cancelled",
                RunStatus::Completed => "thread.run.completed",
                RunStatus::Incomplete => "thread.run.incomplete",
                RunStatus::Failed => "thread.run.failed",
                RunStatus::Expired => "thread.run.expired",
            },
            Self::StepCreated(_) => "thread.run.step.created",
            Self::Step(step) => match step.status {
                StepStatus::InProgress => "thread.run.step.in_progress",
                StepStatus::Cancelled => "thread.run.step.cancelled",
                StepStatus::Failed => "thread.run.step.failed",
                StepStatus::Completed => "thread.run.step.completed",
                StepStatus::Expired => "thread.run.step.expired",
            },
            Self::StepDelta { .. } => "thread.run.step.delta",
            Self::MessageCreated(_) => "thread.message.created",
            Self::Message(message) => match message.status {
                MessageStatus::InProgress => "thread.message.in_progress",
                MessageStatus::Completed => "thread.message.completed",
                MessageStatus::Incomplete => "thread.message.incomplete",
            },
            Self::MessageDelta { .. } => "thread.message.delta",
            Self::Error => "error",
            Self::Done => "done",
        }
    }

    /// The data of the event: JSON in one line, or `[DONE]`.
    pub fn data(&self) -> String {
        match self {
            Self::ThreadCreated(thread) => compact(&thread.clone().as_read()),
            Self::RunCreated(run) | Self::Run(run) => compact(&run.in_stream()),
            Self::StepCreated(step) | Self::Step(step) => compact(step),
            Self::MessageCreated(message) | Self::Message(message) => compact(message),
            Self::StepDelta { id, index, delta } => compact(&json!({
                "id": id,
                "object": "thread.run.step.delta",
                "delta": {"step_details": {"type": "tool_calls", "tool_calls": [delta.shown(*index)]}},
            })),
            Self::MessageDelta { id, index, delta } => {
                compact(&json!({"id": id, "object": "thread.message.delta", "delta": {"content": [delta.shown(*index)]}}))
            }
            // Nested, so that both official SDKs raise it.
            Self::Error => compact(&json!({
                "error": {"message": SORRY, "type": "server_error", "param": null, "code": null},
            })),
            Self::Done => "[DONE]".to_owned(),
        }
    }

    /// Whether a stream of this run ends here.
    pub fn ends_stream(&self) -> bool {
        match self {
            Self::Run(run) => run.status().is_terminal() || run.status() == RunStatus::RequiresAction,
            _ => false,
        }
    }
}

fn compact(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("the API's objects are JSON")
}

impl ContentDelta {
    fn shown(&self, index: usize) -> Value {
        match self {
            Self::Text { value, is_first: true } => {
                json!({"index": index, "type": "text", "text": {"value": value, "annotations": []}})
            }
            Self::Text { value, is_first: false } => json!({"index": index, "type": "text", "text": {"value": value}}),
            Self::Refusal(refusal) => json!({"index": index, "type": "refusal", "refusal": refusal}),
        }
    }
}

impl CallDelta {
    fn shown(&self, index: usize) -> Value {
        match self {
            Self::Begins(ToolCall { id, kind: ToolCallKind::Function { function } }) => json!({
                "index": index,
                "id": id,
                "type": "function",
                "function": {"name": function.name, "arguments": "", "output": null},
            }),
            Self::Begins(ToolCall { id, kind: ToolCallKind::CodeInterpreter { .. } }) => json!({
                "index": index,
                "id": id,
                "type": "code_interpreter",
                "code_interpreter": {"input": "", "outputs": []},
            }),
            Self::Arguments(arguments) => json!({"index": index, "type": "function", "function": {"arguments": arguments}}),
            Self::Input(input) => json!({"index": index, "type": "code_interpreter", "code_interpreter": {"input": input}}),
            Self::Logs { output, logs } => {
                let output = json!({"index": output, "type": "logs", "logs": logs});
                json!({"index": index, "type": "code_interpreter", "code_interpreter": {"outputs": [output]}})
            }
        }
    }
}

/// Adds a delta's text to the content of a message that is being written.
pub(super) fn append(content: &mut Vec<Content>, piece: &str) -> (usize, bool) {
    if let Some(Content::Text { text }) = content.last_mut() {
        text.value.push_str(piece);
        return (content.len() - 1, false);
    }
    content.push(Content::text(piece));
    (content.len() - 1, true)
}
