//! The first version of the beta. The store has objects in the terms of v2, and this shows them in
//! those of v1. It also defines how files of v1 are kept. The shapes are those of April 2024, the
//! last recorded ones.
//!
//! Files belonged to assistants and messages then, and tools looked for them there. They are kept
//! where v1 put them, and mapped to the resources of v2's tools. In the other direction, only the
//! files of a code interpreter are mapped: OpenAI's migration guide excludes all others.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};

use super::{
    Assistant as Kept, Id, Message as KeptMessage, Metadata, Resource, Role, Run, Step as KeptStep,
    Thread as KeptThread, Timestamp, Tool, Usage,
    assistant::ResponseFormat,
    message::{Attachment, Content, IncompleteDetails, MessageStatus},
    run::LastError,
    step::{StepDetails, StepStatus, ToolCallKind},
    tool::{Function, ToolChoice},
};
pub use super::{assistant::files_of_v1 as files_of, tool::RETRIEVAL};

/// The files of a message, each once, in the order given.
pub fn file_ids(attachments: &[Attachment]) -> Vec<&str> {
    once(attachments.iter().map(|attachment| attachment.file_id.as_str()))
}

fn once<'i>(ids: impl Iterator<Item = &'i str>) -> Vec<&'i str> {
    let mut all = Vec::new();
    for id in ids {
        if !all.contains(&id) {
            all.push(id);
        }
    }
    all
}

#[derive(Serialize)]
pub(super) struct V1Assistant<'a> {
    id: &'a Id<Kept>,
    object: &'static str,
    created_at: Timestamp,
    name: &'a Option<String>,
    description: &'a Option<String>,
    model: &'a str,
    instructions: &'a Option<String>,
    tools: Vec<ShownTool<'a>>,
    top_p: f64,
    temperature: f64,
    file_ids: Vec<String>,
    metadata: &'a Metadata,
    response_format: &'a ResponseFormat,
}

impl<'a> V1Assistant<'a> {
    pub(super) fn new(kept: &'a Kept) -> Self {
        Self {
            id: &kept.id,
            object: Kept::OBJECT,
            created_at: kept.created_at,
            name: &kept.name,
            description: &kept.description,
            model: &kept.model,
            instructions: &kept.instructions,
            tools: kept.tools.iter().map(ShownTool::new).collect(),
            top_p: kept.top_p,
            temperature: kept.temperature,
            file_ids: files_of(kept),
            metadata: &kept.metadata,
            response_format: &kept.response_format,
        }
    }
}

/// A tool, without its later keys.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ShownTool<'a> {
    CodeInterpreter,
    Retrieval,
    Function { function: ShownFunction<'a> },
}

#[derive(Serialize)]
pub(super) struct ShownFunction<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: &'a Option<String>,
    parameters: &'a serde_json::Map<String, Value>,
}

impl<'a> ShownTool<'a> {
    pub(super) fn new(tool: &'a Tool) -> Self {
        match tool {
            Tool::CodeInterpreter => Self::CodeInterpreter,
            Tool::FileSearch { .. } => Self::Retrieval,
            Tool::Function { function: Function { name, description, parameters, .. } } => {
                Self::Function { function: ShownFunction { name, description, parameters } }
            }
            // No assistant has such a tool.
            Tool::Other(_) => Self::CodeInterpreter,
        }
    }
}

/// The tool to use, by its name under v1.
pub(super) fn tool_choice(choice: &ToolChoice) -> Value {
    if choice.is_search() { json!({"type": RETRIEVAL}) } else { json!(choice) }
}

#[derive(Serialize)]
pub(super) struct V1Thread<'a> {
    id: &'a Id<KeptThread>,
    object: &'static str,
    created_at: Timestamp,
    metadata: &'a Metadata,
}

impl<'a> V1Thread<'a> {
    pub(super) fn new(kept: &'a KeptThread) -> Self {
        Self {
            id: &kept.id,
            object: KeptThread::OBJECT,
            created_at: kept.created_at,
            metadata: &kept.metadata,
        }
    }
}

#[derive(Serialize)]
pub(super) struct V1Message<'a> {
    id: &'a Id<KeptMessage>,
    object: &'static str,
    created_at: Timestamp,
    assistant_id: &'a Option<Id<Kept>>,
    thread_id: &'a Id<KeptThread>,
    run_id: &'a Option<Id<Run>>,
    #[serde(flatten)]
    progress: Option<Progress<'a>>,
    role: Role,
    content: Vec<Value>,
    file_ids: Vec<&'a str>,
    metadata: &'a Metadata,
}

