//! Tests the server as users see it. Every test sends HTTP to a real server with a real SQLite
//! file, a stopped clock and a fixed seed. No test sleeps or uses mocks, and all tests run in
//! parallel.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot continue has to fail"
)]

mod abuse;
mod assistants;
mod azure;
mod binary;
mod commands;
mod contract;
mod control;
mod diagnostics;
mod docs;
mod documents;
mod errors;
mod export;
mod faults;
mod files;
mod fixtures;
mod golden;
mod hostile;
mod layers;
mod lists;
mod messages;
mod observing;
mod pieces;
mod playground;
mod properties;
mod prose;
mod races;
mod recordings;
mod refusals;
mod reports;
mod responses;
mod restart;
mod runs;
mod search;
mod secrets;
mod server;
mod sessions;
#[allow(dead_code, reason = "this suite needs nothing that can be installed")]
#[path = "../skipped/note.rs"]
mod skipped;
mod streaming;
mod threads;
mod tools;
mod turns;
mod unharmed;
mod uploads;
mod upstream;
mod v1;
mod vector_stores;
