//! How objects are shown, in either version of the API. Stored objects do not depend on this.

use std::borrow::Cow;

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};

use super::{
    Assistant, Id, Message, Metadata, Phase, Resource, Role, Run, Step, Thread, Timestamp, Version,
    View,
    message::{Attachment, Content, MessageObject, MessageView, has_quotes, without_quotes},
    tool::ToolResources,
    v1,
};

impl View for Assistant {
    fn show<S: Serializer>(&self, version: Version, serializer: S) -> Result<S::Ok, S::Error> {
        match version {
            Version::V1 => v1::V1Assistant::new(self).serialize(serializer),
            Version::V2 if self.files.is_empty() && self.v1_store.is_none() => {
                self.serialize(serializer)
            }
            Version::V2 => self.as_of_v2().serialize(serializer),
        }
    }
}

impl View for Thread {
    fn show<S: Serializer>(&self, version: Version, serializer: S) -> Result<S::Ok, S::Error> {
        match version {
            Version::V1 => v1::V1Thread::new(self).serialize(serializer),
            Version::V2 => self.serialize(serializer),
        }
    }
}

impl View for Message {
    /// As events show it.
    fn show<S: Serializer>(&self, version: Version, serializer: S) -> Result<S::Ok, S::Error> {
        match version {
            Version::V1 => v1::V1Message::in_stream(self).serialize(serializer),
            Version::V2 if !has_quotes(&self.content) => self.serialize(serializer),
            Version::V2 => Self { content: without_quotes(&self.content), ..self.clone() }
                .serialize(serializer),
        }
    }
}

impl View for MessageView {
    fn show<S: Serializer>(&self, version: Version, serializer: S) -> Result<S::Ok, S::Error> {
        match version {
            Version::V1 => v1::V1Message::over_rest(&self.message).serialize(serializer),
            Version::V2 => RestView::new(self).serialize(serializer),
        }
    }
}

/// The shape of v2 over REST: all but the four keys of a message's progress. In all recordings the
/// answer to a modify has the shape of v1, under v2 too.
#[derive(Serialize)]
struct RestView<'m> {
    id: &'m Id<Message>,
    object: MessageObject,
    created_at: Timestamp,
    assistant_id: &'m Option<Id<Assistant>>,
    thread_id: &'m Id<Thread>,
    run_id: &'m Option<Id<Run>>,
    role: Role,
    content: Cow<'m, [Content]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attachments: Option<&'m [Attachment]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_ids: Option<[&'m str; 0]>,
    metadata: &'m Metadata,
}

impl<'m> RestView<'m> {
    fn new(MessageView { message, was_modified }: &'m MessageView) -> Self {
        let content = match has_quotes(&message.content) {
            true => Cow::Owned(without_quotes(&message.content)),
            false => Cow::Borrowed(message.content.as_slice()),
        };
        Self {
            id: &message.id,
            object: message.object,
            created_at: message.created_at,
            assistant_id: &message.assistant_id,
            thread_id: &message.thread_id,
            run_id: &message.run_id,
            role: message.role,
            content,
            attachments: (!was_modified).then_some(message.attachments.as_slice()),
            file_ids: was_modified.then_some([]),
            metadata: &message.metadata,
        }
    }
}

impl View for Step {
    fn show<S: Serializer>(&self, version: Version, serializer: S) -> Result<S::Ok, S::Error> {
        match version {
            Version::V1 => v1::V1Step::new(self).serialize(serializer),
            Version::V2 if !self.has_queries() => self.serialize(serializer),
            Version::V2 => self.clone().without_kept().serialize(serializer),
        }
    }
}

impl Run {
    /// As answers show it.
    pub fn over_rest(&self) -> RunView<'_> {
        RunView { run: Cow::Borrowed(self), in_stream: false }
    }

    /// As stream events show it.
    pub fn in_stream(&self) -> RunView<'_> {
        RunView { run: Cow::Borrowed(self), in_stream: true }
    }

    /// As the answer to a request for it.
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

/// As it is stored: first the keys that v2 shows, and then the keys that v2 does not show.
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
                    &run.tools.iter().map(v1::ShownTool::new).collect::<Vec<_>>(),
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
            Version::V1 => map.serialize_entry("usage", &phase.usage().map(v1::V1Usage::new))?,
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
