//! The stage: one run with its steps and messages, and how each cue changes them. Pure: no clock,
//! no database, no await, no fixtures.
//!
//! Cues are what performers give; events are what streams tell. Whatever a performer says, the
//! objects stay such that official clients can put them together again: one message at a time,
//! every step and message closed before the run ends, deltas that add up to the final object.

mod writing;

use serde::{Deserialize, Serialize};

use super::{
    Refused,
    event::{CallDelta, Event},
    phase::{self, Action, NotNow},
};
use crate::{
    clock::RunIds,
    tokens::{self, Piece},
    types::{
        File, Id, Message, Run, RunStatus, Step, Timestamp, Usage, limits,
        message::{
            CitedFile, Content, FileRef, IncompleteDetails, IncompleteMessage, MessageStatus,
        },
        run::{IncompleteRun, LastError},
        step::{
            CalledFunction, CodeOutput, Interpreted, MessageCreation, Searched, StepDetails,
            StepEnd, ToolCall, ToolCallKind,
        },
        tool::{FunctionCall, ToolOutput},
    },
};

/// What a performer says next.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Cue {
    /// The run is taken from the queue.
    Start,
    OpenMessage,
    Image {
        file_id: Id<File>,
    },
    Text(Piece),
    /// A stretch of text that stands for a file.
    Marked {
        piece: Piece,
        refers: Refers,
    },
    Attach {
        file_id: Id<File>,
    },
    Refusal(String),
    CloseMessage,
    OpenCalls,
    Function {
        name: String,
    },
    Arguments(Piece),
    CodeInterpreter,
    Input(Piece),
    Logs(String),
    /// The code has drawn something.
    Drawing {
        file_id: Id<File>,
    },
    /// A search that has been made, and the tokens that it took the model to ask for it.
    FileSearch {
        file_search: Searched,
        tokens: u64,
    },
    /// What the open step has used, where somebody else counted it.
    Usage(Usage),
    /// The calls are made: on with it, or wait for the client's outputs if functions are among
    /// them.
    CloseCalls,
    /// Streams break off here; the run goes on.
    Disconnect,
    End(End),
}

/// What a stretch of text stands for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Refers {
    Citation(CitedFile),
    Path(Id<File>),
}

/// How a performance ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum End {
    Completed { usage: Option<Usage> },
    Failed { error: LastError, usage: Option<Usage> },
    Incomplete { reason: IncompleteRun, usage: Option<Usage> },
    Expired,
    Cancelled,
}

/// Tokens of the prompt that a run starts with, and the fewest it could be cut down to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Prompt {
    pub tokens: u64,
    pub fewest: u64,
}

pub(super) struct Stage {
    pub run: Run,
    pub steps: Vec<Step>,
    /// The message being written.
    message: Option<Message>,
    /// How many messages this run has begun.
    messages: usize,
    ids: RunIds,
    prompt: Prompt,
    /// Tokens that the model has written in the open step.
    said: u64,
    /// What was reported of the open step in place of that.
    reported: Option<Usage>,
}

impl Stage {
    pub(super) fn new(run: Run, steps: Vec<Step>, message: Option<Message>, ids: RunIds) -> Self {
        let messages = steps
            .iter()
            .filter(|step| matches!(step.step_details, StepDetails::MessageCreation { .. }))
            .count();
        let message = message.filter(Message::is_open);
        let open = steps.last().filter(|step| step.is_open());
        let written =
            message.as_ref().map_or(0, |message| tokens::count(&run.model, &message.text()));
        let said = written + open.map_or(0, |step| said_in_calls(&run.model, step.tool_calls()));
        Self { run, steps, message, messages, ids, prompt: Prompt::default(), said, reported: None }
    }

    pub(super) fn set_prompt(&mut self, prompt: Prompt) {
        self.prompt = prompt;
    }

    /// Takes over what was reported of the open step before a restart.
    pub(super) fn report(&mut self, usage: Option<Usage>) {
        self.reported = usage;
    }

    /// The message that is being written, as far as it has been.
    pub(super) fn message_in_progress(&self) -> Option<&Message> {
        self.message.as_ref()
    }

    /// The ids of what the run makes.
    pub(super) fn ids(&self) -> &RunIds {
        &self.ids
    }

    pub(super) fn is_over(&self) -> bool {
        self.run.status().is_terminal()
    }

    /// Whether the performer has the word.
    pub(super) fn is_performing(&self) -> bool {
        matches!(self.run.status(), RunStatus::Queued | RunStatus::InProgress)
    }

    /// Whether a cue would give the run another status.
    pub(super) fn would_turn(&self, cue: &Cue) -> bool {
        match cue {
            Cue::Start | Cue::End(_) => true,
            Cue::CloseCalls => !self.open_calls().is_empty(),
            _ => false,
        }
    }

