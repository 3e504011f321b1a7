//! The run engine.
//!
//! The pure half says what a run does next: `phase.rs` how one phase follows another, `stage.rs`
//! how a run, its steps and its messages change cue by cue. The other half makes it happen:
//! `performer.rs` says who answers a run, `script.rs` turns a fixture's reply into timed cues,
//! `remote.rs` what an upstream says; `task.rs` performs one run: it commits, and only then tells
//! anybody; `driver.rs` owns the tasks.

mod around;
mod citations;
mod driver;
pub mod event;
mod ledger;
mod lock;
mod performer;
pub mod phase;
mod prompt;
mod props;
mod remote;
mod scene;
mod script;
mod stage;
mod task;
mod touched;

pub use self::{
    driver::{Engine, Listener, NewRun, Onto, Wanted},
    event::Event,
    ledger::{Ledger, UnmatchedRun},
    lock::add_message,
    performer::{Performer, Unmatched},
};
use crate::{
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
    Store(#[from] store::Error),
}
