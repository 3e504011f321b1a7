//! What a run is told from outside: by clients, or because its thread is gone.

use tokio::sync::oneshot;

use super::{audience::Listener, error::Refused};
use crate::{
    clock::Awake,
    types::{Run, tool::ToolOutput},
};

/// A command. Its `Awake` keeps the clock from moving on before it is done.
pub(super) enum Command {
    /// Answered with the run as it is then.
    Change {
        change: Change,
        listener: Option<Listener>,
        answer: oneshot::Sender<Result<Run, Refused>>,
        awake: Awake,
    },
    Poll {
        answer: oneshot::Sender<()>,
        awake: Awake,
    },
    /// Its thread was deleted, and the run with it.
    Abandon {
        awake: Awake,
    },
}

/// What a client can ask of an open run.
pub(super) enum Change {
    Cancel,
    Submit(Vec<ToolOutput>),
}
