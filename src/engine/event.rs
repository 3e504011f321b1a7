//! The events of a run, as the stream shows them. One enum feeds the streams and the store.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::responses::event::{ResponseEvent, compact};

use crate::types::{
    Api, File, Id, Message, Run, RunStatus, Step, Thread, Version, View,
    message::{Annotation, MessageStatus},
    step::{CodeOutput, StepStatus, ToolCall, ToolCallKind},
    v1,
};

#[derive(Clone, Debug)]
pub enum Event {
    ThreadCreated(Box<Thread>),
    RunCreated(Box<Run>),
    /// The run, with its current status.
    Run(Box<Run>),
    StepCreated(Box<Step>),
    Step(Box<Step>),
    /// An addition to the call at this index.
    StepDelta {
        id: Id<Step>,
        index: usize,
        delta: CallDelta,
    },
    MessageCreated(Box<Message>),
    Message(Box<Message>),
    /// An addition to the content at this index.
    MessageDelta {
        id: Id<Message>,
        index: usize,
        delta: ContentDelta,
    },
    /// An event in the stream of a response.
    Response(Box<ResponseEvent>),
    /// The same event, in its stored form.
    Logged(Arc<LoggedEvent>),
    /// The stream breaks off without an event.
    Broken,
    /// The server failed; the connection closes after it.
    Error,
    Done,
}

/// An event as it was written once: its name, and its data in one line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoggedEvent {
    pub name: String,
    pub data: String,
}

impl LoggedEvent {
    pub(super) fn of(event: &ResponseEvent) -> Self {
        let mut data = Vec::new();
        event.write(&mut data);
        let data = String::from_utf8(data).expect("JSON is text");
        Self { name: event.name().to_owned(), data }
    }
}

/// An addition to a message. Recorded: the first piece of a text has a mark of its own.
#[derive(Clone, Debug)]
pub enum ContentDelta {
    Text {
        value: String,
        is_first: bool,
        /// The annotation of the text, and its number.
        annotation: Option<(usize, Annotation)>,
    },
    Image(Id<File>),
    Refusal(String),
}

/// What is added to a tool call.
#[derive(Clone, Debug)]
pub enum CallDelta {
    /// Recorded: all keys of the call, without content.
    Begins(ToolCall),
    Arguments(String),
    Input(String),
    Output {
        number: usize,
        output: CodeOutput,
    },
}

impl Event {
    pub fn name(&self) -> &str {
        match self {
            Self::Response(event) => event.name(),
            Self::Logged(event) => &event.name,
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
            Self::Broken | Self::Error => "error",
            Self::Done => "done",
        }
    }

    /// The data of the event: JSON in one line, or `[DONE]`.
    pub fn data(&self, version: Version, with_results: bool) -> String {
        let mut data = Vec::new();
        self.write(version, with_results, &mut data);
        String::from_utf8(data).expect("JSON is text")
    }

    /// Adds the data of the event to a text. Full search results are only for clients that asked
    /// for them.
    pub fn write(&self, version: Version, with_results: bool, to: &mut Vec<u8>) {
        match self {
            Self::ThreadCreated(thread) => compact(&thread.clone().view().seen(version), to),
            Self::RunCreated(run) | Self::Run(run) => compact(&run.in_stream().seen(version), to),
            Self::StepCreated(step) | Self::Step(step) if with_results => {
                compact(&step.as_ref().seen(version), to)
            }
            Self::StepCreated(step) | Self::Step(step) => {
                compact(&step.clone().without_content().seen(version), to)
            }
            Self::MessageCreated(message) | Self::Message(message) => {
                compact(&message.as_ref().seen(version), to)
            }
            Self::StepDelta { id, index, delta } => {
                let tool_calls = [delta.to_json(version, *index)];
                let step_details = ShownDetails { kind: "tool_calls", tool_calls };
                let delta = ShownCalls { step_details };
                compact(&ShownDelta { id, object: "thread.run.step.delta", delta }, to)
            }
            Self::MessageDelta { id, index, delta } => {
                let delta = ShownContent { content: [delta.shown(version, *index)] };
                compact(&ShownDelta { id, object: "thread.message.delta", delta }, to)
            }
            Self::Response(event) => event.write(to),
            Self::Logged(event) => to.extend_from_slice(event.data.as_bytes()),
            // The stream itself signals that it breaks off, or ends with an error.
            Self::Broken | Self::Error => {}
            Self::Done => to.extend_from_slice(b"[DONE]"),
        }
    }

    /// Whether it is news for others than the listeners of the run's stream.
    pub fn is_news(&self) -> bool {
        // The write of a thread publishes the thread.
        !matches!(
            self,
            Self::ThreadCreated(_) | Self::Logged(_) | Self::Broken | Self::Error | Self::Done
        )
    }

    /// Whether it shows the state of an object, and not only a piece of the object.
    pub(super) fn is_of_object(&self) -> bool {
        match self {
            Self::RunCreated(_) | Self::Run(_) => true,
            Self::StepCreated(_) | Self::Step(_) => true,
            Self::MessageCreated(_) | Self::Message(_) => true,
            Self::Response(event) => event.is_of_object(),
            Self::Logged(_) => false,
            Self::ThreadCreated(_) | Self::StepDelta { .. } | Self::MessageDelta { .. } => false,
            Self::Broken | Self::Error | Self::Done => false,
        }
    }

