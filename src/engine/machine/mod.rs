//! A run as a machine without I/O: its whole state, what can happen to it, and what it needs next.
//!
//! `handle` takes one input and returns the events that it causes; `next` says what the machine
//! waits for. It reads no clock and no database, awaits nothing, and knows no API: it makes
//! messages, calls and an end. A machine can be written and read back at any point: it continues in
//! the same way.
//!
//! A client can assemble the events, no matter what a performer says. There is one step at a time,
//! and every step is closed before the run ends.

mod budget;
mod event;
mod play;
mod state;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use self::state::Action;
pub(super) use self::{
    budget::{Budget, Prompt},
    event::{Closing, Ending, EventKind, MachineCall, MachineEvent, MachineOutput},
    play::{OpenStep, PlayKind, PlayTool},
    state::RunState,
};
use super::{
    cue::{Cue, PerformanceEnd, TimedCue},
    memory::{AfterCues, Cues, Memory, Performance},
};
use crate::{
    clock::Moment,
    fixture::Pace,
    types::{Usage, run::LastError},
};

/// Something that happens to a run. An input that is impossible now changes nothing.
#[derive(Clone, Debug)]
pub(super) enum Input {
    /// Time has passed.
    Time,
    /// The client looks at the run: under the pace `steps` it may take another status.
    Poll,
    /// Whether somebody listens to its stream. Under the pace `steps`, listening counts as polls.
    Listened(bool),
    /// A performer was chosen, and has read a prompt of this length.
    Performed {
        by: Performance,
        prompt: Prompt,
    },
    /// The performer's answer.
    Cues(Cues),
    /// The performer can be asked again.
    CuesReady,
    /// The files of its stores are ready.
    FilesReady,
    /// The outputs of the functions that it waits for, in the order of their calls.
    Submit(Vec<String>),
    Cancel,
    /// It continues in another process. The performer's answer may be lost with the old one.
    Restart {
        lost: Option<LastError>,
    },
    /// It ends, in any state.
    Stop(PerformanceEnd),
}

/// What a run needs next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Next {
    /// The machine asks the performer: who it is, or for its next cues.
    FetchCues,
    /// The machine can ask the performer again once an upstream has answered.
    WaitForCues {
        until: Moment,
    },
    /// The machine can ask the performer again once the files of the run's stores are ready.
    WaitForFiles {
        until: Moment,
    },
    /// The client owes outputs.
    WaitForClient {
        until: Moment,
    },
    /// Time has to pass.
    Wait {
        until: Moment,
    },
    Done,
}

impl Next {
    /// The time at which time alone changes something. `None` if the next change is at once or
    /// never comes.
    pub(super) fn until(self) -> Option<Moment> {
        match self {
            Self::FetchCues | Self::Done => None,
            Self::WaitForCues { until }
            | Self::WaitForFiles { until }
            | Self::WaitForClient { until }
            | Self::Wait { until } => Some(until),
        }
    }

