//! What an upstream that speaks the Assistants API was given, so that it is given nothing twice.

use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;

/// What has been made over there.
#[derive(Debug, Default)]
pub(super) struct RemoteObjects {
    /// Assistants, by what they were made of.
    pub assistants: Mutex<HashMap<String, String>>,
    /// Threads, by the ids that they have here.
    pub threads: Mutex<HashMap<String, RemoteThread>>,
}

/// A thread over there.
#[derive(Clone, Debug)]
pub(super) struct RemoteThread {
    pub id: String,
    /// The messages that it was given, and the runs whose messages it has by itself.
    pub given: HashSet<String>,
    pub runs: HashSet<String>,
}