    /// Whether a stream of this run ends here.
    pub fn ends_stream(&self) -> bool {
        match self {
            Self::Run(run) => {
                run.status().is_terminal() || run.status() == RunStatus::RequiresAction
            }
            Self::Response(event) => event.ended().is_some(),
            _ => false,
        }
    }

    /// Whether streams of this API show it.
    pub(super) fn is_of(&self, api: Api) -> bool {
        match self {
            Self::Broken | Self::Error | Self::Done => true,
            Self::Response(_) | Self::Logged(_) => api == Api::Responses,
            _ => api == Api::Assistants,
        }
    }
}

/// A delta on the wire.
#[derive(Serialize)]
struct ShownDelta<'e, T, D> {
    id: &'e Id<T>,
    object: &'static str,
    delta: D,
}

#[derive(Serialize)]
struct ShownCalls {
    step_details: ShownDetails,
}

#[derive(Serialize)]
struct ShownDetails {
    #[serde(rename = "type")]
    kind: &'static str,
    tool_calls: [Value; 1],
}

#[derive(Serialize)]
struct ShownContent<'e> {
    content: [ShownPart<'e>; 1],
}

/// A piece of content. Nearly all are texts.
#[derive(Serialize)]
#[serde(untagged)]
enum ShownPart<'e> {
    Text {
        index: usize,
        #[serde(rename = "type")]
        kind: &'static str,
        text: ShownText<'e>,
    },
    Other(Value),
}

#[derive(Serialize)]
struct ShownText<'e> {
    value: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<Vec<Value>>,
}

impl ContentDelta {
    fn shown(&self, version: Version, index: usize) -> ShownPart<'_> {
        match self {
            Self::Text { value, is_first, annotation } => {
                let annotations = match annotation {
                    Some((number, annotation)) => Some(vec![added(version, *number, annotation)]),
                    None => is_first.then(Vec::new),
                };
                ShownPart::Text { index, kind: "text", text: ShownText { value, annotations } }
            }
            Self::Image(file_id) if version.is_v1() => ShownPart::Other(
                json!({"index": index, "type": "image_file", "image_file": {"file_id": file_id}}),
            ),
            Self::Image(file_id) => ShownPart::Other(json!({"index": index, "type": "image_file",
                "image_file": {"file_id": file_id, "detail": "auto"}})),
            Self::Refusal(refusal) => {
                ShownPart::Other(json!({"index": index, "type": "refusal", "refusal": refusal}))
            }
        }
    }
}

impl CallDelta {
    fn to_json(&self, version: Version, index: usize) -> Value {
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
            Self::Arguments(arguments) => {
                json!({"index": index, "type": "function", "function": {"arguments": arguments}})
            }
            Self::Input(input) => {
                json!({"index": index, "type": "code_interpreter",
                    "code_interpreter": {"input": input}})
            }
            Self::Begins(ToolCall { id, kind: ToolCallKind::FileSearch { .. } })
                if version.is_v1() =>
            {
                json!({
                    "index": index,
                    "id": id,
                    "type": v1::RETRIEVAL,
                    v1::RETRIEVAL: {},
                })
            }
            Self::Begins(ToolCall { id, kind: ToolCallKind::FileSearch { file_search } }) => {
                json!({
                    "index": index,
                    "id": id,
                    "type": "file_search",
                    "file_search": {"ranking_options": file_search.ranking_options, "results": []},
                })
            }
            Self::Output { number, output } => {
                let output = match output {
                    CodeOutput::Logs { logs } => {
                        json!({"index": number, "type": "logs", "logs": logs})
                    }
                    CodeOutput::Image { image } => {
                        json!({"index": number, "type": "image", "image": image})
                    }
                };
                json!({"index": index, "type": "code_interpreter",
                    "code_interpreter": {"outputs": [output]}})
            }
        }
    }
}

/// An annotation as its delta shows it: with a number, and under v2 with a quote that is always
/// empty. Recorded.
fn added(version: Version, number: usize, annotation: &Annotation) -> Value {
    match annotation {
        Annotation::FileCitation { text, start_index, end_index, file_citation }
            if version.is_v1() =>
        {
            json!({
                "index": number,
                "type": "file_citation",
                "text": text,
                "start_index": start_index,
                "end_index": end_index,
                "file_citation": {"file_id": file_citation.file_id,
                    "quote": file_citation.quote.as_deref().unwrap_or_default()},
            })
        }
        Annotation::FileCitation { text, start_index, end_index, file_citation } => json!({
            "index": number,
            "type": "file_citation",
            "text": text,
            "start_index": start_index,
            "end_index": end_index,
            "file_citation": {"file_id": file_citation.file_id, "quote": ""},
        }),
        Annotation::FilePath { text, start_index, end_index, file_path } => json!({
            "index": number,
            "type": "file_path",
            "text": text,
            "start_index": start_index,
            "end_index": end_index,
            "file_path": file_path,
        }),
    }
}
