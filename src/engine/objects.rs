//! The view of the Assistants API on a run. It folds the events of the machine into the run, its
//! steps and its messages. Each change comes with the events for streams.
//!
//! This module makes no decisions.

use super::{
    command::RunChange,
    cue::{MarkTarget, PerformanceEnd},
    error::EngineError,
    event::{CallDelta, ContentDelta, Event},
    machine::{self, Closing, Ending, EventKind, Input, Machine, MachineCall, MachineOutput},
};
use crate::{
    clock::RunIds,
    store::{self, Changes},
    types::{
        Id, Message, Phase, Run, RunStatus, Step, Timestamp, Usage,
        message::{
            Annotation, Attachment, AttachmentTool, Content, FileRef, IncompleteDetails,
            IncompleteMessage, MessageStatus,
        },
        run::IncompleteRun,
        step::{
            CalledFunction, CodeOutput, Interpreted, MessageCreation, StepDetails, StepEnd,
            ToolCall, ToolCallKind,
        },
        tool::ToolOutput,
    },
};

pub(super) struct RunObjects {
    pub run: Run,
    pub steps: Vec<Step>,
    /// The open message.
    message: Option<Message>,
    /// The number of messages that the run has begun.
    messages: usize,
    ids: RunIds,
}

impl RunObjects {
    pub(super) fn new(run: Run, steps: Vec<Step>, message: Option<Message>, ids: RunIds) -> Self {
        let is_message =
            |step: &&Step| matches!(step.step_details, StepDetails::MessageCreation { .. });
        let messages = steps.iter().filter(is_message).count();
        Self { run, steps, message: message.filter(Message::is_open), messages, ids }
    }

    /// The open message.
    pub(super) fn message(&self) -> Option<&Message> {
        self.message.as_ref()
    }

    /// The ids of the objects that the run makes.
    pub(super) fn ids(&self) -> &RunIds {
        &self.ids
    }

    /// The request of a client as an input of the machine, if it is possible now.
    pub(super) fn input_of(
        &self,
        change: RunChange,
        machine: &Machine,
    ) -> Result<Input, EngineError> {
        let status = self.run.status();
        match change {
            RunChange::Cancel if machine.accepts(&Input::Cancel) => Ok(Input::Cancel),
            RunChange::Cancel => Err(EngineError::NotCancellable(status)),
            RunChange::Submit(_) if status != RunStatus::RequiresAction => {
                Err(EngineError::NoOutputsWanted(status))
            }
            RunChange::Submit(outputs) => self.in_order(outputs).map(Input::Submit),
        }
    }

    /// The outputs, in the order of the calls that the run waits for.
    fn in_order(&self, outputs: Vec<ToolOutput>) -> Result<Vec<String>, EngineError> {
        let calls = self.steps.last().map(Step::function_calls).unwrap_or_default();
        let output_of = |id: &str| outputs.iter().find(|output| output.tool_call_id == id);
        let found: Option<Vec<_>> =
            calls.iter().map(|call| output_of(&call.id).map(|it| it.output.clone())).collect();
        found.filter(|found| found.len() == outputs.len()).ok_or_else(|| {
            EngineError::WrongOutputs {
                expected: calls.into_iter().map(|call| call.id).collect(),
                got: outputs.into_iter().map(|output| output.tool_call_id).collect(),
            }
        })
    }

    /// Changes the objects by the events of the machine, and returns the events for streams.
    pub(super) fn apply(&mut self, events: Vec<machine::MachineEvent>) -> Vec<Event> {
        let mut shown = Vec::new();
        for machine::MachineEvent { at, what } in events {
            self.apply_one(what, at, &mut shown);
        }
        shown
    }

