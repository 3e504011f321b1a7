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
    #[error("its thread was deleted, and the run with it")]
    Gone,
    #[error("it could not be written, so it has never been")]
    Unwritten,
    #[error("it cannot be read or written")]
    Store(#[from] store::StoreError),
    #[error("what it needs cannot be looked up")]
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
