//! What a run is told from outside: by clients, or because its thread is gone.

use tokio::sync::oneshot;

use super::{error::EngineError, listener::Listener};
use crate::{
    clock::ActivityGuard,
    types::{Run, tool::ToolOutput},
};

/// A command. Its activity guard keeps the clock from moving on before it is done.
pub(super) enum RunCommand {
    /// Answered with the run as it is then.
    Change {
        change: RunChange,
        listener: Option<Listener>,
        answer: oneshot::Sender<Result<Run, EngineError>>,
        activity: ActivityGuard,
    },
    /// Somebody listens, but for so many events at the beginning. Answered with whether the events
    /// that have been told before are known.
    Listen {
        listener: Listener,
        skipped: u64,
        answer: oneshot::Sender<bool>,
        activity: ActivityGuard,
    },
    Poll {
        answer: oneshot::Sender<()>,
        activity: ActivityGuard,
    },
    /// Its thread was deleted, and the run with it.
    Abandon {
        activity: ActivityGuard,
    },
}

/// What a client can ask of an open run.
pub(super) enum RunChange {
    Cancel,
    Submit(Vec<ToolOutput>),
}
