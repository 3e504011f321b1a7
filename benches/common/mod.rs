//! The common parts of the benches: the measured processes, and a client with little overhead.

#![allow(dead_code, reason = "each bench uses a part of it")]

pub mod client;
pub mod processes;
