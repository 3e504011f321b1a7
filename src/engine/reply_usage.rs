//! The record of a session's performer: the uses of each reply, the reply of each run, and the runs
//! without a reply. All of it is in memory and bounded.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, OnceLock},
};

use parking_lot::Mutex;
use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::{
    fixture::{
        Fixtures, Reply,
        matching::OwnedSubject,
        miss::{self, NearMiss},
    },
    types::{Id, Run, Thread, Timestamp},
};

/// The maximum number of remembered runs with a reply.
const ANSWERED: usize = 10_000;
/// The maximum number of remembered runs without a reply.
const UNMATCHED: usize = 1_000;

/// The maximum size of the texts of these runs together, in bytes.
const UNMATCHED_BYTES: usize = 16 << 20;

/// A run that no reply matched. The near replies are computed when a client asks for them.
#[derive(Debug)]
pub struct UnmatchedRun {
    pub run: Id<Run>,
    /// Its thread, or its conversation if it has one.
    pub thread: Option<Id<Thread>>,
    pub created_at: Timestamp,
    pub subject: OwnedSubject,
    /// The replies at that time.
    pub sets: Vec<Arc<Fixtures>>,
    /// The name of the reply that the run asked for, if any.
    pub named: Option<String>,
    pub nearest: OnceLock<Vec<NearMiss>>,
}

impl UnmatchedRun {
    /// The text of the newest user message.
    pub fn message(&self) -> Option<&str> {
        self.subject.message.as_deref()
    }

    /// The replies that came near.
    pub fn nearest(&self) -> &[NearMiss] {
        self.nearest.get_or_init(|| miss::near(&self.subject.subject(), &self.sets))
    }
}

impl Serialize for UnmatchedRun {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut shown = serializer.serialize_struct("UnmatchedRun", 7)?;
        shown.serialize_field("object", "unmatched")?;
        shown.serialize_field("run", &self.run)?;
        shown.serialize_field("thread", &self.thread)?;
        shown.serialize_field("created_at", &self.created_at)?;
        shown.serialize_field("message", &self.message())?;
        shown.serialize_field("nearest", self.nearest())?;
        let stub = match &self.named {
            Some(name) => miss::stub_named(name),
            None => miss::stub(self.message()),
        };
        // A reply that the user can paste.
        shown.serialize_field("stub", &stub)?;
        shown.end()
    }
}

/// The reply that answered a run, and whether that counted as a use.
struct AnsweredBy {
    reply: Arc<Reply>,
    counts: bool,
}

/// The record of the performer of one session.
#[derive(Default)]
pub struct ReplyUsage {
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    /// By the key of a reply.
    uses: BTreeMap<u64, u64>,
    answered: HashMap<Id<Run>, AnsweredBy>,
    /// The runs of `answered`, oldest first.
    order: VecDeque<Id<Run>>,
    unmatched: VecDeque<Arc<UnmatchedRun>>,
    /// The size of the texts of `unmatched`, in bytes.
    unmatched_bytes: usize,
}

impl ReplyUsage {
    /// Uses a reply once more, unless it is used up.
    pub(super) fn take(&self, reply: &Reply) -> bool {
        let mut entries = self.entries.lock();
        let used = entries.uses.entry(reply.key).or_default();
        let left = reply.times.is_none_or(|times| *used < times);
        *used += u64::from(left);
        left
    }

    /// Notes the reply that answers a run. A run that continues an earlier run counts no use.
    pub(super) fn answers(&self, run: &Id<Run>, reply: &Arc<Reply>, counts: bool) {
        let mut entries = self.entries.lock();
        let by = AnsweredBy { reply: Arc::clone(reply), counts };
        if entries.answered.insert(run.clone(), by).is_none() {
            entries.order.push_back(run.clone());
        }
        if entries.order.len() > ANSWERED
            && let Some(oldest) = entries.order.pop_front()
        {
            entries.answered.remove(&oldest);
        }
    }

    /// Notes a run that nothing answered. Its event comes after the write of the run.
    pub(super) fn misses(&self, run: UnmatchedRun) {
        let mut entries = self.entries.lock();
        entries.unmatched_bytes += run.subject.held();
        entries.unmatched.push_back(Arc::new(run));
        while entries.unmatched.len() > UNMATCHED
            || entries.unmatched.len() > 1 && entries.unmatched_bytes > UNMATCHED_BYTES
        {
            let oldest = entries.unmatched.pop_front();
            entries.unmatched_bytes -= oldest.map_or(0, |run| run.subject.held());
        }
    }

    /// The run, if no reply answered it.
    pub fn unmatched_run(&self, run: &Id<Run>) -> Option<Arc<UnmatchedRun>> {
        let entries = self.entries.lock();
        entries.unmatched.iter().rev().find(|unmatched| unmatched.run == *run).cloned()
    }

    /// Deletes the notes of a run that could not be written.
    pub(super) fn take_back(&self, run: &Id<Run>) {
        let mut entries = self.entries.lock();
        if let Some(AnsweredBy { reply, counts }) = entries.answered.remove(run) {
            entries.order.retain(|answered| answered != run);
            if !counts {
                return;
            }
            entries.uses.entry(reply.key).and_modify(|uses| *uses = uses.saturating_sub(1));
        }
        if let Some(place) = entries.unmatched.iter().rposition(|unmatched| unmatched.run == *run)
            && let Some(unmatched) = entries.unmatched.remove(place)
        {
            entries.unmatched_bytes -= unmatched.subject.held();
        }
    }

    /// The number of uses of a reply.
    pub fn uses_of(&self, reply: &Reply) -> u64 {
        self.entries.lock().uses.get(&reply.key).copied().unwrap_or_default()
    }

    /// The name or the place of the reply that answered a run.
    pub fn answered(&self, run: &Id<Run>) -> Option<String> {
        self.reply_of(run).map(|reply| reply.called())
    }

    /// The reply that answered a run.
    pub fn reply_of(&self, run: &Id<Run>) -> Option<Arc<Reply>> {
        self.entries.lock().answered.get(run).map(|by| Arc::clone(&by.reply))
    }

    /// The runs that no reply matched, oldest first.
    pub fn unmatched(&self) -> Vec<Arc<UnmatchedRun>> {
        self.entries.lock().unmatched.iter().cloned().collect()
    }

    /// All uses, by the keys of the replies.
    pub fn uses(&self) -> BTreeMap<u64, u64> {
        self.entries.lock().uses.clone()
    }

    /// Continues with the uses of another record.
    pub fn resume(&self, uses: BTreeMap<u64, u64>) {
        self.entries.lock().uses = uses;
    }
}
