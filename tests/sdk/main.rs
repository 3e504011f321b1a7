//! The official SDKs against the running binary, with one thing changed: the base URL.
//!
//! What they need is installed into `target/`, from the registries, the first time.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on says so by failing"
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
mod tutorials;
mod upstream;
mod verification;
mod versions;
