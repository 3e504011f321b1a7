//! How each cue changes a run, and which events tell it.

use serde::{Deserialize, Serialize};

use super::{
    super::cue::{Cue, End, Refers, TimedCue},
    Machine,
    event::{Call, Closing, Ending, Event, Output, What},
    state::{Action, State},
};
use crate::{
    tokens::{self, Piece},
    types::{
        Timestamp, Usage,
        run::IncompleteRun,
        step::{SearchResult, Searched},
    },
};

/// The message or the calls that are being made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct OpenStep {
    pub kind: Kind,
    /// Tokens that the model has written in it.
    pub said: u64,
    /// Tokens that its tools have answered.
    pub answered: u64,
    /// What was reported of it in place of what was counted.
    pub reported: Option<Usage>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Kind {
    Message,
    Calls { functions: usize, last: Option<Tool> },
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Tool {
    Function,
    CodeInterpreter,
    FileSearch,
}

impl OpenStep {
    pub(in super::super) fn new(kind: Kind) -> Self {
        Self { kind, said: 0, answered: 0, reported: None }
    }

    /// How many functions it calls.
    pub(super) fn functions(&self) -> usize {
        match self.kind {
            Kind::Message => 0,
            Kind::Calls { functions, .. } => functions,
        }
    }

    fn last_tool(&self) -> Option<Tool> {
        match self.kind {
            Kind::Message => None,
            Kind::Calls { last, .. } => last,
        }
    }
}

impl Machine {
    pub(super) fn play(&mut self, cue: Cue, at: Timestamp, events: &mut Vec<Event>) {
        match cue {
            Cue::Start => {
                if let Some(state) = self.state.after(Action::Start) {
                    self.state = state;
                    events.push(Event { at, what: What::Started });
                }
            }
            Cue::OpenMessage => self.open(Kind::Message, at, events),
            Cue::Image { file_id } => self.add_to_message(What::Image { file_id }, at, events),
            Cue::Text(piece) => self.text(piece, None, at, events),
            Cue::Marked { piece, refers } => self.text(piece, Some(refers), at, events),
            Cue::Attach { file_id } => self.add_to_message(What::Attached { file_id }, at, events),
            Cue::Refusal(refusal) => {
                self.say(tokens::count(&self.model, &refusal));
                self.add_to_message(What::Refusal(refusal), at, events);
            }
            Cue::CloseMessage => {
                if self.is_writing() {
                    self.close(Closing::Finished, at, events);
                }
            }
            Cue::OpenCalls => self.open(Kind::Calls { functions: 0, last: None }, at, events),
            Cue::Function { name } => self.call(Call::Function { name }, at, events),
            Cue::CodeInterpreter => self.call(Call::CodeInterpreter, at, events),
            Cue::FileSearch { file_search, tokens } => {
                self.say(tokens);
                self.call(Call::FileSearch(file_search), at, events);
            }
            Cue::Arguments(piece) | Cue::Input(piece) => self.call_input(piece, at, events),
            Cue::Logs(logs) => self.output(Output::Logs(logs), at, events),
            Cue::Drawing { file_id } => self.output(Output::Drawing(file_id), at, events),
            Cue::Usage(usage) => {
                if let Some(step) = &mut self.step {
                    step.reported = Some(usage);
                }
            }
            Cue::CloseCalls => self.close_calls(at, events),
            Cue::Disconnect => events.push(Event { at, what: What::BrokeOff }),
            Cue::End(end) => self.end(end, at, events),
        }
    }

    fn is_writing(&self) -> bool {
        self.step.as_ref().is_some_and(|step| step.kind == Kind::Message)
    }

    fn say(&mut self, tokens: u64) {
        if let Some(step) = &mut self.step {
            step.said = step.said.saturating_add(tokens);
        }
    }

    /// Opens a step, unless the prompt has become too long for another one: that ends the run.
    fn open(&mut self, kind: Kind, at: Timestamp, events: &mut Vec<Event>) {
        self.close(Closing::Finished, at, events);
        if !self.budget.has_room_for_step() {
            let reason = IncompleteRun::MaxPromptTokens;
            return self.end(End::Incomplete { reason, usage: None }, at, events);
        }
        let what = match kind {
            Kind::Message => What::MessageOpened,
            Kind::Calls { .. } => What::CallsOpened,
        };
        self.step = Some(OpenStep::new(kind));
        events.push(Event { at, what });
    }

    /// Counts what the model is about to say. `false` if the budget does not allow it, which ends
    /// the run.
    fn may_say(&mut self, tokens: u64, at: Timestamp, events: &mut Vec<Event>) -> bool {
        let said = self.step.as_ref().map_or(0, |step| step.said);
        if !self.budget.has_room_to_say(said.saturating_add(tokens)) {
            let reason = IncompleteRun::MaxCompletionTokens;
            self.end(End::Incomplete { reason, usage: None }, at, events);
            return false;
        }
        self.say(tokens);
        true
    }

    fn text(
        &mut self,
        piece: Piece,
        refers: Option<Refers>,
        at: Timestamp,
        events: &mut Vec<Event>,
    ) {
        if self.may_say(piece.tokens, at, events) {
            self.add_to_message(What::Text { piece: piece.text, refers }, at, events);
        }
    }

    fn add_to_message(&self, what: What, at: Timestamp, events: &mut Vec<Event>) {
        if self.is_writing() {
            events.push(Event { at, what });
        }
    }

    fn call(&mut self, call: Call, at: Timestamp, events: &mut Vec<Event>) {
        let model = &self.model;
        let Some(step) = &mut self.step else { return };
        let Kind::Calls { functions, last } = &mut step.kind else { return };
        *last = Some(match &call {
            Call::Function { name } => {
                *functions += 1;
                step.said = step.said.saturating_add(tokens::count(model, name));
                Tool::Function
            }
            Call::CodeInterpreter => Tool::CodeInterpreter,
            Call::FileSearch(search) => {
                step.answered = step.answered.saturating_add(answered(model, search));
                Tool::FileSearch
            }
        });
        events.push(Event { at, what: What::Called(call) });
    }

    fn call_input(&mut self, piece: Piece, at: Timestamp, events: &mut Vec<Event>) {
        // A search is asked for in one piece.
        let takes_pieces = |tool| matches!(tool, Tool::Function | Tool::CodeInterpreter);
        if self.may_say(piece.tokens, at, events)
            && self.step.as_ref().and_then(OpenStep::last_tool).is_some_and(takes_pieces)
        {
            events.push(Event { at, what: What::CallInput(piece.text) });
        }
    }

    fn output(&mut self, output: Output, at: Timestamp, events: &mut Vec<Event>) {
        let Some(step) = &mut self.step else { return };
        if step.last_tool() != Some(Tool::CodeInterpreter) {
            return;
        }
        if let Output::Logs(logs) = &output {
            step.answered = step.answered.saturating_add(tokens::count(&self.model, logs));
        }
        events.push(Event { at, what: What::Output(output) });
    }

    fn close_calls(&mut self, at: Timestamp, events: &mut Vec<Event>) {
        let functions = match self.step.as_ref().map(|step| &step.kind) {
            Some(Kind::Calls { functions, .. }) => *functions,
            Some(Kind::Message) | None => return,
        };
        if functions == 0 {
            return self.close(Closing::Finished, at, events);
        }
        if let Some(state) = self.state.after(Action::CallFunctions(functions)) {
            self.state = state;
            // The step stays open until the outputs come.
            events.push(Event { at, what: What::OutputsWanted });
        }
    }

    pub(super) fn give_outputs(
        &mut self,
        outputs: Vec<String>,
        at: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let usage = self.usage_of_step();
        let tokens = outputs.iter().map(|output| tokens::count(&self.model, output));
        let answered: u64 = tokens.sum();
        if let Some(step) = &mut self.step {
            step.answered = step.answered.saturating_add(answered);
            step.reported = Some(usage);
        }
        events.push(Event { at, what: What::OutputsGiven(outputs) });
        self.close(Closing::Finished, at, events);
    }

    /// Gives up a step that was about to ask the client for something.
    pub(super) fn leave_calls_out(&mut self, at: Timestamp, events: &mut Vec<Event>) {
        let Some(end) = self.cues.iter().position(|cue| cue.cue == Cue::CloseCalls) else { return };
        let calls = |cue: &TimedCue| matches!(cue.cue, Cue::Function { .. });
        let are_called = self.step.as_ref().is_some_and(|step| step.functions() > 0);
        if are_called || self.cues.iter().take(end).any(calls) {
            self.cues.drain(..=end);
            self.close(Closing::LeftOut, at, events);
        }
    }

    /// What the open step has used.
    fn usage_of_step(&self) -> Usage {
        let step = self.step.as_ref();
        let counted = || self.budget.usage_of_step(step.map_or(0, |step| step.said));
        step.and_then(|step| step.reported).unwrap_or_else(counted)
    }

    /// Closes what is open, if anything is.
    fn close(&mut self, how: Closing, at: Timestamp, events: &mut Vec<Event>) {
        let usage = self.usage_of_step();
        let Some(step) = self.step.take() else { return };
        self.budget.close_step(usage, step.answered);
        events.push(Event { at, what: What::Closed { how, usage } });
    }

    /// Ends the run, and before it whatever of it is open.
    pub(super) fn end(&mut self, end: End, at: Timestamp, events: &mut Vec<Event>) {
        self.close(Closing::BrokenOff(end.clone()), at, events);
        let counted = self.budget.spent;
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
        // end; so does one that is stopped at another time than it could be cancelled.
        let next = self.state.after(action).or_else(|| {
            let cancelling = self.state.after(Action::Cancel { late: false });
            cancelling.as_ref().unwrap_or(&self.state).after(Action::FinishCancel(counted))
        });
        if let Some(State::Ended(ending)) = &next {
            let ending: Ending = ending.clone();
            events.push(Event { at, what: What::Ended(ending) });
        }
        self.cues.clear();
        self.state = next.unwrap_or_else(|| self.state.clone());
    }
}

fn answered(model: &str, search: &Searched) -> u64 {
    search.results.iter().map(SearchResult::text).map(|text| tokens::count(model, text)).sum()
}
