//! How one phase of a run follows another, or does not. No clock, no database, no await.

use super::Refused;
use crate::types::{
    Phase, RunStatus, Timestamp, Usage,
    run::{IncompleteRun, LastError},
    tool::FunctionCall,
};

/// What can be done to a run.
#[derive(Clone, Debug)]
pub enum Action {
    Start,
    CallFunctions(Vec<FunctionCall>),
    SubmitOutputs,
    Complete(Usage),
    LeaveIncomplete(IncompleteRun, Usage),
    Fail(LastError, Usage),
    Expire(Usage),
    Cancel,
    FinishCancel(Usage),
}

/// An action that the phase does not allow.
#[derive(Clone, Debug, PartialEq)]
pub struct NotNow {
    pub status: RunStatus,
}

/// The phase that follows.
pub fn apply(phase: Phase, action: Action, at: Timestamp) -> Result<Phase, NotNow> {
    use Phase::{Cancelling, InProgress, Queued, RequiresAction};
    Ok(match (action, phase) {
        (Action::Start, Queued) => InProgress,
        (Action::CallFunctions(calls), InProgress) => RequiresAction { calls },
        (Action::SubmitOutputs, RequiresAction { .. }) => Queued,
        // "Attempted but not guaranteed": a cancel can come too late.
        (Action::Complete(usage), InProgress | Cancelling) => Phase::Completed { at, usage },
        (Action::LeaveIncomplete(reason, usage), InProgress) => {
            Phase::Incomplete { at, reason, usage }
        }
        (Action::Fail(error, usage), Queued | InProgress) => Phase::Failed { at, error, usage },
        (Action::Expire(usage), Queued | InProgress | RequiresAction { .. }) => {
            Phase::Expired { usage }
        }
        (Action::Cancel, Queued | InProgress | RequiresAction { .. }) => Cancelling,
        (Action::FinishCancel(usage), Cancelling) => Phase::Cancelled { at, usage },
        (_, phase) => return Err(NotNow { status: phase.status() }),
    })
}

impl NotNow {
    pub fn cancelling(self) -> Refused {
        Refused::NotCancellable(self.status)
    }

    pub fn submitting(self) -> Refused {
        Refused::NoOutputsWanted(self.status)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn phases() -> [Phase; 9] {
        let (at, usage) = (Timestamp(1), Usage::default());
        [
            Phase::Queued,
            Phase::InProgress,
            Phase::RequiresAction { calls: Vec::new() },
            Phase::Cancelling,
            Phase::Cancelled { at, usage },
            Phase::Completed { at, usage },
            Phase::Incomplete { at, reason: IncompleteRun::MaxCompletionTokens, usage },
            Phase::Failed { at, error: LastError::server_error(""), usage },
            Phase::Expired { usage },
        ]
    }

    fn actions() -> [(&'static str, Action); 9] {
        let usage = Usage::default();
        [
            ("start", Action::Start),
            ("call functions", Action::CallFunctions(Vec::new())),
            ("submit outputs", Action::SubmitOutputs),
            ("complete", Action::Complete(usage)),
            ("leave incomplete", Action::LeaveIncomplete(IncompleteRun::MaxPromptTokens, usage)),
            ("fail", Action::Fail(LastError::server_error(""), usage)),
            ("expire", Action::Expire(usage)),
            ("cancel", Action::Cancel),
            ("finish cancel", Action::FinishCancel(usage)),
        ]
    }

    #[test]
    fn every_action_in_every_phase() {
        let mut table = String::new();
        for (name, action) in actions() {
            for phase in phases() {
                let status = phase.status();
                if let Ok(next) = apply(phase, action.clone(), Timestamp(2)) {
                    writeln!(table, "{name:16} {:15} -> {}", status.name(), next.status()).unwrap();
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
        for phase in phases().into_iter().filter(|phase| phase.status().is_terminal()) {
            for (name, action) in actions() {
                assert!(
                    apply(phase.clone(), action, Timestamp(2)).is_err(),
                    "{name} on {}",
                    phase.status()
                );
            }
        }
    }
}
