//! What happens to a run, as the stream tells it. One enum feeds the streams and the store.

use serde::Serialize;
use serde_json::{Value, json};

use crate::types::{
    Id, Message, Run, RunStatus, Step, Thread,
    message::{Content, MessageStatus},
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
    StepDelta {
        id: Id<Step>,
        tool_call: Value,
    },
    MessageCreated(Message),
    Message(Message),
    MessageDelta {
        id: Id<Message>,
        content: Value,
    },
    Done,
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
            Self::StepDelta { id, tool_call } => compact(&json!({
                "id": id,
                "object": "thread.run.step.delta",
                "delta": {"step_details": {"type": "tool_calls", "tool_calls": [tool_call]}},
            })),
            Self::MessageDelta { id, content } => {
                compact(&json!({"id": id, "object": "thread.message.delta", "delta": {"content": [content]}}))
            }
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

/// The first delta of a text carries its empty annotations, the others do not. Recorded.
pub(super) fn text_delta(index: usize, value: &str, is_first: bool) -> Value {
    let text = if is_first { json!({"value": value, "annotations": []}) } else { json!({ "value": value }) };
    json!({"index": index, "type": "text", "text": text})
}

pub(super) fn refusal_delta(index: usize, refusal: &str) -> Value {
    json!({"index": index, "type": "refusal", "refusal": refusal})
}

/// The delta that begins a call: all of its keys, and nothing in them yet. Recorded.
pub(super) fn call_begins(index: usize, call: &ToolCall) -> Value {
    match &call.kind {
        ToolCallKind::Function { function } => json!({
            "index": index,
            "id": call.id,
            "type": "function",
            "function": {"name": function.name, "arguments": "", "output": null},
        }),
        ToolCallKind::CodeInterpreter { .. } => json!({
            "index": index,
            "id": call.id,
            "type": "code_interpreter",
            "code_interpreter": {"input": "", "outputs": []},
        }),
    }
}

pub(super) fn arguments_delta(index: usize, arguments: &str) -> Value {
    json!({"index": index, "type": "function", "function": {"arguments": arguments}})
}

pub(super) fn input_delta(index: usize, input: &str) -> Value {
    json!({"index": index, "type": "code_interpreter", "code_interpreter": {"input": input}})
}

pub(super) fn logs_delta(index: usize, output: usize, logs: &str) -> Value {
    let output = json!({"index": output, "type": "logs", "logs": logs});
    json!({"index": index, "type": "code_interpreter", "code_interpreter": {"outputs": [output]}})
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