    /// Plays one cue. A run that has ended, by running out of tokens perhaps, takes no more of
    /// them.
    pub(super) fn play(&mut self, cue: Cue, at: Timestamp, events: &mut Vec<Event>) {
        if self.is_over() {
            return;
        }
        match cue {
            Cue::Start => self.start(at, events),
            Cue::OpenMessage => self.open_message(at, events),
            Cue::Image { file_id } => self.image(&file_id, events),
            Cue::Text(piece) => self.text(&piece, at, events),
            Cue::Marked { piece, refers } => self.marked(&piece, &refers, at, events),
            Cue::Attach { file_id } => self.attach(&file_id),
            Cue::Refusal(refusal) => self.refusal(refusal, events),
            Cue::CloseMessage => self.close_message(at, events),
            Cue::OpenCalls => {
                _ = self.open_step(StepDetails::ToolCalls { tool_calls: Vec::new() }, at, events)
            }
            Cue::Function { name } => {
                let function = CalledFunction { name, arguments: String::new(), output: None };
                self.call(ToolCallKind::Function { function }, events);
            }
            Cue::CodeInterpreter => {
                let code_interpreter = Interpreted { input: String::new(), outputs: Vec::new() };
                self.call(ToolCallKind::CodeInterpreter { code_interpreter }, events);
            }
            Cue::Arguments(piece) | Cue::Input(piece) => self.call_piece(&piece, at, events),
            Cue::Logs(logs) => self.output(CodeOutput::Logs { logs }, events),
            Cue::Drawing { file_id } => {
                self.output(
                    CodeOutput::Image { image: FileRef { file_id: file_id.to_string() } },
                    events,
                );
            }
            Cue::FileSearch { file_search, tokens } => {
                self.said += tokens;
                self.call(ToolCallKind::FileSearch { file_search }, events);
            }
            Cue::Usage(usage) => self.reported = Some(usage),
            Cue::CloseCalls => self.close_calls(at, events),
            Cue::Disconnect => events.push(Event::Broken),
            Cue::End(end) => self.end(end, at, events),
        }
    }

