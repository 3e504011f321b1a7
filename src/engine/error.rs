//! Why the engine did not do what was asked, and why it stops performing a run.

use crate::{
    knowledge::Denied,
    store,
    types::{Id, Run, RunStatus, Thread},
};

/// Why the engine did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("there is no thread {0}")]
    NoThread(Id<Thread>),
    #[error("there is no run {0}")]
    NoRun(Id<Run>),
    #[error("run {run} holds thread {thread}, so it takes no messages")]
    LockedForMessages { thread: Id<Thread>, run: Id<Run> },
    #[error("run {run} holds thread {thread}, so it takes no other run")]
    LockedForRuns { thread: Id<Thread>, run: Id<Run> },
    #[error("neither a user message nor instructions to run on")]
    NothingToRun,
    #[error("a run that is {0} cannot be cancelled")]
    NotCancellable(RunStatus),
    #[error("a run that is {0} cannot be changed")]
    NotChangeable(RunStatus),
    #[error("a run that is {0} takes no tool outputs")]
    NoOutputsWanted(RunStatus),
    #[error("outputs for other calls than the run waits for")]
    WrongOutputs { expected: Vec<String>, got: Vec<String> },
    #[error(transparent)]
    Files(Denied),
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl From<Denied> for Refused {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Store(error) => Self::Store(error),
            other => Self::Files(other),
        }
    }
}

/// Why a run is performed no further.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    #[error("its thread was deleted, and the run with it")]
    Gone,
    #[error("it cannot be read or written")]
    Store(#[from] store::Error),
    #[error("what it needs cannot be looked up")]
    Resources(#[source] Denied),
}

impl From<Denied> for RunError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Store(error) => Self::Store(error),
            other => Self::Resources(other),
        }
    }
}
