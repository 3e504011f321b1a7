//! Commands to a run from outside: from clients, or because its thread is gone.

use tokio::sync::oneshot;

use super::{error::EngineError, listener::Listener};
use crate::{
    clock::ActivityGuard,
    types::{Run, tool::ToolOutput},
};

/// A command. Its activity guard keeps the clock from moving on before the command is done.
pub(super) enum RunCommand {
    /// The answer is the run as it is then.
    Change {
        change: RunChange,
        listener: Option<Listener>,
        answer: oneshot::Sender<Result<Run, EngineError>>,
        activity: ActivityGuard,
    },
    /// A client begins to listen, but skips so many events at the beginning. The answer says
    /// whether the engine has kept the earlier events.
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

/// A change that a client can request of an open run.
pub(super) enum RunChange {
    Cancel,
    Submit(Vec<ToolOutput>),
}
