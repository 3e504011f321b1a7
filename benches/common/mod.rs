//! What the benches share: the processes that are measured, and a client that costs little.

#![allow(dead_code, reason = "each bench uses a part of it")]

pub mod client;
pub mod processes;
