//! How each cue changes a run, and which events show the change.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    super::cue::{Cue, MarkTarget, PerformanceEnd, TimedCue},
    Machine,
    event::{Closing, Ending, EventKind, MachineCall, MachineEvent, MachineOutput},
    state::{Action, RunState},
};
use crate::{
    tokens::{self, TokenPiece},
    types::{
        Timestamp, Usage,
        response::item::is_hosted_call,
        run::IncompleteRun,
        step::{SearchResult, Searched},
    },
};

/// The message or the calls that are being made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct OpenStep {
    pub kind: PlayKind,
    /// Tokens that the model has written in it.
    pub said: u64,
    /// Tokens that its tools have answered.
    pub answered: u64,
    /// The reported usage, which replaces the counted one.
    pub reported: Option<Usage>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum PlayKind {
    Message,
    Calls { functions: usize, last: Option<PlayTool> },
    Reasoning,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum PlayTool {
    Function,
    CodeInterpreter,
    FileSearch,
}

impl OpenStep {
    pub(in super::super) fn new(kind: PlayKind) -> Self {
        Self { kind, said: 0, answered: 0, reported: None }
    }

    /// How many functions it calls.
    pub(super) fn functions(&self) -> usize {
        match self.kind {
            PlayKind::Message | PlayKind::Reasoning => 0,
            PlayKind::Calls { functions, .. } => functions,
        }
    }

    fn last_tool(&self) -> Option<PlayTool> {
        match self.kind {
            PlayKind::Message | PlayKind::Reasoning => None,
            PlayKind::Calls { last, .. } => last,
        }
    }
}

impl Machine {
    pub(super) fn play(&mut self, cue: Cue, at: Timestamp, events: &mut Vec<MachineEvent>) {
        match cue {
            Cue::Start => {
                if let Some(state) = self.state.after(Action::Start) {
                    self.state = state;
                    events.push(MachineEvent { at, what: EventKind::Started });
                }
            }
            Cue::OpenMessage => self.open(PlayKind::Message, at, events),
            Cue::Image { file_id } => self.add_to_message(EventKind::Image { file_id }, at, events),
            Cue::Text(piece) => self.text(piece, None, at, events),
            Cue::Marked { piece, refers } => self.text(piece, Some(refers), at, events),
            Cue::Attach { file_id } => {
                self.add_to_message(EventKind::Attached { file_id }, at, events)
            }
            Cue::Refusal(refusal) => {
                self.say(tokens::count(&self.model, &refusal));
                self.add_to_message(EventKind::Refusal(refusal), at, events);
            }
            Cue::CloseMessage => {
                if self.is_writing() {
                    self.close(Closing::Finished, at, events);
                }
            }
            Cue::OpenCalls => self.open(PlayKind::Calls { functions: 0, last: None }, at, events),
            Cue::Function { name } => self.call(MachineCall::Function { name }, at, events),
            Cue::CodeInterpreter => self.call(MachineCall::CodeInterpreter, at, events),
            Cue::FileSearch { file_search, tokens } => {
                self.say(tokens);
                self.call(MachineCall::FileSearch(file_search), at, events);
            }
            Cue::Arguments(piece) | Cue::Input(piece) => self.call_input(piece, at, events),
            Cue::Logs(logs) => self.output(MachineOutput::Logs(logs), at, events),
            Cue::Drawing { file_id } => self.output(MachineOutput::Drawing(file_id), at, events),
            Cue::Usage(usage) => {
                if let Some(step) = &mut self.step {
                    step.reported = Some(usage);
                }
            }
            Cue::CloseCalls => self.close_calls(at, events),
            Cue::OpenReasoning => self.open(PlayKind::Reasoning, at, events),
            Cue::SummaryPart => self.add_to_reasoning(EventKind::SummaryPart, at, events),
            Cue::Summary(piece) => {
                if self.may_say(piece.tokens, at, events) {
                    self.add_to_reasoning(EventKind::Summary(piece.text), at, events);
                }
            }
            Cue::CloseReasoning => {
                if self.is_open(&PlayKind::Reasoning) {
                    self.close(Closing::Finished, at, events);
                }
            }
            Cue::Item(item) => {
                self.close(Closing::Finished, at, events);
                let kind = item.get("type").and_then(Value::as_str).unwrap_or_default();
                if !is_hosted_call(kind) || self.budget.may_call_tool() {
                    events.push(MachineEvent { at, what: EventKind::Item(item) });
                }
            }
            Cue::AwaitOutputs => {
                self.close(Closing::Finished, at, events);
                events.push(MachineEvent { at, what: EventKind::AnswersWanted });
                self.end(PerformanceEnd::Completed { usage: None }, at, events);
            }
            Cue::Disconnect => events.push(MachineEvent { at, what: EventKind::BrokeOff }),
            Cue::End(end) => self.end(end, at, events),
        }
    }

    fn is_open(&self, kind: &PlayKind) -> bool {
        self.step.as_ref().is_some_and(|step| step.kind == *kind)
    }

    fn is_writing(&self) -> bool {
        self.is_open(&PlayKind::Message)
    }

    fn say(&mut self, tokens: u64) {
        if let Some(step) = &mut self.step {
            step.said = step.said.saturating_add(tokens);
        }
    }

    /// Opens a step, unless the prompt has become too long for another one: that ends the run.
    fn open(&mut self, kind: PlayKind, at: Timestamp, events: &mut Vec<MachineEvent>) {
        self.close(Closing::Finished, at, events);
        if !self.budget.has_room_for_step() {
            let reason = IncompleteRun::MaxPromptTokens;
            return self.end(PerformanceEnd::Incomplete { reason, usage: None }, at, events);
        }
        let what = match kind {
            PlayKind::Message => EventKind::MessageOpened,
            PlayKind::Calls { .. } => EventKind::CallsOpened,
            PlayKind::Reasoning => EventKind::ReasoningOpened,
        };
        self.step = Some(OpenStep::new(kind));
        events.push(MachineEvent { at, what });
    }

    /// Counts the tokens that the model is about to say. Returns `false` and ends the run if the
    /// budget does not allow them.
    fn may_say(&mut self, tokens: u64, at: Timestamp, events: &mut Vec<MachineEvent>) -> bool {
        let said = self.step.as_ref().map_or(0, |step| step.said);
        if !self.budget.has_room_to_say(said.saturating_add(tokens)) {
            let reason = IncompleteRun::MaxCompletionTokens;
            self.end(PerformanceEnd::Incomplete { reason, usage: None }, at, events);
            return false;
        }
        self.say(tokens);
        true
    }

    fn text(
        &mut self,
        piece: TokenPiece,
        refers: Option<MarkTarget>,
        at: Timestamp,
        events: &mut Vec<MachineEvent>,
    ) {
        if self.may_say(piece.tokens, at, events) {
            self.add_to_message(EventKind::Text { piece: piece.text, refers }, at, events);
        }
    }

    fn add_to_message(&self, what: EventKind, at: Timestamp, events: &mut Vec<MachineEvent>) {
        if self.is_writing() {
            events.push(MachineEvent { at, what });
        }
    }

    fn add_to_reasoning(&self, what: EventKind, at: Timestamp, events: &mut Vec<MachineEvent>) {
        if self.is_open(&PlayKind::Reasoning) {
            events.push(MachineEvent { at, what });
        }
    }

    fn call(&mut self, call: MachineCall, at: Timestamp, events: &mut Vec<MachineEvent>) {
        let model = &self.model;
        let Some(step) = &mut self.step else { return };
        let PlayKind::Calls { functions, last } = &mut step.kind else { return };
        let is_function = matches!(call, MachineCall::Function { .. });
        if !is_function && !self.budget.may_call_tool() {
            // The machine also skips the input and the output of this call.
            *last = None;
            return;
        }
        *last = Some(match &call {
            MachineCall::Function { name } => {
                *functions += 1;
                step.said = step.said.saturating_add(tokens::count(model, name));
                PlayTool::Function
            }
            MachineCall::CodeInterpreter => PlayTool::CodeInterpreter,
            MachineCall::FileSearch(search) => {
                step.answered = step.answered.saturating_add(answered(model, search));
                PlayTool::FileSearch
            }
        });
        events.push(MachineEvent { at, what: EventKind::Called(call) });
    }

    fn call_input(&mut self, piece: TokenPiece, at: Timestamp, events: &mut Vec<MachineEvent>) {
        // A search has its whole input in one piece.
        let takes_pieces = |tool| matches!(tool, PlayTool::Function | PlayTool::CodeInterpreter);
        if self.may_say(piece.tokens, at, events)
            && self.step.as_ref().and_then(OpenStep::last_tool).is_some_and(takes_pieces)
        {
            events.push(MachineEvent { at, what: EventKind::CallInput(piece.text) });
        }
    }

    fn output(&mut self, output: MachineOutput, at: Timestamp, events: &mut Vec<MachineEvent>) {
        let Some(step) = &mut self.step else { return };
        if step.last_tool() != Some(PlayTool::CodeInterpreter) {
            return;
        }
        if let MachineOutput::Logs(logs) = &output {
            step.answered = step.answered.saturating_add(tokens::count(&self.model, logs));
        }
        events.push(MachineEvent { at, what: EventKind::Output(output) });
    }

    fn close_calls(&mut self, at: Timestamp, events: &mut Vec<MachineEvent>) {
        let functions = match self.step.as_ref().map(|step| &step.kind) {
            Some(PlayKind::Calls { functions, .. }) => *functions,
            Some(PlayKind::Message | PlayKind::Reasoning) | None => return,
        };
        if functions == 0 {
            return self.close(Closing::Finished, at, events);
        }
        if self.ends_with_calls {
            events.push(MachineEvent { at, what: EventKind::OutputsWanted });
            self.close(Closing::Finished, at, events);
            return self.end(PerformanceEnd::Completed { usage: None }, at, events);
        }
        if let Some(state) = self.state.after(Action::CallFunctions(functions)) {
            self.state = state;
            // The step stays open until the outputs come.
            events.push(MachineEvent { at, what: EventKind::OutputsWanted });
        }
    }

    pub(super) fn give_outputs(
        &mut self,
        outputs: Vec<String>,
        at: Timestamp,
        events: &mut Vec<MachineEvent>,
    ) {
        let usage = self.usage_of_step();
        let tokens = outputs.iter().map(|output| tokens::count(&self.model, output));
        let answered: u64 = tokens.sum();
        if let Some(step) = &mut self.step {
            step.answered = step.answered.saturating_add(answered);
            step.reported = Some(usage);
        }
        events.push(MachineEvent { at, what: EventKind::OutputsGiven(outputs) });
        self.close(Closing::Finished, at, events);
    }

    /// Drops a step that was about to ask the client for something.
    pub(super) fn leave_calls_out(&mut self, at: Timestamp, events: &mut Vec<MachineEvent>) {
        let Some(end) = self.cues.iter().position(|cue| cue.cue == Cue::CloseCalls) else { return };
        let calls = |cue: &TimedCue| matches!(cue.cue, Cue::Function { .. });
        let are_called = self.step.as_ref().is_some_and(|step| step.functions() > 0);
        if are_called || self.cues.iter().take(end).any(calls) {
            self.cues.drain(..=end);
            self.close(Closing::LeftOut, at, events);
        }
    }

    /// What the open step has used.
    pub(super) fn usage_of_step(&self) -> Usage {
        let step = self.step.as_ref();
        if let Some(OpenStep { kind: PlayKind::Reasoning, said, reported, .. }) = step {
            return reported.unwrap_or(Usage::new(0, *said));
        }
        let counted = || self.budget.usage_of_step(step.map_or(0, |step| step.said));
        step.and_then(|step| step.reported).unwrap_or_else(counted)
    }

    /// Closes the open step, if there is one.
    fn close(&mut self, how: Closing, at: Timestamp, events: &mut Vec<MachineEvent>) {
        let usage = self.usage_of_step();
        let Some(step) = self.step.take() else { return };
        match step.kind {
            PlayKind::Reasoning => self.budget.close_reasoning(usage.completion_tokens),
            _ => self.budget.close_step(usage, step.answered),
        }
        events.push(MachineEvent { at, what: EventKind::Closed { how, usage } });
    }

    /// Ends the run. Before that, closes everything of it that is open.
    pub(super) fn end(
        &mut self,
        end: PerformanceEnd,
        at: Timestamp,
        events: &mut Vec<MachineEvent>,
    ) {
        self.close(Closing::BrokenOff(end.clone()), at, events);
        let counted = self.budget.used();
        let action = match end {
            PerformanceEnd::Completed { usage } => Action::Complete(usage.unwrap_or(counted)),
            PerformanceEnd::Failed { error, usage } => {
                Action::Fail(error, usage.unwrap_or(counted))
            }
            PerformanceEnd::Incomplete { reason, usage } => {
                Action::LeaveIncomplete(reason, usage.unwrap_or(counted))
            }
            PerformanceEnd::Expired => Action::Expire(counted),
            PerformanceEnd::Cancelled => Action::FinishCancel(counted),
        };
        // A run that is being cancelled can end only in the allowed way, but it does end. So does a
        // run that stops at a time when nobody can cancel it.
        let next = self.state.after(action).or_else(|| {
            let cancelling = self.state.after(Action::Cancel { late: false });
            cancelling.as_ref().unwrap_or(&self.state).after(Action::FinishCancel(counted))
        });
        if let Some(RunState::Ended(ending)) = &next {
            let ending: Ending = ending.clone();
            events.push(MachineEvent { at, what: EventKind::Ended(ending) });
        }
        self.cues.clear();
        self.state = next.unwrap_or_else(|| self.state.clone());
    }
}

fn answered(model: &str, search: &Searched) -> u64 {
    search.results.iter().map(SearchResult::text).map(|text| tokens::count(model, text)).sum()
}
