//! The run engine.
//!
//! `machine/` is a run without I/O: its inputs, and what it needs next. `objects.rs` is the view of
//! the Assistants API on the events of the machine. `shell.rs` waits, commits and publishes: only
//! this code awaits on behalf of a machine. `performing.rs` answers the questions of the machine.
//! It uses `script.rs`, which turns a fixture's reply into timed cues, or `remote.rs`, which reads
//! from an upstream. `creation.rs` creates runs; `driver.rs` owns the tasks.

mod audience;
mod citations;
mod claims;
mod command;
mod creation;
mod cue;
mod driver;
mod error;
mod event;
mod listener;
mod lock;
mod machine;
mod memory;
mod note;
mod obey;
mod objects;
mod performer;
mod performing;
mod prompt;
#[cfg(test)]
mod properties;
mod remote;
mod reply_usage;
mod responses;
mod run_context;
mod run_resources;
mod script;
mod services;
mod shell;
mod step_inputs;
mod task;
mod turn_recorder;
mod view;

pub use self::{
    creation::{NewRun, RunTarget},
    driver::Engine,
    error::EngineError,
    event::{Event, LoggedEvent},
    listener::{Events, Listener, listen, listen_to_end, replay},
    performer::{NAMED_BY, Performer, PerformerChoice, Unmatched},
    reply_usage::{ReplyUsage, UnmatchedRun},
    responses::{ResponseOrder, ResponseSubject},
    services::RunServices,
};
