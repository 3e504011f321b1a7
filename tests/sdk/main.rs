//! The official SDKs against the running binary, with one change: the base URL.
//!
//! The first use installs their requirements from the registries into `target/`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot continue has to fail"
)]

mod browser;
mod clients;
mod container;
mod contract;
#[path = "../contract/documents.rs"]
mod documents;
mod frameworks;
mod go_and_java;
mod guides;
mod playground;
mod python_and_node;
mod running;
mod rust;
mod scale;
#[path = "../skipped/note.rs"]
mod skipped;
mod suites;
mod tutorials;
mod upstream;
mod verification;
mod versions;