    fn apply_one(&mut self, what: EventKind, at: Timestamp, shown: &mut Vec<Event>) {
        match what {
            EventKind::Started => {
                self.run.started_at = Some(at);
                self.turn(Phase::InProgress, shown);
            }
            EventKind::MessageOpened => self.open_message(at, shown),
            EventKind::Text { piece, refers } => shown.extend(self.text(piece, refers)),
            EventKind::Image { file_id } => {
                let delta = ContentDelta::Image(file_id.clone());
                shown.extend(self.add(Content::image(&file_id), delta));
            }
            EventKind::Attached { file_id } => {
                // Visible only in the complete message: there is no delta for it.
                let tools = vec![AttachmentTool::CodeInterpreter];
                let attachment = Attachment { file_id: file_id.to_string(), tools };
                self.message.iter_mut().for_each(|it| it.attachments.push(attachment.clone()));
            }
            EventKind::Refusal(refusal) => {
                let delta = ContentDelta::Refusal(refusal.clone());
                shown.extend(self.add(Content::Refusal { refusal }, delta));
            }
            EventKind::CallsOpened => {
                self.open_step(StepDetails::ToolCalls { tool_calls: Vec::new() }, at, shown);
            }
            EventKind::Called(call) => shown.extend(self.call(call)),
            EventKind::CallInput(piece) => shown.extend(self.call_input(piece)),
            EventKind::Output(output) => shown.extend(self.output(output)),
            EventKind::OutputsGiven(outputs) => self.give_outputs(outputs),
            EventKind::Closed { how, usage } => self.close(how, usage, at, shown),
            EventKind::OutputsWanted => {
                let calls = self.steps.last().map(Step::function_calls).unwrap_or_default();
                self.turn(Phase::RequiresAction { calls }, shown);
            }
            // The Assistants API has no form for them.
            EventKind::ReasoningOpened
            | EventKind::AnswersWanted
            | EventKind::SummaryPart
            | EventKind::Summary(_)
            | EventKind::Item(_) => {}
            EventKind::Requeued => self.turn(Phase::Queued, shown),
            EventKind::Cancelling => {
                // Recorded: a run that is cancelled in the queue shows a start time, too.
                self.run.started_at.get_or_insert(at);
                self.turn(Phase::Cancelling, shown);
            }
            EventKind::BrokeOff => shown.push(Event::Broken),
            EventKind::Ended(ending) => self.turn(phase_of(ending, at), shown),
        }
    }

    fn turn(&mut self, phase: Phase, shown: &mut Vec<Event>) {
        self.run.phase = phase;
        shown.push(Event::Run(Box::new(self.run.clone())));
    }

    fn open_message(&mut self, at: Timestamp, shown: &mut Vec<Event>) {
        let message_id = self.ids.message(self.messages);
        let message_creation = MessageCreation { message_id: message_id.clone() };
        self.open_step(StepDetails::MessageCreation { message_creation }, at, shown);
        self.messages += 1;
        let message = Message::begun(message_id, at, &self.run);
        shown.push(Event::MessageCreated(Box::new(message.clone())));
        shown.push(Event::Message(Box::new(message.clone())));
        self.message = Some(message);
    }

    fn open_step(&mut self, details: StepDetails, at: Timestamp, shown: &mut Vec<Event>) {
        let step = Step::begun(self.ids.step(self.steps.len()), at, &self.run, details);
        shown.push(Event::StepCreated(Box::new(step.clone())));
        shown.push(Event::Step(Box::new(step.clone())));
        self.steps.push(step);
    }

    /// A piece of text. If it refers to a file, it has an annotation with the target.
    fn text(&mut self, value: String, refers: Option<MarkTarget>) -> Option<Event> {
        let message = self.message.as_mut()?;
        let is_first = !matches!(message.content.last(), Some(Content::Text { .. }));
        if is_first {
            message.content.push(Content::text(""));
        }
        let index = message.content.len() - 1;
        let Content::Text { text } = &mut message.content[index] else { return None };
        let annotation = refers.map(|refers| {
            let start = text.value.chars().count();
            annotation(value.clone(), start, refers)
        });
        text.value.push_str(&value);
        let numbered = annotation.map(|annotation| {
            text.annotations.push(annotation.clone());
            (text.annotations.len() - 1, annotation)
        });
        let delta = ContentDelta::Text { value, is_first, annotation: numbered };
        Some(Event::MessageDelta { id: message.id.clone(), index, delta })
    }