/// The data of a message that only events show.
#[derive(Serialize)]
struct Progress<'a> {
    status: MessageStatus,
    incomplete_details: &'a Option<IncompleteDetails>,
    incomplete_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
}

impl<'a> V1Message<'a> {
    pub(super) fn over_rest(kept: &'a KeptMessage) -> Self {
        Self {
            id: &kept.id,
            object: KeptMessage::OBJECT,
            created_at: kept.created_at,
            assistant_id: &kept.assistant_id,
            thread_id: &kept.thread_id,
            run_id: &kept.run_id,
            progress: None,
            role: kept.role,
            content: kept.content.iter().map(content).collect(),
            file_ids: file_ids(&kept.attachments),
            metadata: &kept.metadata,
        }
    }

    pub(super) fn in_stream(kept: &'a KeptMessage) -> Self {
        let KeptMessage { status, incomplete_details, incomplete_at, completed_at, .. } = kept;
        let progress = Progress {
            status: *status,
            incomplete_details,
            incomplete_at: *incomplete_at,
            completed_at: *completed_at,
        };
        Self { progress: Some(progress), ..Self::over_rest(kept) }
    }
}

/// A part of a message, in which every citation has a quote.
fn content(part: &Content) -> Value {
    let mut shown = json!(part);
    if let Some(image) = shown.get_mut("image_file").and_then(Value::as_object_mut) {
        image.shift_remove("detail");
    }
    if let Some(annotations) = shown.pointer_mut("/text/annotations").and_then(Value::as_array_mut)
    {
        annotations.iter_mut().for_each(quote);
    }
    shown
}

fn quote(annotation: &mut Value) {
    if let Some(citation) = annotation.get_mut("file_citation").and_then(Value::as_object_mut) {
        citation.entry("quote").or_insert_with(|| Value::from(""));
    }
}

/// The usage as it was before it had details.
#[derive(Serialize)]
pub(super) struct V1Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

impl V1Usage {
    pub(super) fn new(usage: Usage) -> Self {
        let Usage { prompt_tokens, completion_tokens, total_tokens, .. } = usage;
        Self { prompt_tokens, completion_tokens, total_tokens }
    }
}

/// A step: its searches are called retrieval, without further data.
#[derive(Serialize)]
pub(super) struct V1Step<'a> {
    id: &'a Id<KeptStep>,
    object: &'static str,
    created_at: Timestamp,
    run_id: &'a Id<Run>,
    assistant_id: &'a Id<Kept>,
    thread_id: &'a Id<KeptThread>,
    #[serde(rename = "type")]
    kind: super::step::StepKind,
    status: StepStatus,
    cancelled_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    failed_at: Option<Timestamp>,
    last_error: &'a Option<LastError>,
    step_details: ShownDetails<'a>,
    usage: Option<V1Usage>,
}

struct ShownDetails<'a>(&'a StepDetails);

impl Serialize for ShownDetails<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let StepDetails::ToolCalls { tool_calls } = self.0 else {
            return self.0.serialize(serializer);
        };
        let shown = tool_calls.iter().map(|call| match call.kind {
            ToolCallKind::FileSearch { .. } => {
                json!({"id": call.id, "type": RETRIEVAL, RETRIEVAL: {}})
            }
            ToolCallKind::Function { .. } | ToolCallKind::CodeInterpreter { .. } => json!(call),
        });
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("type", "tool_calls")?;
        map.serialize_entry("tool_calls", &shown.collect::<Vec<_>>())?;
        map.end()
    }
}

impl<'a> V1Step<'a> {
    pub(super) fn new(kept: &'a KeptStep) -> Self {
        Self {
            id: &kept.id,
            object: KeptStep::OBJECT,
            created_at: kept.created_at,
            run_id: &kept.run_id,
            assistant_id: &kept.assistant_id,
            thread_id: &kept.thread_id,
            kind: kept.kind,
            status: kept.status,
            cancelled_at: kept.cancelled_at,
            completed_at: kept.completed_at,
            expires_at: kept.expires_at,
            failed_at: kept.failed_at,
            last_error: &kept.last_error,
            step_details: ShownDetails(&kept.step_details),
            usage: kept.usage.map(V1Usage::new),
        }
    }
}

