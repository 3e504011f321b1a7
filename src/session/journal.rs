//! The journal of a session: its latest requests and responses, for tests. It is in memory, and
//! bounded in number and in size; the oldest entries go first. It keeps no headers. Secrets are
//! removed before a body is kept. If a body comes in pieces, they are removed before it is shown.

use std::{
    borrow::Cow,
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use compact_str::CompactString;
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::{
    redact::{KnownKeys, REMOVED, SessionKeys},
    types::{Id, Resource, Run, Timestamp},
};

/// The maximum size of a kept body, in bytes.
const BODY: usize = 256 << 10;
/// The maximum size of all bodies of a journal together, in bytes.
const BODIES: usize = 64 << 20;

/// A request and its response.
#[derive(Debug)]
pub struct JournalEntry {
    pub id: String,
    pub created_at: Timestamp,
    pub duration: Duration,
    pub method: CompactString,
    /// Without `/s/NAME`.
    pub path: String,
    pub query: Option<String>,
    /// `None` if the connection was closed without a response.
    pub status: Option<u16>,
    pub request: KeptBody,
    pub response: KeptBody,
    /// The run that the request created.
    pub run: Option<Id<Run>>,
    /// The fault that applied.
    pub fault: Option<String>,
}

/// The kept part of a body. It is a copy, because the buffers of bodies are used again.
#[derive(Debug, Default)]
pub enum KeptBody {
    #[default]
    None,
    Whole(KeptText),
    /// The part that has arrived so far.
    Passing(Arc<StreamedBody>),
}

/// A text without its secrets, perhaps cut, and its original size.
#[derive(Debug)]
pub struct KeptText {
    kept: Box<[u8]>,
    bytes: usize,
}

/// A body that arrives in pieces. A secret may be in two of them, so the search for secrets waits
/// until the text is shown.
#[derive(Debug)]
pub struct StreamedBody {
    text: Mutex<Vec<u8>>,
    keys: Arc<KnownKeys>,
    /// The size of the body, in bytes.
    bytes: AtomicUsize,
    /// The size of all bodies of the journal, in bytes.
    total: Arc<AtomicUsize>,
}

impl Drop for StreamedBody {
    fn drop(&mut self) {
        let held = self.text.get_mut().len();
        self.total.fetch_sub(held, Ordering::Relaxed);
    }
}

impl StreamedBody {
    /// Keeps a piece of a text, if there is room for it.
    pub fn keep(&self, piece: &[u8]) {
        self.count(piece.len());
        let mut text = self.text.lock();
        let piece = &piece[..piece.len().min(BODY.saturating_sub(text.len()))];
        text.extend_from_slice(piece);
        self.total.fetch_add(piece.len(), Ordering::Relaxed);
    }

    /// Counts bytes that are not kept, because they are not text.
    pub fn count(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl KeptText {
    pub fn new(text: &[u8], keys: &KnownKeys) -> Self {
        let clean = keys.replaced(text, REMOVED);
        Self { kept: clean[..clean.len().min(BODY)].into(), bytes: text.len() }
    }
}

impl KeptBody {
    /// JSON as JSON, everything else as text.
    pub fn to_json(&self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::Whole(text) => text_to_json(&text.kept),
            Self::Passing(passing) => {
                let text = passing.text.lock();
                text_to_json(&passing.keys.replaced(&text, REMOVED))
            }
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Whole(text) => text.bytes,
            Self::Passing(passing) => passing.bytes.load(Ordering::Relaxed),
        }
    }

    /// The size of the kept text. A body in pieces counts itself, so it is zero here.
    fn held(&self) -> usize {
        match self {
            Self::Whole(text) => text.kept.len(),
            Self::None | Self::Passing(_) => 0,
        }
    }
}

fn text_to_json(text: &[u8]) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(text)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(text).into_owned()))
}

/// The latest requests of a session.
pub struct Journal {
    /// The maximum number of entries.
    most: usize,
    entries: Mutex<VecDeque<Arc<JournalEntry>>>,
    /// The size of all bodies, in bytes.
    total: Arc<AtomicUsize>,
    keys: Arc<SessionKeys>,
    /// The number of entries that were dropped.
    dropped: AtomicUsize,
}

impl Journal {
    pub fn new(most: usize, keys: Arc<SessionKeys>) -> Self {
        let (entries, total) = (Mutex::default(), Arc::default());
        Self { most, entries, total, keys, dropped: AtomicUsize::default() }
    }

