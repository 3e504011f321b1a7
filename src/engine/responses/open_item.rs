//! The item that a response is writing, and how much of it the events have shown.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::event::{ItemPlace, ResponseEventKind, Written};
use crate::types::{
    Item,
    response::item::{self, ItemStatus},
};

/// An item that is being written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct OpenItem {
    pub id: String,
    pub output_index: usize,
    pub kind: OpenKind,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum OpenKind {
    Message {
        /// The parts that are done.
        parts: Vec<Value>,
        part: Option<OpenPart>,
        phase: Option<String>,
    },
    Call {
        call_id: String,
        name: String,
        arguments: String,
    },
    Reasoning {
        summary: Vec<String>,
        encrypted: Option<String>,
    },
    Code {
        container_id: String,
        code: String,
        outputs: Vec<Value>,
        shows_outputs: bool,
    },
}

/// The part of a message that is being written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum OpenPart {
    Text { text: String, annotations: Vec<Value> },
    Refusal { refusal: String },
}

impl OpenPart {
    fn shown(&self) -> Value {
        match self {
            Self::Text { text, annotations } => item::text_part(text, annotations),
            Self::Refusal { refusal } => item::refusal_part(refusal),
        }
    }
}

type Told = Vec<ResponseEventKind>;

impl OpenItem {
    pub(super) fn place(&self) -> ItemPlace {
        ItemPlace { id: self.id.clone(), output_index: self.output_index }
    }

    /// The item as it is, in this status.
    pub(super) fn item(&self, status: ItemStatus) -> Item {
        let id = self.id.as_str();
        match &self.kind {
            OpenKind::Message { parts, part, phase } => {
                let content = parts.iter().cloned().chain(part.iter().map(OpenPart::shown));
                Item::message(id, status, content.collect(), phase.as_deref())
            }
            OpenKind::Call { call_id, name, arguments } => {
                Item::function_call(id, status, arguments, call_id, name)
            }
            OpenKind::Reasoning { summary, encrypted } => {
                Item::reasoning(id, summary, encrypted.clone())
            }
            OpenKind::Code { container_id, code, outputs, shows_outputs } => {
                let outputs = (*shows_outputs && status != ItemStatus::InProgress)
                    .then(|| Value::from(outputs.clone()));
                let rest = json!({"status": status.name(), "code": code,
                    "container_id": container_id, "outputs": outputs});
                Item::new(id, item::CODE_INTERPRETER_CALL, rest)
            }
        }
    }

    /// Adds the events of its beginning.
    pub(super) fn begin(&self, told: &mut Told) {
        let item = Box::new(self.item(ItemStatus::InProgress));
        told.push(ResponseEventKind::ItemAdded(self.place(), item));
        if matches!(self.kind, OpenKind::Code { .. }) {
            let name = "response.code_interpreter_call.in_progress";
            told.push(ResponseEventKind::Progress(self.place(), name));
        }
    }

    /// Opens a part of the same kind, unless it is open already. Returns its number.
    fn open_part(&mut self, new: OpenPart, told: &mut Told) -> usize {
        let is_other =
            |part: &OpenPart| std::mem::discriminant(part) != std::mem::discriminant(&new);
        if let OpenKind::Message { part: Some(part), .. } = &self.kind
            && is_other(part)
        {
            self.close_part(told);
        }
        let place = self.place();
        let OpenKind::Message { parts, part, .. } = &mut self.kind else { return 0 };
        if part.is_none() {
            told.push(ResponseEventKind::PartAdded(place, parts.len(), new.shown()));
            *part = Some(new);
        }
        parts.len()
    }

    pub(super) fn close_part(&mut self, told: &mut Told) {
        let place = self.place();
        let OpenKind::Message { parts, part, .. } = &mut self.kind else { return };
        let Some(open) = part.take() else { return };
        let content_index = parts.len();
        told.push(match &open {
            OpenPart::Text { text, .. } => ResponseEventKind::Done(
                place.clone(),
                Written::Text { content_index },
                text.clone(),
            ),
            OpenPart::Refusal { refusal } => ResponseEventKind::Done(
                place.clone(),
                Written::Refusal { content_index },
                refusal.clone(),
            ),
        });
        told.push(ResponseEventKind::PartDone(place, content_index, open.shown()));
        parts.push(open.shown());
    }

    /// Adds a piece of text.
    pub(super) fn text(&mut self, piece: String, told: &mut Told) {
        let new = OpenPart::Text { text: String::new(), annotations: Vec::new() };
        let content_index = self.open_part(new, told);
        if let OpenKind::Message { part: Some(OpenPart::Text { text, .. }), .. } = &mut self.kind {
            text.push_str(&piece);
            let written = Written::Text { content_index };
            told.push(ResponseEventKind::Delta(self.place(), written, piece, None));
        }
    }

