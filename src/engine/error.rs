//! Why the engine rejects a request, and why it stops performing a run.

use crate::{
    knowledge::KnowledgeError,
    store,
    types::{ApiErrorKind, Id, Run, RunStatus, Thread},
};

/// Why the engine rejects a request.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("there is no thread {0}")]
    NoThread(Id<Thread>),
    #[error("there is no run {0}")]
    NoRun(Id<Run>),
    #[error("thread {thread} takes no messages while run {run} is active")]
    LockedForMessages { thread: Id<Thread>, run: Id<Run> },
    #[error("thread {thread} takes no other run while run {run} is active")]
    LockedForRuns { thread: Id<Thread>, run: Id<Run> },
    #[error("there is no user message, and there are no instructions")]
    NothingToRun,
    #[error("a run that is {0} cannot be cancelled")]
    NotCancellable(RunStatus),
    #[error("a run that is {0} cannot be changed")]
    NotChangeable(RunStatus),
    #[error("a run that is {0} takes no tool outputs")]
    NoOutputsWanted(RunStatus),
    #[error("the run does not wait for these outputs")]
    WrongOutputs { expected: Vec<String>, got: Vec<String> },
    /// A response that is not possible, with the error of its API.
    #[error("{0}")]
    Refused(ApiErrorKind),
    #[error(transparent)]
    Files(KnowledgeError),
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

impl From<KnowledgeError> for EngineError {
    fn from(error: KnowledgeError) -> Self {
        match error {
            KnowledgeError::Store(error) => Self::Store(error),
            other => Self::Files(other),
        }
    }
}

/// Why the engine stops performing a run.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    #[error("its thread no longer exists")]
    Gone,
    #[error("the database did not store it")]
    Unwritten,
    #[error("the database cannot read or write it")]
    Store(#[from] store::StoreError),
    #[error("cannot find the files or vector stores that it needs")]
    Resources(#[source] KnowledgeError),
}

impl From<KnowledgeError> for RunError {
    fn from(error: KnowledgeError) -> Self {
        match error {
            KnowledgeError::Store(error) => Self::Store(error),
            other => Self::Resources(other),
        }
    }
}
