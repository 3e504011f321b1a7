//! What a session's performer has done: how often each reply was used, which of them answered which
//! run, and the runs that none answered. All of it is in memory, and bounded.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;
use serde::Serialize;

use crate::{
    event_bus::EventBus,
    fixture::{Reply, miss::NearMiss},
    types::{Id, Run, Thread, Timestamp},
};

/// How many runs are remembered with the reply that answered them.
const ANSWERED: usize = 10_000;
/// How many runs are remembered that nothing answered.
const UNMATCHED: usize = 1_000;

/// A run that no reply matched.
#[derive(Clone, Debug, Serialize)]
pub struct UnmatchedRun {
    pub object: &'static str,
    pub run: Id<Run>,
    pub thread: Id<Thread>,
    pub created_at: Timestamp,
    /// The text of the newest user message.
    pub message: Option<String>,
    pub nearest: Vec<NearMiss>,
    /// A reply to paste.
    pub stub: String,
}

/// What the performer of one session has done.
#[derive(Default)]
pub struct ReplyUsage {
    bus: EventBus,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    /// By the key of a reply.
    uses: BTreeMap<u64, u64>,
    answered: HashMap<Id<Run>, Arc<Reply>>,
    /// The runs of `answered`, oldest first.
    order: VecDeque<Id<Run>>,
    unmatched: VecDeque<UnmatchedRun>,
}

impl ReplyUsage {
    pub fn new(bus: EventBus) -> Self {
        Self { bus, ..Self::default() }
    }

    /// Uses a reply once more, unless it is used up.
    pub(super) fn take(&self, reply: &Reply) -> bool {
        let mut entries = self.entries.lock();
        let used = entries.uses.entry(reply.key).or_default();
        let left = reply.times.is_none_or(|times| *used < times);
        *used += u64::from(left);
        left
    }

    pub(super) fn answers(&self, run: &Id<Run>, reply: &Arc<Reply>) {
        let mut entries = self.entries.lock();
        if entries.answered.insert(run.clone(), Arc::clone(reply)).is_none() {
            entries.order.push_back(run.clone());
        }
        if entries.order.len() > ANSWERED
            && let Some(oldest) = entries.order.pop_front()
        {
            entries.answered.remove(&oldest);
        }
    }

    pub(super) fn misses(&self, run: UnmatchedRun) {
        self.bus.publish("unmatched", || serde_json::to_string(&run).unwrap_or_default());
        let mut entries = self.entries.lock();
        if entries.unmatched.len() == UNMATCHED {
            entries.unmatched.pop_front();
        }
        entries.unmatched.push_back(run);
    }

    /// How often a reply was used.
    pub fn uses_of(&self, reply: &Reply) -> u64 {
        self.entries.lock().uses.get(&reply.key).copied().unwrap_or_default()
    }

    /// The reply that answered a run, by its name, or where it stands.
    pub fn answered(&self, run: &Id<Run>) -> Option<String> {
        self.entries.lock().answered.get(run).map(|reply| reply.called())
    }

    /// The runs that no reply matched, oldest first.
    pub fn unmatched(&self) -> Vec<UnmatchedRun> {
        self.entries.lock().unmatched.iter().cloned().collect()
    }

    /// All uses, by the keys of the replies.
    pub fn uses(&self) -> BTreeMap<u64, u64> {
        self.entries.lock().uses.clone()
    }

    /// Goes on with the uses of another.
    pub fn resume(&self, uses: BTreeMap<u64, u64>) {
        self.entries.lock().uses = uses;
    }
}