    /// Takes the client's outputs for the calls that the run waits for.
    pub(super) fn submit(
        &mut self,
        outputs: Vec<ToolOutput>,
        at: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refused> {
        let phase = phase::apply(self.run.phase.clone(), Action::SubmitOutputs, at)
            .map_err(NotNow::submitting)?;
        let expected: Vec<String> = self.open_calls().iter().map(|call| call.id.clone()).collect();
        let got: Vec<String> = outputs.iter().map(|output| output.tool_call_id.clone()).collect();
        if !same_set(&expected, &got) {
            return Err(Refused::WrongOutputs { expected, got });
        }
        let usage = self.open_usage();
        if let Some(step) = self.steps.last_mut() {
            for ToolOutput { tool_call_id, output } in outputs {
                let calls = step.tool_calls_mut().into_iter().flatten();
                for call in calls.filter(|call| call.id == tool_call_id) {
                    if let ToolCallKind::Function { function } = &mut call.kind {
                        function.output = Some(output.clone());
                    }
                }
            }
            step.end(StepEnd::Completed, at, usage);
            events.push(Event::Step(step.clone()));
        }
        self.run.phase = phase;
        events.push(Event::Run(self.run.clone()));
        Ok(())
    }

    pub(super) fn cancel(&mut self, at: Timestamp, events: &mut Vec<Event>) -> Result<(), Refused> {
        self.run.phase =
            phase::apply(self.run.phase.clone(), Action::Cancel, at).map_err(NotNow::cancelling)?;
        // Recorded: a run that is cancelled while it is queued shows itself as started all the
        // same.
        self.run.started_at.get_or_insert(at);
        events.push(Event::Run(self.run.clone()));
        Ok(())
    }

    fn start(&mut self, at: Timestamp, events: &mut Vec<Event>) {
        if self.enter(Action::Start, at) {
            self.run.started_at = Some(at);
            events.push(Event::Run(self.run.clone()));
        }
    }

    fn open_message(&mut self, at: Timestamp, events: &mut Vec<Event>) {
        let message_id = self.ids.message(self.messages);
        let details = StepDetails::MessageCreation {
            message_creation: MessageCreation { message_id: message_id.clone() },
        };
        if !self.open_step(details, at, events) {
            return;
        }
        self.messages += 1;
        let message = Message::begun(message_id, at, &self.run);
        events.push(Event::MessageCreated(message.clone()));
        events.push(Event::Message(message.clone()));
        self.message = Some(message);
    }

    /// `false` if the token budget for prompts does not allow another step, which ends the run.
    fn open_step(&mut self, details: StepDetails, at: Timestamp, events: &mut Vec<Event>) -> bool {
        let budget = self.run.max_prompt_tokens.map_or(u64::MAX, i64::unsigned_abs);
        let needed = self.prompt.fewest + self.grown();
        if self.spent().prompt_tokens + needed > budget || needed > limits::CONTEXT_WINDOW {
            self.end(
                End::Incomplete { reason: IncompleteRun::MaxPromptTokens, usage: None },
                at,
                events,
            );
            return false;
        }
        let step = Step::begun(self.ids.step(self.steps.len()), at, &self.run, details);
        events.push(Event::StepCreated(step.clone()));
        events.push(Event::Step(step.clone()));
        self.steps.push(step);
        (self.said, self.reported) = (0, None);
        true
    }

    fn close_message(&mut self, at: Timestamp, events: &mut Vec<Event>) {
        let Some(mut message) = self.message.take() else { return };
        let usage = self.open_usage();
        if message.content.is_empty() {
            // Clients look at the first part of a message without asking whether there is one.
            message.content.push(Content::text(""));
        }
        message.status = MessageStatus::Completed;
        message.completed_at = Some(at);
        events.push(Event::Message(message));
        self.close_step(StepEnd::Completed, at, usage, events);
    }

    fn call(&mut self, kind: ToolCallKind, events: &mut Vec<Event>) {
        if let ToolCallKind::Function { function } = &kind {
            self.said += self.count(&function.name);
        }
        let nth = self.steps.iter().map(|step| step.tool_calls().len()).sum();
        let call = ToolCall { id: self.ids.call(nth), kind };
        let Some(step) = self.steps.last_mut() else { return };
        let id = step.id.clone();
        let Some(calls) = step.tool_calls_mut() else { return };
        events.push(Event::StepDelta {
            id,
            index: calls.len(),
            delta: CallDelta::Begins(call.clone()),
        });
        calls.push(call);
    }

    fn close_calls(&mut self, at: Timestamp, events: &mut Vec<Event>) {
        let calls = self.open_calls();
        if calls.is_empty() {
            let usage = self.open_usage();
            self.close_step(StepEnd::Completed, at, usage, events);
        } else if self.enter(Action::CallFunctions(calls), at) {
            // The step stays in progress until the outputs come, and no event says more of it.
            events.push(Event::Run(self.run.clone()));
        }
    }

    /// Whether the open step calls functions so far.
    pub(super) fn calls_functions(&self) -> bool {
        self.steps.last().is_some_and(Step::is_open) && !self.open_calls().is_empty()
    }

    /// Gives up the open step.
    pub(super) fn leave_step(&mut self, at: Timestamp, events: &mut Vec<Event>) {
        let usage = self.open_usage();
        self.close_step(StepEnd::Cancelled, at, usage, events);
    }

    fn close_step(&mut self, end: StepEnd, at: Timestamp, usage: Usage, events: &mut Vec<Event>) {
        if let Some(step) = self.steps.last_mut().filter(|step| step.is_open()) {
            step.end(end, at, usage);
            events.push(Event::Step(step.clone()));
        }
    }

    /// Ends the run, and before it whatever of it is still open.
    fn end(&mut self, end: End, at: Timestamp, events: &mut Vec<Event>) {
        if self.is_over() {
            return;
        }
        let open_usage = self.open_usage();
        if let Some(mut message) = self.message.take() {
            message.status = MessageStatus::Incomplete;
            message.incomplete_at = Some(at);
            message.incomplete_details = Some(IncompleteDetails { reason: why_incomplete(&end) });
            events.push(Event::Message(message));
        }
        self.close_step(how_step_ends(&end, self.steps.last()), at, open_usage, events);
        let counted = self.spent();
        let action = match end {
            End::Completed { usage } => Action::Complete(usage.unwrap_or(counted)),
            End::Failed { error, usage } => Action::Fail(error, usage.unwrap_or(counted)),
            End::Incomplete { reason, usage } => {
                Action::LeaveIncomplete(reason, usage.unwrap_or(counted))
            }
            End::Expired => Action::Expire(counted),
            End::Cancelled => Action::FinishCancel(counted),
        };
        // A run that is being cancelled cannot end in any other way than it should, but it does
        // end.
        if self.enter(action, at) || self.enter(Action::FinishCancel(counted), at) {
            events.push(Event::Run(self.run.clone()));
        }
    }

    fn enter(&mut self, action: Action, at: Timestamp) -> bool {
        match phase::apply(self.run.phase.clone(), action, at) {
            Ok(phase) => {
                self.run.phase = phase;
                true
            }
            Err(NotNow { status }) => {
                tracing::debug!(run = %self.run.id, %status, "a cue came at the wrong time");
                false
            }
        }
    }

    /// The function calls of the step that is open.
    fn open_calls(&self) -> Vec<FunctionCall> {
        self.steps.last().map(Step::function_calls).unwrap_or_default()
    }

    /// What the steps so far have used.
    fn spent(&self) -> Usage {
        let mut total = Usage::default();
        for usage in self.steps.iter().filter_map(|step| step.usage) {
            total += usage;
        }
        total
    }

    /// By how much the prompt has grown since the run began: what the model said and the tools
    /// answered.
    fn grown(&self) -> u64 {
        let ended = self.steps.iter().filter(|step| step.usage.is_some());
        let outputs =
            ended.flat_map(Step::tool_calls).map(|call| match &call.kind {
                ToolCallKind::Function { function } => {
                    self.count(function.output.as_deref().unwrap_or_default())
                }
                ToolCallKind::CodeInterpreter { code_interpreter } => {
                    let outputs = code_interpreter.outputs.iter();
                    outputs
                        .map(|output| {
                            if let CodeOutput::Logs { logs } = output {
                                self.count(logs)
                            } else {
                                0
                            }
                        })
                        .sum()
                }
                ToolCallKind::FileSearch { file_search } => {
                    file_search.results.iter().map(|result| self.count(result.text())).sum()
                }
            });
        outputs.sum::<u64>() + self.spent().completion_tokens
    }

    fn count(&self, text: &str) -> u64 {
        tokens::count(&self.run.model, text)
    }

    /// What the open step has used. Older messages are dropped from the prompt until it fits the
    /// budget.
    fn open_usage(&self) -> Usage {
        if let Some(reported) = self.reported {
            return reported;
        }
        let budget = self.run.max_prompt_tokens.map_or(u64::MAX, i64::unsigned_abs);
        let left = budget.saturating_sub(self.spent().prompt_tokens);
        Usage::new((self.prompt.tokens + self.grown()).min(left), self.said)
    }

    /// Counts what the model is about to say. `false` if the budget for completions does not allow
    /// it, which ends the run.
    fn may_say(&mut self, tokens: u64, at: Timestamp, events: &mut Vec<Event>) -> bool {
        let budget = self.run.max_completion_tokens.map_or(u64::MAX, i64::unsigned_abs);
        if self.spent().completion_tokens + self.said + tokens > budget {
            self.end(
                End::Incomplete { reason: IncompleteRun::MaxCompletionTokens, usage: None },
                at,
                events,
            );
            return false;
        }
        self.said += tokens;
        true
    }
}

/// Tokens that the model wrote to make these calls.
fn said_in_calls(model: &str, calls: &[ToolCall]) -> u64 {
    let said = calls.iter().map(|call| match &call.kind {
        ToolCallKind::Function { function } => {
            tokens::count(model, &function.name) + tokens::count(model, &function.arguments)
        }
        ToolCallKind::CodeInterpreter { code_interpreter } => {
            tokens::count(model, &code_interpreter.input)
        }
        ToolCallKind::FileSearch { .. } => 0,
    });
    said.sum()
}

fn same_set(expected: &[String], got: &[String]) -> bool {
    let sorted = |ids: &[String]| {
        let mut ids = ids.to_vec();
        ids.sort();
        ids
    };
    sorted(expected) == sorted(got)
}

fn why_incomplete(end: &End) -> IncompleteMessage {
    match end {
        End::Completed { .. } | End::Cancelled => IncompleteMessage::RunCancelled,
        End::Failed { .. } => IncompleteMessage::RunFailed,
        End::Incomplete { reason: IncompleteRun::ContentFilter, .. } => {
            IncompleteMessage::ContentFilter
        }
        End::Incomplete { .. } => IncompleteMessage::MaxTokens,
        End::Expired => IncompleteMessage::RunExpired,
    }
}

fn how_step_ends(end: &End, step: Option<&Step>) -> StepEnd {
    match end {
        End::Completed { .. } => StepEnd::Completed,
        End::Failed { error, .. } => StepEnd::Failed(error.clone()),
        // Recorded for a message that ran out of tokens: its step is completed. Calls that were cut
        // off in the middle were never made.
        End::Incomplete { .. } => match step.map(|step| &step.step_details) {
            Some(StepDetails::ToolCalls { .. }) => StepEnd::Cancelled,
            _ => StepEnd::Completed,
        },
        End::Expired => StepEnd::Expired,
        End::Cancelled => StepEnd::Cancelled,
    }
}
