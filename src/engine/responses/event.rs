//! The events of a response's stream, as recorded: the type first, then the other keys in
//! alphabetical order.

use serde::Serialize;
use serde_json::{Value, json};

use crate::types::{Item, Response};

/// One event, with its number in the stream.
#[derive(Clone, Debug)]
pub struct ResponseEvent {
    pub sequence: u64,
    pub kind: ResponseEventKind,
}

/// An item, and its place in the output.
#[derive(Clone, Debug)]
pub struct ItemPlace {
    pub id: String,
    pub output_index: usize,
}

#[derive(Clone, Debug)]
pub enum ResponseEventKind {
    /// The response is created.
    Created(Box<Response>),
    /// It has the status that it has now.
    Response(Box<Response>),
    ItemAdded(ItemPlace, Box<Item>),
    ItemDone(ItemPlace, Box<Item>),
    PartAdded(ItemPlace, usize, Value),
    PartDone(ItemPlace, usize, Value),
    /// A piece of something that is written piece by piece.
    Delta(ItemPlace, Written, String, Option<String>),
    /// All of it.
    Done(ItemPlace, Written, String),
    Annotation {
        place: ItemPlace,
        content_index: usize,
        number: usize,
        annotation: Value,
    },
    SummaryPart {
        place: ItemPlace,
        number: usize,
        text: String,
        is_done: bool,
    },
    /// How a call of a tool comes along: `response.file_search_call.searching`, …
    Progress(ItemPlace, &'static str),
    Error {
        code: String,
        message: String,
    },
}

/// What is written piece by piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    Text {
        content_index: usize,
    },
    Refusal {
        content_index: usize,
    },
    Arguments,
    Summary {
        summary_index: usize,
    },
    Code,
    /// The input of a custom tool.
    Input,
    /// What a server of the Model Context Protocol is given.
    ServerArguments,
}

impl Written {
    fn delta_name(self) -> &'static str {
        match self {
            Self::Text { .. } => "response.output_text.delta",
            Self::Refusal { .. } => "response.refusal.delta",
            Self::Arguments => "response.function_call_arguments.delta",
            Self::Summary { .. } => "response.reasoning_summary_text.delta",
            Self::Code => "response.code_interpreter_call_code.delta",
            Self::Input => "response.custom_tool_call_input.delta",
            Self::ServerArguments => "response.mcp_call_arguments.delta",
        }
    }

    fn done_name(self) -> &'static str {
        match self {
            Self::Text { .. } => "response.output_text.done",
            Self::Refusal { .. } => "response.refusal.done",
            Self::Arguments => "response.function_call_arguments.done",
            Self::Summary { .. } => "response.reasoning_summary_text.done",
            Self::Code => "response.code_interpreter_call_code.done",
            Self::Input => "response.custom_tool_call_input.done",
            Self::ServerArguments => "response.mcp_call_arguments.done",
        }
    }

    fn content_index(self) -> Option<usize> {
        match self {
            Self::Text { content_index } | Self::Refusal { content_index } => Some(content_index),
            _ => None,
        }
    }

    fn summary_index(self) -> Option<usize> {
        match self {
            Self::Summary { summary_index } => Some(summary_index),
            _ => None,
        }
    }

    /// Whether its pieces are padded. Recorded: refusals are not.
    pub(super) fn is_padded(self) -> bool {
        !matches!(self, Self::Refusal { .. })
    }
}

/// The data of most events. Keys that an event does not have are left out.
#[derive(Serialize, Default)]
struct Data<'e> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotation: Option<&'e Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotation_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'e Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_id: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<[Value; 0]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    obfuscation: Option<&'e str>,
    output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<&'e Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'e str>,
    sequence_number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'e str>,
}

