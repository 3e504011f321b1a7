//! The official SDKs against the running binary, with one thing changed: the base URL.
//!
//! What they need is installed into `target/`, from the registries, the first time.

#![allow(unreachable_pub, reason = "nothing here is for anybody else")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on says so by failing")]

mod python_and_node;
mod running;
mod rust;
