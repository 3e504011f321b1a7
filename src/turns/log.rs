//! The turns of a session, kept like its journal: in memory, and bounded in number and in size; the
//! oldest go first. Secrets are removed before a turn is shown.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use serde_json::Value;

use super::Turn;
use crate::redact::{KnownKeys, REMOVED, SessionKeys};

/// How much all texts may hold, in bytes.
const TEXTS: usize = 64 << 20;

/// The latest turns of a session.
pub struct TurnLog {
    /// How many are kept.
    most: usize,
    keys: Arc<SessionKeys>,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    turns: BTreeMap<TurnNumber, KeptTurn>,
    next: u64,
    bytes: usize,
    dropped: usize,
}

/// The place of a turn among all turns of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TurnNumber(u64);

/// A turn, and the keys that must not be shown with it.
#[derive(Clone, Debug)]
pub struct KeptTurn {
    pub turn: Arc<Turn>,
    keys: Arc<KnownKeys>,
    held: usize,
}

impl KeptTurn {
    /// The turn as people see it.
    pub fn to_json(&self) -> Value {
        let mut shown = serde_json::to_value(&*self.turn).expect("a turn is JSON");
        self.keys.clean(&mut shown);
        shown
    }

    /// A text about the turn, without its secrets.
    pub fn clean(&self, text: &str) -> String {
        let clean = self.keys.replaced(text.as_bytes(), REMOVED);
        String::from_utf8_lossy(&clean).into_owned()
    }
}

impl TurnLog {
    pub fn new(most: usize, keys: Arc<SessionKeys>) -> Self {
        Self { most, keys, entries: Mutex::default() }
    }

    /// Whether anything is kept at all.
    pub fn is_kept(&self) -> bool {
        self.most > 0
    }

    /// Makes a turn ready to be kept, or to be shown.
    pub fn kept(&self, turn: Turn) -> KeptTurn {
        KeptTurn { held: turn.held(), turn: Arc::new(turn), keys: self.keys.now() }
    }

    /// Keeps a turn, in the place of what was known of it before.
    pub fn note(&self, turn: KeptTurn, earlier: Option<TurnNumber>) -> TurnNumber {
        let mut entries = self.entries.lock();
        let number = earlier.unwrap_or_else(|| entries.begin());
        // One that was dropped meanwhile does not come back.
        if earlier.is_none() || entries.turns.contains_key(&number) {
            entries.bytes += turn.held;
            let before = entries.turns.insert(number, turn);
            entries.bytes -= before.map_or(0, |before| before.held);
        }
        while entries.turns.len() > self.most
            || entries.turns.len() > 1 && entries.bytes > TEXTS
        {
            let oldest = entries.turns.pop_first();
            entries.bytes -= oldest.map_or(0, |(_, oldest)| oldest.held);
            entries.dropped += 1;
        }
        number
    }

    /// Forgets a turn of a run that has never been.
    pub fn take_back(&self, number: TurnNumber) {
        let mut entries = self.entries.lock();
        let taken = entries.turns.remove(&number);
        entries.bytes -= taken.map_or(0, |taken| taken.held);
    }

    /// All turns, oldest first.
    pub fn turns(&self) -> Vec<KeptTurn> {
        self.entries.lock().turns.values().cloned().collect()
    }

    /// How many turns are not kept any more.
    pub fn dropped(&self) -> usize {
        self.entries.lock().dropped
    }

    /// Forgets all turns.
    pub fn clear(&self) {
        let mut entries = self.entries.lock();
        let next = entries.next;
        *entries = Entries { next, ..Entries::default() };
    }
}

impl Entries {
    fn begin(&mut self) -> TurnNumber {
        self.next += 1;
        TurnNumber(self.next)
    }
}