impl ResponseEvent {
    pub fn name(&self) -> &'static str {
        match &self.kind {
            ResponseEventKind::Created(_) => "response.created",
            ResponseEventKind::Response(response) => response.status.event(),
            ResponseEventKind::ItemAdded(..) => "response.output_item.added",
            ResponseEventKind::ItemDone(..) => "response.output_item.done",
            ResponseEventKind::PartAdded(..) => "response.content_part.added",
            ResponseEventKind::PartDone(..) => "response.content_part.done",
            ResponseEventKind::Delta(_, written, ..) => written.delta_name(),
            ResponseEventKind::Done(_, written, _) => written.done_name(),
            ResponseEventKind::Annotation { .. } => "response.output_text.annotation.added",
            ResponseEventKind::SummaryPart { is_done: false, .. } => {
                "response.reasoning_summary_part.added"
            }
            ResponseEventKind::SummaryPart { is_done: true, .. } => {
                "response.reasoning_summary_part.done"
            }
            ResponseEventKind::Progress(_, name) => name,
            ResponseEventKind::Error { .. } => "error",
        }
    }

    /// Whether it tells what an object has become, and no piece of it alone.
    pub(in super::super) fn is_of_object(&self) -> bool {
        matches!(
            self.kind,
            ResponseEventKind::Created(_)
                | ResponseEventKind::Response(_)
                | ResponseEventKind::ItemAdded(..)
                | ResponseEventKind::ItemDone(..)
        )
    }

    /// Whether streams do not show it: the service has no event that tells of a cancel.
    pub fn is_unsaid(&self) -> bool {
        self.ended().is_some_and(|response| response.status.is_cancelled())
    }

    /// The response, if it is over with this event.
    pub fn ended(&self) -> Option<&Response> {
        match &self.kind {
            ResponseEventKind::Response(response) if response.status.is_final() => Some(response),
            _ => None,
        }
    }

    /// Adds the text of an event to this one, if both are pieces of the same text. Answers whether
    /// it did.
    pub(in super::super) fn join(&mut self, next: &Self) -> bool {
        let (
            ResponseEventKind::Delta(place, written, text, padding),
            ResponseEventKind::Delta(next_place, next_written, more, _),
        ) = (&mut self.kind, &next.kind)
        else {
            return false;
        };
        let is_same = written == next_written && place.id == next_place.id;
        if is_same {
            text.push_str(more);
            *padding = padding.as_ref().map(|_| String::new());
        }
        is_same
    }

    /// Adds the data of the event to a text.
    pub fn write(&self, to: &mut Vec<u8>) {
        let (kind, sequence_number) = (self.name(), self.sequence);
        let data = |place: &ItemPlace| Data {
            kind,
            sequence_number,
            output_index: place.output_index,
            ..Data::default()
        };
        match &self.kind {
            ResponseEventKind::Created(response) | ResponseEventKind::Response(response) => {
                #[derive(Serialize)]
                struct OfResponse<'e, R> {
                    #[serde(rename = "type")]
                    kind: &'e str,
                    response: R,
                    sequence_number: u64,
                }
                compact(&OfResponse { kind, response: response.in_stream(), sequence_number }, to);
            }
            ResponseEventKind::ItemAdded(place, item)
            | ResponseEventKind::ItemDone(place, item) => {
                compact(&Data { item: Some(item), ..data(place) }, to);
            }
            ResponseEventKind::PartAdded(place, index, part)
            | ResponseEventKind::PartDone(place, index, part) => {
                let (content_index, part) = (Some(*index), Some(part));
                let item_id = Some(place.id.as_str());
                compact(&Data { content_index, item_id, part, ..data(place) }, to);
            }
            ResponseEventKind::Delta(place, written, delta, padding) => compact(
                &Data {
                    content_index: written.content_index(),
                    delta: Some(delta),
                    item_id: Some(&place.id),
                    logprobs: matches!(written, Written::Text { .. }).then_some([]),
                    obfuscation: padding.as_deref(),
                    summary_index: written.summary_index(),
                    ..data(place)
                },
                to,
            ),
            ResponseEventKind::Done(place, written, whole) => {
                let whole = Some(whole.as_str());
                let is = |wanted: bool| whole.filter(|_| wanted);
                compact(
                    &Data {
                        arguments: is(matches!(
                            written,
                            Written::Arguments | Written::ServerArguments
                        )),
                        code: is(*written == Written::Code),
                        content_index: written.content_index(),
                        input: is(*written == Written::Input),
                        item_id: Some(&place.id),
                        logprobs: matches!(written, Written::Text { .. }).then_some([]),
                        refusal: is(matches!(written, Written::Refusal { .. })),
                        summary_index: written.summary_index(),
                        text: is(matches!(written, Written::Text { .. } | Written::Summary { .. })),
                        ..data(place)
                    },
                    to,
                );
            }
            ResponseEventKind::Annotation { place, content_index, number, annotation } => compact(
                &Data {
                    annotation: Some(annotation),
                    annotation_index: Some(*number),
                    content_index: Some(*content_index),
                    item_id: Some(&place.id),
                    ..data(place)
                },
                to,
            ),
            ResponseEventKind::SummaryPart { place, number, text, .. } => {
                let part = crate::types::response::item::summary_part(text);
                let (part, summary_index) = (Some(&part), Some(*number));
                let item_id = Some(place.id.as_str());
                compact(&Data { item_id, part, summary_index, ..data(place) }, to);
            }
            ResponseEventKind::Progress(place, _) => {
                compact(&Data { item_id: Some(&place.id), ..data(place) }, to);
            }
            ResponseEventKind::Error { code, message } => {
                let error = json!({"type": error_type(code), "code": code, "message": message,
                    "param": null});
                compact(
                    &json!({"type": kind, "error": error, "sequence_number": sequence_number}),
                    to,
                );
            }
        }
    }
}

/// Adds an object of an API to a text: JSON in one line.
pub(in super::super) fn compact(value: &impl Serialize, to: &mut Vec<u8>) {
    serde_json::to_writer(to, value).expect("the API's objects are JSON");
}

/// The type of an error that a stream tells of, by its code. Recorded for the first two.
fn error_type(code: &str) -> &str {
    match code {
        "rate_limit_exceeded" => "tokens",
        "insufficient_quota" => "insufficient_quota",
        "server_error" => "server_error",
        _ => "invalid_request_error",
    }
}
