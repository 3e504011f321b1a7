//! The turns of a session. Like its journal, they are in memory and bounded in number and in size;
//! the oldest go first. Secrets are removed before a turn is shown.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use serde_json::Value;

use super::Turn;
use crate::redact::{KnownKeys, SessionKeys};

/// The maximum size of all texts, in bytes.
const TEXTS: usize = 64 << 20;

/// The latest turns of a session.
pub struct TurnLog {
    /// The maximum number of turns.
    most: usize,
    keys: Arc<SessionKeys>,
    order: TurnOrder,
    entries: Mutex<Entries>,
}

/// Numbers the turns of all sessions.
#[derive(Clone, Debug, Default)]
pub struct TurnOrder(Arc<AtomicU64>);

#[derive(Default)]
struct Entries {
    turns: BTreeMap<TurnPlace, KeptTurn>,
    bytes: usize,
    dropped: usize,
}

/// The place of a turn among all turns of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TurnPlace(u64);

/// A turn, and the keys that must not appear in its output.
#[derive(Clone, Debug)]
pub struct KeptTurn {
    pub turn: Arc<Turn>,
    pub place: TurnPlace,
    keys: Arc<KnownKeys>,
    held: usize,
}

impl KeptTurn {
    /// The turn in the form for people.
    pub fn to_json(&self) -> Value {
        let mut shown = serde_json::to_value(&*self.turn).expect("a turn is JSON");
        self.keys.clean(&mut shown);
        shown
    }

    /// A text about the turn, without its secrets.
    pub fn clean(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        self.keys.clean_text(&mut clean);
        clean
    }
}

impl TurnLog {
    pub fn new(most: usize, keys: Arc<SessionKeys>, order: TurnOrder) -> Self {
        Self { most, keys, order, entries: Mutex::default() }
    }

    /// Whether the log keeps anything.
    pub fn is_kept(&self) -> bool {
        self.most > 0
    }

    /// The public form of a value: without the secrets of the session.
    pub fn cleaned(&self, mut value: Value) -> Value {
        self.keys.now().clean(&mut value);
        value
    }

    /// Keeps a turn at its earlier place, if it had one.
    pub fn note(&self, turn: Turn, earlier: Option<TurnPlace>) -> KeptTurn {
        let (held, keys) = (turn.held(), self.keys.now());
        let mut entries = self.entries.lock();
        let place = earlier.unwrap_or_else(|| self.order.next());
        let kept = KeptTurn { turn: Arc::new(turn), place, keys, held };
        // A turn that was dropped in the meantime does not return.
        if earlier.is_none() || entries.turns.contains_key(&place) {
            entries.bytes += held;
            let before = entries.turns.insert(place, kept.clone());
            entries.bytes -= before.map_or(0, |before| before.held);
        }
        while entries.turns.len() > self.most || entries.turns.len() > 1 && entries.bytes > TEXTS {
            let oldest = entries.turns.pop_first();
            entries.bytes -= oldest.map_or(0, |(_, oldest)| oldest.held);
            entries.dropped += 1;
        }
        kept
    }

    /// Removes a turn of a run that does not exist, because it was not written.
    pub fn take_back(&self, place: TurnPlace) {
        let mut entries = self.entries.lock();
        let taken = entries.turns.remove(&place);
        entries.bytes -= taken.map_or(0, |taken| taken.held);
    }

    /// All turns, oldest first.
    pub fn turns(&self) -> Vec<KeptTurn> {
        self.entries.lock().turns.values().cloned().collect()
    }

    /// The number of turns that were dropped.
    pub fn dropped(&self) -> usize {
        self.entries.lock().dropped
    }

    /// Removes all turns.
    pub fn clear(&self) {
        *self.entries.lock() = Entries::default();
    }
}

impl TurnOrder {
    fn next(&self) -> TurnPlace {
        TurnPlace(self.0.fetch_add(1, Ordering::Relaxed))
    }
}