    fn add(&mut self, content: Content, delta: ContentDelta) -> Option<Event> {
        let message = self.message.as_mut()?;
        message.content.push(content);
        let index = message.content.len() - 1;
        Some(Event::MessageDelta { id: message.id.clone(), index, delta })
    }

    fn call(&mut self, call: MachineCall) -> Option<Event> {
        let nth = self.steps.iter().map(|step| step.tool_calls().len()).sum();
        let kind = match call {
            MachineCall::Function { name } => ToolCallKind::Function {
                function: CalledFunction { name, arguments: String::new(), output: None },
            },
            MachineCall::CodeInterpreter => ToolCallKind::CodeInterpreter {
                code_interpreter: Interpreted { input: String::new(), outputs: Vec::new() },
            },
            MachineCall::FileSearch(file_search) => ToolCallKind::FileSearch { file_search },
        };
        let call = ToolCall { id: self.ids.call(nth), kind };
        let step = self.steps.last_mut()?;
        let id = step.id.clone();
        let calls = step.tool_calls_mut()?;
        calls.push(call.clone());
        let index = calls.len() - 1;
        Some(Event::StepDelta { id, index, delta: CallDelta::Begins(call) })
    }

    /// The last call of the open step, and its index.
    fn last_call(&mut self) -> Option<(Id<Step>, usize, &mut ToolCall)> {
        let step = self.steps.last_mut()?;
        let id = step.id.clone();
        let (index, call) = step.tool_calls_mut()?.iter_mut().enumerate().last()?;
        Some((id, index, call))
    }

    fn call_input(&mut self, piece: String) -> Option<Event> {
        let (id, index, call) = self.last_call()?;
        let delta = match &mut call.kind {
            ToolCallKind::Function { function } => {
                function.arguments.push_str(&piece);
                CallDelta::Arguments(piece)
            }
            ToolCallKind::CodeInterpreter { code_interpreter } => {
                code_interpreter.input.push_str(&piece);
                CallDelta::Input(piece)
            }
            ToolCallKind::FileSearch { .. } => return None,
        };
        Some(Event::StepDelta { id, index, delta })
    }

    fn output(&mut self, output: MachineOutput) -> Option<Event> {
        let (id, index, call) = self.last_call()?;
        let ToolCallKind::CodeInterpreter { code_interpreter } = &mut call.kind else {
            return None;
        };
        let output = match output {
            MachineOutput::Logs(logs) => CodeOutput::Logs { logs },
            MachineOutput::Drawing(file_id) => {
                CodeOutput::Image { image: FileRef { file_id: file_id.to_string() } }
            }
        };
        let number = code_interpreter.outputs.len();
        code_interpreter.outputs.push(output.clone());
        Some(Event::StepDelta { id, index, delta: CallDelta::Output { number, output } })
    }

    fn give_outputs(&mut self, outputs: Vec<String>) {
        let calls = self.steps.last_mut().and_then(Step::tool_calls_mut).into_iter().flatten();
        let functions = calls.filter_map(|call| match &mut call.kind {
            ToolCallKind::Function { function } => Some(function),
            ToolCallKind::CodeInterpreter { .. } | ToolCallKind::FileSearch { .. } => None,
        });
        for (function, output) in functions.zip(outputs) {
            function.output = Some(output);
        }
    }

    fn close(&mut self, how: Closing, usage: Usage, at: Timestamp, shown: &mut Vec<Event>) {
        if let Some(mut message) = self.message.take() {
            close_message(&mut message, &how, at);
            shown.push(Event::Message(Box::new(message)));
        }
        if let Some(step) = self.steps.last_mut().filter(|step| step.is_open()) {
            step.end(how_step_ends(how, step), at, usage);
            shown.push(Event::Step(Box::new(step.clone())));
        }
    }

