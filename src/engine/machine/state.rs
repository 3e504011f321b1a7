//! The states of a run and the transitions between them, in one table.

use serde::{Deserialize, Serialize};

use super::event::Ending;
use crate::types::{
    Usage,
    run::{IncompleteRun, LastError},
};

/// The state of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum RunState {
    Queued,
    Performing,
    /// The run waits for the outputs of so many functions.
    Waiting {
        functions: usize,
    },
    /// After a `late` cancel, the performer still says the rest.
    Cancelling {
        late: bool,
    },
    Ended(Ending),
}

/// The actions on a run.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Start,
    CallFunctions(usize),
    SubmitOutputs,
    Complete(Usage),
    LeaveIncomplete(IncompleteRun, Usage),
    Fail(LastError, Usage),
    Expire(Usage),
    Cancel { late: bool },
    FinishCancel(Usage),
}

impl RunState {
    /// The next state, if the action is possible.
    pub(super) fn after(&self, action: Action) -> Option<Self> {
        use RunState::{Cancelling, Performing, Queued, Waiting};
        Some(match (action, self) {
            (Action::Start, Queued) => Performing,
            (Action::CallFunctions(functions), Performing) => Waiting { functions },
            (Action::SubmitOutputs, Waiting { .. }) => Queued,
            // "Attempted but not guaranteed": a cancel can come too late.
            (Action::Complete(usage), Performing | Cancelling { .. }) => {
                Self::Ended(Ending::Completed(usage))
            }
            (Action::LeaveIncomplete(reason, usage), Performing) => {
                Self::Ended(Ending::Incomplete(reason, usage))
            }
            // A run that waits fails only if it cannot resume after a restart.
            (Action::Fail(error, usage), Queued | Performing | Waiting { .. }) => {
                Self::Ended(Ending::Failed(error, usage))
            }
            (Action::Expire(usage), Queued | Performing | Waiting { .. }) => {
                Self::Ended(Ending::Expired(usage))
            }
            (Action::Cancel { late }, Queued | Performing | Waiting { .. }) => Cancelling { late },
            (Action::FinishCancel(usage), Cancelling { .. }) => {
                Self::Ended(Ending::Cancelled(usage))
            }
            _ => return None,
        })
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Ended(_))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn name(state: &RunState) -> &'static str {
        match state {
            RunState::Queued => "queued",
            RunState::Performing => "in_progress",
            RunState::Waiting { .. } => "requires_action",
            RunState::Cancelling { .. } => "cancelling",
            RunState::Ended(Ending::Cancelled(_)) => "cancelled",
            RunState::Ended(Ending::Completed(_)) => "completed",
            RunState::Ended(Ending::Incomplete(..)) => "incomplete",
            RunState::Ended(Ending::Failed(..)) => "failed",
            RunState::Ended(Ending::Expired(_)) => "expired",
        }
    }

    fn states() -> [RunState; 9] {
        let usage = Usage::default();
        [
            RunState::Queued,
            RunState::Performing,
            RunState::Waiting { functions: 1 },
            RunState::Cancelling { late: false },
            RunState::Ended(Ending::Cancelled(usage)),
            RunState::Ended(Ending::Completed(usage)),
            RunState::Ended(Ending::Incomplete(IncompleteRun::MaxCompletionTokens, usage)),
            RunState::Ended(Ending::Failed(LastError::server_error(""), usage)),
            RunState::Ended(Ending::Expired(usage)),
        ]
    }

    fn actions() -> [(&'static str, Action); 9] {
        let usage = Usage::default();
        [
            ("start", Action::Start),
            ("call functions", Action::CallFunctions(1)),
            ("submit outputs", Action::SubmitOutputs),
            ("complete", Action::Complete(usage)),
            ("leave incomplete", Action::LeaveIncomplete(IncompleteRun::MaxPromptTokens, usage)),
            ("fail", Action::Fail(LastError::server_error(""), usage)),
            ("expire", Action::Expire(usage)),
            ("cancel", Action::Cancel { late: false }),
            ("finish cancel", Action::FinishCancel(usage)),
        ]
    }

    #[test]
    fn every_action_in_every_state() {
        let mut table = String::new();
        for (what, action) in actions() {
            for state in states() {
                if let Some(next) = state.after(action.clone()) {
                    writeln!(table, "{what:16} {:15} -> {}", name(&state), name(&next)).unwrap();
                }
            }
        }
        insta::assert_snapshot!(table, @r"
        start            queued          -> in_progress
        call functions   in_progress     -> requires_action
        submit outputs   requires_action -> queued
        complete         in_progress     -> completed
        complete         cancelling      -> completed
        leave incomplete in_progress     -> incomplete
        fail             queued          -> failed
        fail             in_progress     -> failed
        fail             requires_action -> failed
        expire           queued          -> expired
        expire           in_progress     -> expired
        expire           requires_action -> expired
        cancel           queued          -> cancelling
        cancel           in_progress     -> cancelling
        cancel           requires_action -> cancelling
        finish cancel    cancelling      -> cancelled
        ");
    }

    #[test]
    fn nothing_happens_to_a_run_that_has_ended() {
        for state in states().iter().filter(|state| state.is_over()) {
            for (what, action) in actions() {
                assert!(state.after(action).is_none(), "{what} on {}", name(state));
            }
        }
    }
}