    /// The keys of this request and of earlier ones, ready for a search.
    pub fn known(&self, keys: Vec<String>) -> Arc<KnownKeys> {
        self.keys.with(keys)
    }

    /// A text in the form in which it is kept: without secrets.
    pub fn clean(text: &str, keys: &KnownKeys) -> String {
        String::from_utf8_lossy(&keys.replaced(text.as_bytes(), REMOVED)).into_owned()
    }

    /// A part of a URL in the form in which it is kept. Clients encode different characters of a
    /// key, or none, so a part with a key is kept decoded.
    pub fn clean_url(text: &str, keys: &KnownKeys) -> String {
        let decoded = percent_decode_str(text).decode_utf8_lossy();
        match keys.replaced(decoded.as_bytes(), REMOVED) {
            Cow::Borrowed(_) => Self::clean(text, keys),
            Cow::Owned(clean) => String::from_utf8_lossy(&clean).into_owned(),
        }
    }

    /// Whether the journal keeps anything.
    pub fn is_kept(&self) -> bool {
        self.most > 0
    }

    /// A body that is kept as it arrives.
    pub fn passing(&self, keys: Arc<KnownKeys>) -> Arc<StreamedBody> {
        let (text, bytes) = (Mutex::default(), AtomicUsize::default());
        Arc::new(StreamedBody { text, keys, bytes, total: Arc::clone(&self.total) })
    }

    pub fn note(&self, entry: Arc<JournalEntry>) {
        self.total.fetch_add(entry.held(), Ordering::Relaxed);
        self.entries.lock().push_back(entry);
        // An entry is freed only after the lock is released.
        while let Some(oldest) = self.pop_if_full() {
            self.total.fetch_sub(oldest.held(), Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The number of entries that were dropped.
    pub fn dropped(&self) -> usize {
        self.dropped.load(Ordering::Relaxed)
    }

    fn pop_if_full(&self) -> Option<Arc<JournalEntry>> {
        let mut entries = self.entries.lock();
        let is_full = entries.len() > self.most
            || (entries.len() > 1 && self.total.load(Ordering::Relaxed) > BODIES);
        if is_full { entries.pop_front() } else { None }
    }

    /// All entries, oldest first.
    pub fn entries(&self) -> Vec<Arc<JournalEntry>> {
        self.entries.lock().iter().cloned().collect()
    }

    /// Removes all entries. Returns their number.
    pub fn clear(&self) -> usize {
        let entries = std::mem::take(&mut *self.entries.lock());
        self.total.fetch_sub(entries.iter().map(|entry| entry.held()).sum(), Ordering::Relaxed);
        self.dropped.store(0, Ordering::Relaxed);
        entries.len()
    }
}

impl JournalEntry {
    fn held(&self) -> usize {
        self.request.held() + self.response.held()
    }

    /// The run of the request: the run that it created, or the run in its path.
    pub fn about(&self) -> Option<Id<Run>> {
        let named =
            || self.path.split('/').find(|segment| segment.starts_with(Run::PREFIX)).map(Id::new);
        self.run.clone().or_else(named)
    }

    /// The entry for people, with the reply that answered its run.
    pub fn to_json(&self, reply: Option<&str>) -> Value {
        json!({
            "object": "request",
            "id": self.id,
            "created_at": self.created_at,
            "duration_ms": self.duration.as_micros() as f64 / 1000.0,
            "method": self.method.as_str(),
            "path": self.path,
            "query": self.query,
            "status": self.status,
            "request_body": self.request.to_json(),
            "request_bytes": self.request.bytes(),
            "response_body": self.response.to_json(),
            "response_bytes": self.response.bytes(),
            "run": self.about(),
            "reply": reply,
            "fault": self.fault,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entry_is_dropped_first() {
        let journal = Journal::new(2, Arc::default());
        for id in ["a", "b", "c"] {
            let entry = JournalEntry {
                id: id.to_owned(),
                created_at: Timestamp(0),
                duration: Duration::ZERO,
                method: CompactString::default(),
                path: String::new(),
                query: None,
                status: None,
                request: KeptBody::None,
                response: KeptBody::None,
                run: None,
                fault: None,
            };
            journal.note(Arc::new(entry));
        }
        let ids: Vec<_> = journal.entries().iter().map(|entry| entry.id.clone()).collect();
        assert_eq!(ids, ["b", "c"]);
        assert_eq!((journal.clear(), journal.entries().len()), (2, 0));
    }
}