    /// Adds an annotation at the end of the text. `note` makes it, from that place in characters.
    pub(super) fn annotate(&mut self, note: impl FnOnce(usize) -> Value, told: &mut Told) {
        let new = OpenPart::Text { text: String::new(), annotations: Vec::new() };
        let content_index = self.open_part(new, told);
        let place = self.place();
        if let OpenKind::Message { part: Some(OpenPart::Text { text, annotations }), .. } =
            &mut self.kind
        {
            let annotation = note(text.chars().count());
            let number = annotations.len();
            annotations.push(annotation.clone());
            told.push(ResponseEventKind::Annotation { place, content_index, number, annotation });
        }
    }

    pub(super) fn refusal(&mut self, said: String, told: &mut Told) {
        let content_index = self.open_part(OpenPart::Refusal { refusal: String::new() }, told);
        if let OpenKind::Message { part: Some(OpenPart::Refusal { refusal }), .. } = &mut self.kind
        {
            refusal.push_str(&said);
            let written = Written::Refusal { content_index };
            told.push(ResponseEventKind::Delta(self.place(), written, said, None));
        }
    }

    /// Adds a piece to the input of a call.
    pub(super) fn input(&mut self, piece: String, told: &mut Told) {
        let (whole, written) = match &mut self.kind {
            OpenKind::Call { arguments, .. } => (arguments, Written::Arguments),
            OpenKind::Code { code, .. } => (code, Written::Code),
            OpenKind::Message { .. } | OpenKind::Reasoning { .. } => return,
        };
        whole.push_str(&piece);
        told.push(ResponseEventKind::Delta(self.place(), written, piece, None));
    }

    /// Begins another part of a summary.
    pub(super) fn summary_part(&mut self, told: &mut Told) {
        self.close_summary_part(told);
        let place = self.place();
        let OpenKind::Reasoning { summary, .. } = &mut self.kind else { return };
        let (number, text) = (summary.len(), String::new());
        summary.push(String::new());
        told.push(ResponseEventKind::SummaryPart { place, number, text, is_done: false });
    }

    pub(super) fn summary(&mut self, piece: String, told: &mut Told) {
        let place = self.place();
        let OpenKind::Reasoning { summary, .. } = &mut self.kind else { return };
        let Some(last) = summary.last_mut() else { return };
        last.push_str(&piece);
        let written = Written::Summary { summary_index: summary.len() - 1 };
        told.push(ResponseEventKind::Delta(place, written, piece, None));
    }

    fn close_summary_part(&self, told: &mut Told) {
        let OpenKind::Reasoning { summary, .. } = &self.kind else { return };
        let Some(text) = summary.last() else { return };
        let (place, number) = (self.place(), summary.len() - 1);
        let written = Written::Summary { summary_index: number };
        told.push(ResponseEventKind::Done(place.clone(), written, text.clone()));
        let text = text.clone();
        told.push(ResponseEventKind::SummaryPart { place, number, text, is_done: true });
    }

    /// Adds an output of a program.
    pub(super) fn output(&mut self, output: Value) {
        if let OpenKind::Code { outputs, .. } = &mut self.kind {
            outputs.push(output);
        }
    }

    /// Adds the events of its end, complete or broken off, and returns the finished item.
    pub(super) fn finish(mut self, status: ItemStatus, told: &mut Told) -> Item {
        match &self.kind {
            OpenKind::Message { parts, part, .. } => {
                if parts.is_empty() && part.is_none() {
                    // Clients read the first part without a check that it exists.
                    let new = OpenPart::Text { text: String::new(), annotations: Vec::new() };
                    self.open_part(new, told);
                }
                self.close_part(told);
            }
            OpenKind::Call { arguments, .. } => {
                let all = arguments.clone();
                told.push(ResponseEventKind::Done(self.place(), Written::Arguments, all));
            }
            OpenKind::Reasoning { .. } => self.close_summary_part(told),
            OpenKind::Code { code, .. } => {
                let all = code.clone();
                told.push(ResponseEventKind::Done(self.place(), Written::Code, all));
                for name in [
                    "response.code_interpreter_call.interpreting",
                    "response.code_interpreter_call.completed",
                ] {
                    told.push(ResponseEventKind::Progress(self.place(), name));
                }
            }
        }
        let item = self.item(status);
        told.push(ResponseEventKind::ItemDone(self.place(), Box::new(item.clone())));
        item
    }
}
