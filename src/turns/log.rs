//! The turns of a session, kept like its journal: in memory, and bounded in number and in size; the
//! oldest go first. Secrets are removed before a turn is shown.

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

/// How much all texts may hold, in bytes.
const TEXTS: usize = 64 << 20;

/// The latest turns of a session.
pub struct TurnLog {
    /// How many are kept.
    most: usize,
    keys: Arc<SessionKeys>,
    order: TurnOrder,
    entries: Mutex<Entries>,
}

/// Gives the turns of all sessions their places.
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

/// A turn, and the keys that must not be shown with it.
#[derive(Clone, Debug)]
pub struct KeptTurn {
    pub turn: Arc<Turn>,
    pub place: TurnPlace,
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
        let mut clean = text.to_owned();
        self.keys.clean_text(&mut clean);
        clean
    }
}

impl TurnLog {
    pub fn new(most: usize, keys: Arc<SessionKeys>, order: TurnOrder) -> Self {
        Self { most, keys, order, entries: Mutex::default() }
    }

    /// Whether anything is kept at all.
    pub fn is_kept(&self) -> bool {
        self.most > 0
    }

    /// A value as it is shown: without the secrets of the session.
    pub fn cleaned(&self, mut value: Value) -> Value {
        self.keys.now().clean(&mut value);
        value
    }

    /// Keeps a turn, in the place that it had before, if it had one.
    pub fn note(&self, turn: Turn, earlier: Option<TurnPlace>) -> KeptTurn {
        let (held, keys) = (turn.held(), self.keys.now());
        let mut entries = self.entries.lock();
        let place = earlier.unwrap_or_else(|| self.order.next());
        let kept = KeptTurn { turn: Arc::new(turn), place, keys, held };
        // One that was dropped meanwhile does not come back.
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

    /// Forgets a turn of a run that has never been.
    pub fn take_back(&self, place: TurnPlace) {
        let mut entries = self.entries.lock();
        let taken = entries.turns.remove(&place);
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
        *self.entries.lock() = Entries::default();
    }
}

impl TurnOrder {
    fn next(&self) -> TurnPlace {
        TurnPlace(self.0.fetch_add(1, Ordering::Relaxed))
    }
}