    /// Whether the run waits for nothing but time and the client.
    pub(super) fn is_timed(self) -> bool {
        matches!(self, Self::Wait { .. } | Self::WaitForClient { .. })
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Machine {
    /// The model whose tokens measure the run.
    model: String,
    deadline: Moment,
    state: RunState,
    performance: Option<Performance>,
    /// The cues of the performer that are still to be played.
    cues: VecDeque<TimedCue>,
    /// When the last cue was played: the next one's wait counts from here.
    played: Moment,
    /// Whether the run may take another status under the pace `steps`.
    is_polled: bool,
    is_listened_to: bool,
    step: Option<OpenStep>,
    budget: Budget,
    /// Whether it ends once it has called functions: another run continues with their outputs.
    #[serde(default)]
    ends_with_calls: bool,
}

impl Machine {
    /// A run that was just created.
    pub(super) fn new(model: String, deadline: Moment, budget: Budget, now: Moment) -> Self {
        Self {
            model,
            deadline,
            state: RunState::Queued,
            performance: None,
            cues: VecDeque::new(),
            played: now,
            is_polled: false,
            is_listened_to: false,
            step: None,
            budget,
            ends_with_calls: false,
        }
    }

    /// The same machine, but it ends once it has called functions.
    pub(super) fn ending_with_calls(self) -> Self {
        Self { ends_with_calls: true, ..self }
    }

    /// Takes the state of a run that resumes without its machine.
    pub(super) fn stand(&mut self, state: RunState, step: Option<OpenStep>) {
        (self.state, self.step) = (state, step);
    }

    /// Counts a step that was closed earlier.
    pub(super) fn count_step(&mut self, usage: Usage, answered: u64) {
        self.budget.close_step(usage, answered);
    }

    /// Notes that an earlier cancel came too late.
    pub(super) fn cancel_late(&mut self) {
        if self.state == (RunState::Cancelling { late: false }) {
            self.state = RunState::Cancelling { late: true };
        }
    }

    /// Takes over the usage that was reported earlier for the open step.
    pub(super) fn report(&mut self, usage: Option<Usage>) {
        self.step.iter_mut().for_each(|step| step.reported = usage);
    }

    /// Continues a performance that was in progress, with its remaining cues.
    pub(super) fn perform(&mut self, by: Performance, cues: VecDeque<TimedCue>) {
        self.cues = match self.state {
            RunState::Cancelling { late: false } => cancelled(),
            RunState::Queued if cues.is_empty() => VecDeque::from([start(by.pace)]),
            _ => cues,
        };
        self.performance = Some(by);
    }

    pub(super) fn is_over(&self) -> bool {
        self.state.is_over()
    }

    pub(super) fn performance(&self) -> Option<&Performance> {
        self.performance.as_ref()
    }

    /// What the run has used so far.
    pub(super) fn used(&self) -> Usage {
        let mut used = self.budget.spent;
        if self.step.is_some() {
            used += self.usage_of_step();
        }
        used
    }

    /// Whether somebody outside of the server performs the run.
    pub(super) fn asks_upstream(&self) -> bool {
        self.performance.as_ref().is_some_and(|by| matches!(by.memory, Memory::Upstream(_)))
    }

    /// Whether the run needs the performer, perhaps because a cancel came too late.
    pub(super) fn is_performing(&self) -> bool {
        matches!(
            self.state,
            RunState::Queued | RunState::Performing | RunState::Cancelling { late: true }
        )
    }

    /// Whether a cancel came too late, so that the run plays the rest.
    pub(super) fn is_cancelled_late(&self) -> bool {
        matches!(self.state, RunState::Cancelling { late: true })
    }

    /// Whether it has left the queue and the performer is active.
    pub(super) fn has_started(&self) -> bool {
        self.state == RunState::Performing
    }

    /// Whether the run accepts an input of the client now.
    pub(super) fn accepts(&self, input: &Input) -> bool {
        match input {
            Input::Cancel => self.state.after(Action::Cancel { late: false }).is_some(),
            Input::Submit(outputs) => {
                self.state == (RunState::Waiting { functions: outputs.len() })
            }
            _ => !self.is_over(),
        }
    }

    pub(super) fn handle(&mut self, input: Input, now: Moment) -> Vec<MachineEvent> {
        let mut events = Vec::new();
        if !self.accepts(&input) {
            return events;
        }
        match input {
            Input::Time => self.pass_time(now, &mut events),
            Input::Poll => self.is_polled = true,
            Input::Listened(listened) => self.is_listened_to = listened,
            Input::Performed { by, prompt } => self.begin(by, prompt),
            Input::Cues(Cues { cues, memory, then }) => {
                self.cues.extend(cues);
                if let Some(performance) = &mut self.performance {
                    (performance.memory, performance.then) = (memory, then);
                }
            }
            Input::CuesReady => self.ask_again(AfterCues::Wait),
            Input::FilesReady => self.ask_again(AfterCues::Search),
            Input::Submit(outputs) => self.submit(outputs, now, &mut events),
            Input::Cancel => self.cancel(now, &mut events),
            Input::Restart { lost } => self.restart(lost, now),
            Input::Stop(end) => self.end(end, now.seconds(), &mut events),
        }
        events
    }

    pub(super) fn next(&self) -> Next {
        let until = self.deadline;
        if self.is_over() {
            return Next::Done;
        }
        if let RunState::Waiting { .. } = self.state {
            return Next::WaitForClient { until };
        }
        if let Some(due) = self.due() {
            return Next::Wait { until: due.min(until) };
        }
        if !self.cues.is_empty() || !self.is_performing() {
            return Next::Wait { until };
        }
        let Some(performance) = &self.performance else { return Next::FetchCues };
        match performance.then {
            AfterCues::More => Next::FetchCues,
            AfterCues::Search if self.has_started() => Next::WaitForFiles { until },
            AfterCues::Search => Next::FetchCues,
            AfterCues::Wait => Next::WaitForCues { until },
            AfterCues::Silence => Next::Wait { until },
        }
    }

    /// When the next cue is due, if it may be played.
    fn due(&self) -> Option<Moment> {
        let next = self.cues.front().filter(|next| self.may_play(&next.cue))?;
        Some(self.played.after(next.after))
    }

    /// Under the pace `steps` a new status needs a poll, unless somebody listens to the stream.
    fn may_play(&self, cue: &Cue) -> bool {
        let by_polls = self.performance.as_ref().is_some_and(|by| by.pace == Pace::Steps);
        !by_polls || self.is_listened_to || self.is_polled || !self.would_turn(cue)
    }

    /// Whether a cue would give the run another status.
    fn would_turn(&self, cue: &Cue) -> bool {
        match cue {
            Cue::Start | Cue::AwaitOutputs | Cue::End(_) => true,
            Cue::CloseCalls => self.step.as_ref().is_some_and(|step| step.functions() > 0),
            _ => false,
        }
    }

    /// Plays what is due, and ends the run when its time is up.
    fn pass_time(&mut self, now: Moment, events: &mut Vec<MachineEvent>) {
        let is_cancelling = |state: &RunState| matches!(state, RunState::Cancelling { .. });
        while !self.is_over() && !matches!(self.state, RunState::Waiting { .. }) {
            let due = self
                .due()
                .filter(|due| *due <= now && (*due < self.deadline || is_cancelling(&self.state)));
            let Some(due) = due else { break };
            let Some(TimedCue { cue, .. }) = self.cues.pop_front() else { break };
            let before = std::mem::discriminant(&self.state);
            self.play(cue, due.seconds(), events);
            self.played = due;
            self.is_polled &= before == std::mem::discriminant(&self.state);
        }
        // Cues that the performer says before the deadline come first.
        if now >= self.deadline && !self.is_over() && self.next() != Next::FetchCues {
            // Nobody polled a run under the pace `steps` to its end: a cancelled one ends as
            // cancelled.
            let end = if is_cancelling(&self.state) {
                PerformanceEnd::Cancelled
            } else {
                PerformanceEnd::Expired
            };
            self.end(end, self.deadline.seconds(), events);
        }
    }

    fn begin(&mut self, by: Performance, prompt: Prompt) {
        self.budget.prompt = prompt;
        if self.state == RunState::Queued && self.cues.is_empty() {
            self.cues.push_back(start(by.pace));
        }
        self.performance = Some(by);
    }

    fn ask_again(&mut self, after: AfterCues) {
        if let Some(performance) = self.performance.as_mut().filter(|by| by.then == after) {
            performance.then = AfterCues::More;
        }
    }

    fn submit(&mut self, outputs: Vec<String>, now: Moment, events: &mut Vec<MachineEvent>) {
        let Some(state) = self.state.after(Action::SubmitOutputs) else { return };
        self.give_outputs(outputs, now.seconds(), events);
        self.state = state;
        events.push(MachineEvent { at: now.seconds(), what: EventKind::Requeued });
        self.cues.extend(self.performance.as_ref().map(|by| start(by.pace)));
        self.client_acted(now);
    }

    fn cancel(&mut self, now: Moment, events: &mut Vec<MachineEvent>) {
        // A client can cancel a run that waits for it, no matter what the reply says.
        let late = self.is_performing()
            && self.performance.as_ref().is_some_and(Performance::cancels_late);
        let Some(state) = self.state.after(Action::Cancel { late }) else { return };
        self.state = state;
        events.push(MachineEvent { at: now.seconds(), what: EventKind::Cancelling });
        if late {
            self.leave_calls_out(now.seconds(), events);
        } else {
            self.cues = cancelled();
        }
        self.client_acted(now);
    }

    fn client_acted(&mut self, now: Moment) {
        self.played = now;
        self.is_polled = false;
    }

    /// Waits that were in progress begin again.
    fn restart(&mut self, lost: Option<LastError>, now: Moment) {
        self.client_acted(now);
        self.is_listened_to = false;
        if let Some(error) = lost.filter(|_| self.has_started()) {
            self.cues = VecDeque::from([TimedCue::now(Cue::End(PerformanceEnd::failed(error)))]);
        }
    }
}

/// The remaining cues of a cancelled run.
fn cancelled() -> VecDeque<TimedCue> {
    VecDeque::from([TimedCue::now(Cue::End(PerformanceEnd::Cancelled))])
}

/// Takes a run from the queue.
fn start(pace: Pace) -> TimedCue {
    TimedCue { after: pace.timing().queue, cue: Cue::Start }
}
