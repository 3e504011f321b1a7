//! The official SDKs against the running binary, with one thing changed: the base URL.
//!
//! What they need is installed into `target/`, from the registries, the first time.

mod python_and_node;
mod running;
mod rust;
