//! What the stage writes into the open message and the open calls, piece by piece, each with its
//! event.

use super::{
    super::event::{self, CallDelta, ContentDelta, Event},
    Refers, Stage,
};
use crate::{
    tokens::Piece,
    types::{
        File, Id, Timestamp,
        message::{Annotation, Attachment, AttachmentTool, Content, FileRef},
        step::{CodeOutput, ToolCallKind},
    },
};

impl Stage {
    pub(super) fn text(&mut self, piece: &Piece, at: Timestamp, events: &mut Vec<Event>) {
        if !self.may_say(piece.tokens, at, events) {
            return;
        }
        let Some(message) = &mut self.message else { return };
        let (index, is_first) = event::append(&mut message.content, &piece.text);
        let delta = ContentDelta::Text { value: piece.text.clone(), is_first, annotation: None };
        events.push(Event::MessageDelta { id: message.id.clone(), index, delta });
    }

    /// A text that stands for a file, with an annotation that says which: in one piece.
    pub(super) fn marked(
        &mut self,
        piece: &Piece,
        refers: &Refers,
        at: Timestamp,
        events: &mut Vec<Event>,
    ) {
        if !self.may_say(piece.tokens, at, events) {
            return;
        }
        let Some(message) = &mut self.message else { return };
        let start_index = event::text_length(&message.content);
        let (index, is_first) = event::append(&mut message.content, &piece.text);
        let (text, end_index) = (piece.text.clone(), start_index + piece.text.chars().count());
        let annotation = match refers {
            Refers::Citation(cited) => Annotation::FileCitation {
                text,
                start_index,
                end_index,
                file_citation: cited.clone(),
            },
            Refers::Path(id) => {
                let file_path = FileRef { file_id: id.to_string() };
                Annotation::FilePath { text, start_index, end_index, file_path }
            }
        };
        let Some(Content::Text { text }) = message.content.last_mut() else { return };
        let delta = ContentDelta::Text {
            value: piece.text.clone(),
            is_first,
            annotation: Some((text.annotations.len(), annotation.clone())),
        };
        text.annotations.push(annotation);
        events.push(Event::MessageDelta { id: message.id.clone(), index, delta });
    }

    pub(super) fn image(&mut self, file_id: &Id<File>, events: &mut Vec<Event>) {
        let Some(message) = &mut self.message else { return };
        let (index, delta) = (message.content.len(), ContentDelta::Image(file_id.clone()));
        message.content.push(Content::image(file_id));
        events.push(Event::MessageDelta { id: message.id.clone(), index, delta });
    }

    /// Shown with the message as a whole: there is no delta for it.
    pub(super) fn attach(&mut self, file_id: &Id<File>) {
        let Some(message) = &mut self.message else { return };
        message.attachments.push(Attachment {
            file_id: file_id.to_string(),
            tools: vec![AttachmentTool::CodeInterpreter],
        });
    }

    pub(super) fn refusal(&mut self, refusal: String, events: &mut Vec<Event>) {
        self.said += self.count(&refusal);
        let Some(message) = &mut self.message else { return };
        let (index, delta) = (message.content.len(), ContentDelta::Refusal(refusal.clone()));
        message.content.push(Content::Refusal { refusal });
        events.push(Event::MessageDelta { id: message.id.clone(), index, delta });
    }

    pub(super) fn call_piece(&mut self, piece: &Piece, at: Timestamp, events: &mut Vec<Event>) {
        if !self.may_say(piece.tokens, at, events) {
            return;
        }
        let Some(step) = self.steps.last_mut() else { return };
        let id = step.id.clone();
        let Some(calls) = step.tool_calls_mut() else { return };
        let Some((index, call)) = calls.iter_mut().enumerate().last() else { return };
        let delta = match &mut call.kind {
            ToolCallKind::Function { function } => {
                function.arguments.push_str(&piece.text);
                CallDelta::Arguments(piece.text.clone())
            }
            ToolCallKind::CodeInterpreter { code_interpreter } => {
                code_interpreter.input.push_str(&piece.text);
                CallDelta::Input(piece.text.clone())
            }
            // A search is asked for in one piece.
            ToolCallKind::FileSearch { .. } => return,
        };
        events.push(Event::StepDelta { id, index, delta });
    }

    pub(super) fn output(&mut self, output: CodeOutput, events: &mut Vec<Event>) {
        let Some(step) = self.steps.last_mut() else { return };
        let id = step.id.clone();
        let Some((index, call)) =
            step.tool_calls_mut().and_then(|calls| calls.iter_mut().enumerate().last())
        else {
            return;
        };
        let ToolCallKind::CodeInterpreter { code_interpreter } = &mut call.kind else { return };
        let delta =
            CallDelta::Output { number: code_interpreter.outputs.len(), output: output.clone() };
        code_interpreter.outputs.push(output);
        events.push(Event::StepDelta { id, index, delta });
    }
}