    /// Adds the changed steps and messages to a write, and the current state of the open ones. The
    /// run itself is not included.
    pub(super) fn write(&self, changes: &mut Changes, shown: &[Event]) -> store::Result<()> {
        let (mut steps, mut messages, mut begun) = (Vec::new(), Vec::new(), Vec::new());
        for event in shown {
            match event {
                Event::StepCreated(step) | Event::Step(step) => steps.push(&step.id),
                Event::MessageCreated(message) => begun.push(&message.id),
                Event::Message(message) if !message.is_open() => messages.push(&**message),
                _ => {}
            }
        }
        for step in self.steps.iter().filter(|it| it.is_open() || steps.contains(&&it.id)) {
            changes.put_step(step)?;
        }
        for message in messages.into_iter().chain(&self.message) {
            if begun.contains(&&message.id) {
                changes.insert_message(message, Some(&self.run.id))?;
            } else {
                changes.update_message(message)?;
            }
        }
        Ok(())
    }
}

fn annotation(text: String, start_index: usize, refers: MarkTarget) -> Annotation {
    let end_index = start_index + text.chars().count();
    match refers {
        MarkTarget::Citation { cited: file_citation, .. } => {
            Annotation::FileCitation { text, start_index, end_index, file_citation }
        }
        MarkTarget::Path(id) => {
            let file_path = FileRef { file_id: id.to_string() };
            Annotation::FilePath { text, start_index, end_index, file_path }
        }
    }
}

fn phase_of(ending: Ending, at: Timestamp) -> Phase {
    match ending {
        Ending::Completed(usage) => Phase::Completed { at, usage },
        Ending::Incomplete(reason, usage) => Phase::Incomplete { at, reason, usage },
        Ending::Failed(error, usage) => Phase::Failed { at, error, usage },
        Ending::Expired(usage) => Phase::Expired { usage },
        Ending::Cancelled(usage) => Phase::Cancelled { at, usage },
    }
}

fn close_message(message: &mut Message, how: &Closing, at: Timestamp) {
    let reason = match how {
        Closing::Finished => {
            if message.content.is_empty() {
                // Clients read the first part of a message without a check that it exists.
                message.content.push(Content::text(""));
            }
            message.status = MessageStatus::Completed;
            message.completed_at = Some(at);
            return;
        }
        Closing::LeftOut => IncompleteMessage::RunCancelled,
        Closing::BrokenOff(end) => why_incomplete(end),
    };
    message.status = MessageStatus::Incomplete;
    message.incomplete_at = Some(at);
    message.incomplete_details = Some(IncompleteDetails { reason });
}

fn why_incomplete(end: &PerformanceEnd) -> IncompleteMessage {
    match end {
        PerformanceEnd::Completed { .. } | PerformanceEnd::Cancelled => {
            IncompleteMessage::RunCancelled
        }
        PerformanceEnd::Failed { .. } => IncompleteMessage::RunFailed,
        PerformanceEnd::Incomplete { reason: IncompleteRun::ContentFilter, .. } => {
            IncompleteMessage::ContentFilter
        }
        PerformanceEnd::Incomplete { .. } => IncompleteMessage::MaxTokens,
        PerformanceEnd::Expired => IncompleteMessage::RunExpired,
    }
}

fn how_step_ends(how: Closing, step: &Step) -> StepEnd {
    match how {
        Closing::Finished | Closing::BrokenOff(PerformanceEnd::Completed { .. }) => {
            StepEnd::Completed
        }
        Closing::LeftOut | Closing::BrokenOff(PerformanceEnd::Cancelled) => StepEnd::Cancelled,
        Closing::BrokenOff(PerformanceEnd::Failed { error, .. }) => StepEnd::Failed(error),
        // Recorded for a message that ran out of tokens: its step is completed. Calls that were cut
        // off were not made.
        Closing::BrokenOff(PerformanceEnd::Incomplete { .. }) => match step.step_details {
            StepDetails::ToolCalls { .. } => StepEnd::Cancelled,
            StepDetails::MessageCreation { .. } => StepEnd::Completed,
        },
        Closing::BrokenOff(PerformanceEnd::Expired) => StepEnd::Expired,
    }
}