/// A file of an assistant.
#[derive(Clone, Debug, Serialize, serde::Deserialize)]
pub struct AssistantFile {
    pub id: Id<Self>,
    object: String,
    pub created_at: Timestamp,
    pub assistant_id: Id<Kept>,
}

impl Resource for AssistantFile {
    type Key = (Id<Kept>, Id<Self>);

    const PREFIX: &'static str = "file-";
    const OBJECT: &'static str = "assistant.file";
    const DELETED: &'static str = "assistant.file.deleted";
    const NOUN: &'static str = "assistant file";
    const PATH: &'static [&'static str] = &["assistant_id", "file_id"];

    fn id(&self) -> &Id<Self> {
        &self.id
    }
}

impl AssistantFile {
    /// The files of an assistant, in the order in which it got them.
    pub fn all(assistant: &Kept) -> Vec<Self> {
        let of = |id: String| Self {
            // For files from v2 there is no time.
            created_at: given_at(assistant, &id).unwrap_or(assistant.created_at),
            id: Id::new(id),
            object: Self::OBJECT.to_owned(),
            assistant_id: assistant.id.clone(),
        };
        files_of(assistant).into_iter().map(of).collect()
    }
}

fn given_at(assistant: &Kept, id: &str) -> Option<Timestamp> {
    assistant.files.iter().find(|given| given.id.as_str() == id).map(|given| given.created_at)
}

/// A file of a message.
#[derive(Clone, Debug, Serialize, serde::Deserialize)]
pub struct MessageFile {
    pub id: Id<Self>,
    object: String,
    pub created_at: Timestamp,
    pub message_id: Id<KeptMessage>,
}

impl Resource for MessageFile {
    type Key = (Id<KeptThread>, Id<KeptMessage>, Id<Self>);

    const PREFIX: &'static str = "file-";
    const OBJECT: &'static str = "thread.message.file";
    const DELETED: &'static str = "thread.message.file.deleted";
    const NOUN: &'static str = "message file";
    const PATH: &'static [&'static str] = &["thread_id", "message_id", "file_id"];

    fn id(&self) -> &Id<Self> {
        &self.id
    }
}

impl MessageFile {
    /// The files of a message, all of which are as old as itself.
    pub fn all(message: &KeptMessage) -> Vec<Self> {
        let of = |id: &str| Self {
            id: Id::new(id),
            object: Self::OBJECT.to_owned(),
            created_at: message.created_at,
            message_id: message.id.clone(),
        };
        file_ids(&message.attachments).into_iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Version, message::attachments_of_v1, reader::read_as};

    fn tool(version: Version, tool: Value) -> Tool {
        read_as(version, tool).unwrap()
    }

    #[test]
    fn tools_are_the_same_whichever_version_they_came_by() {
        let function = json!({"type": "function",
            "function": {"name": "f", "parameters": {"type": "object"}}});
        for (v1, v2) in [
            (json!({"type": "code_interpreter"}), json!({"type": "code_interpreter"})),
            (json!({"type": "retrieval"}), json!({"type": "file_search"})),
            (function.clone(), function),
        ] {
            let kept = tool(Version::V1, v1.clone());
            assert_eq!(kept, tool(Version::V2, v2));
            assert_eq!(json!(ShownTool::new(&kept)), v1);
        }
    }

    #[test]
    fn files_of_messages_survive_a_conversion_to_v2_and_back() {
        let files = ["file-a", "file-b"];
        let attached = attachments_of_v1(files.map(str::to_owned).to_vec());
        assert_eq!(file_ids(&attached), files);
        // As v2 attaches them: once for each tool.
        let twice: Vec<_> = attached.iter().chain(&attached).cloned().collect();
        assert_eq!(file_ids(&twice), files);
    }

    #[test]
    fn the_tool_choice_survives_a_conversion_to_v2_and_back() {
        for (v1, v2) in [
            (json!({"type": "retrieval"}), json!({"type": "file_search"})),
            (json!("auto"), json!("auto")),
            (
                json!({"type": "function", "function": {"name": "f"}}),
                json!({"type": "function", "function": {"name": "f"}}),
            ),
        ] {
            let kept: ToolChoice = read_as(Version::V1, v1.clone()).unwrap();
            assert_eq!((json!(kept), tool_choice(&kept)), (v2, v1));
        }
    }
}
