//! The journal of a session: its latest requests and what was answered, for tests to look at. In memory, and bounded
//! in number and in size; what is oldest goes first. No headers are kept, and no secrets.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use memchr::memmem;
use serde_json::{Value, json};

use crate::types::{Id, Run, Timestamp};

/// How much of a body is kept, in bytes.
const BODY: usize = 256 << 10;
/// How much all bodies of a journal may have, in bytes.
const BODIES: usize = 64 << 20;

/// A request, and what was answered.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: String,
    pub created_at: Timestamp,
    pub duration: Duration,
    pub method: String,
    /// Without `/s/NAME`.
    pub path: String,
    pub query: Option<String>,
    /// None if the connection was closed without an answer.
    pub status: Option<u16>,
    pub request: Arc<Body>,
    pub response: Arc<Body>,
    /// The run that it is about.
    pub run: Option<Id<Run>>,
    /// The fault that struck.
    pub fault: Option<String>,
}

/// As much of a body as is kept: what has come by so far.
#[derive(Debug, Default)]
pub struct Body {
    kept: Mutex<Vec<Bytes>>,
    /// How many bytes there were, and how many of them are kept.
    bytes: AtomicUsize,
    held: AtomicUsize,
    /// How many bytes all bodies of the journal hold.
    total: Arc<AtomicUsize>,
}

impl Drop for Body {
    fn drop(&mut self) {
        self.total.fetch_sub(self.held.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl Body {
    fn counted_in(total: &Arc<AtomicUsize>) -> Self {
        let (kept, bytes, held) = (Mutex::default(), AtomicUsize::default(), AtomicUsize::default());
        Self { kept, bytes, held, total: Arc::clone(total) }
    }

    /// Keeps a piece of a text, without its secrets, if there is room for it.
    pub fn keep(&self, piece: Bytes, key: Option<&str>) {
        self.count(piece.len());
        let room = BODY.saturating_sub(self.held.load(Ordering::Relaxed));
        let piece = without_secrets(piece, key);
        let piece = piece.slice(..piece.len().min(room));
        self.held.fetch_add(piece.len(), Ordering::Relaxed);
        self.total.fetch_add(piece.len(), Ordering::Relaxed);
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(piece);
    }

    /// Counts what is not kept, because it is not a text.
    pub fn count(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How many bytes there were.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// JSON as what it is, all else as text.
    fn shown(&self) -> Value {
        match self.text() {
            Some(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            None => Value::Null,
        }
    }

    /// What is kept. None if nothing is.
    fn text(&self) -> Option<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = kept.concat();
        (!whole.is_empty()).then(|| String::from_utf8_lossy(&whole).into_owned())
    }
}

/// The latest requests of a session.
pub struct Journal {
    /// How many are kept.
    most: usize,
    entries: Mutex<VecDeque<Arc<Entry>>>,
    /// How many bytes all bodies hold.
    total: Arc<AtomicUsize>,
}

impl Journal {
    pub fn of(most: usize) -> Self {
        Self { most, entries: Mutex::default(), total: Arc::default() }
    }

    /// Whether anything is kept at all.
    pub fn is_kept(&self) -> bool {
        self.most > 0
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A body that is to be kept.
    pub fn body(&self) -> Arc<Body> {
        Arc::new(Body::counted_in(&self.total))
    }

    pub fn note(&self, entry: Arc<Entry>) {
        let mut entries = self.lock();
        entries.push_back(entry);
        while entries.len() > self.most || (entries.len() > 1 && self.total.load(Ordering::Relaxed) > BODIES) {
            entries.pop_front();
        }
    }

    /// All entries, oldest first.
    pub fn entries(&self) -> Vec<Arc<Entry>> {
        self.lock().iter().cloned().collect()
    }

    /// Forgets all entries. Answers how many there were.
    pub fn clear(&self) -> usize {
        std::mem::take(&mut *self.lock()).len()
    }
}

impl Entry {
    /// The entry as people see it, with the reply that answered its run.
    pub fn shown(&self, reply: Option<&str>) -> Value {
        json!({
            "object": "request",
            "id": self.id,
            "created_at": self.created_at,
            "duration_ms": self.duration.as_micros() as f64 / 1000.0,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "status": self.status,
            "request_body": self.request.shown(),
            "request_bytes": self.request.bytes(),
            "response_body": self.response.shown(),
            "response_bytes": self.response.bytes(),
            "run": self.run,
            "reply": reply,
            "fault": self.fault,
        })
    }
}

/// What is put in place of a secret.
const HIDDEN: &[u8] = b"[removed]";

/// Removes a key wherever it stands, and whatever looks like one of OpenAI's.
fn without_secrets(text: Bytes, key: Option<&str>) -> Bytes {
    let key = key.map(str::as_bytes).filter(|key| key.len() >= 6 && memmem::find(&text, key).is_some());
    if key.is_none() && memmem::find(&text, b"sk-").is_none() {
        return text;
    }
    let mut clean = Vec::with_capacity(text.len());
    let mut rest: &[u8] = &text;
    while !rest.is_empty() {
        let secret = key.filter(|key| rest.starts_with(key)).map(<[u8]>::len).or_else(|| key_like(rest));
        match secret {
            Some(length) => {
                clean.extend_from_slice(HIDDEN);
                rest = &rest[length..];
            }
            None => {
                clean.push(rest[0]);
                rest = &rest[1..];
            }
        }
    }
    Bytes::from(clean)
}

/// How long what stands here is, if it looks like a key of OpenAI's.
fn key_like(text: &[u8]) -> Option<usize> {
    const SHORTEST: usize = 20;
    if !text.starts_with(b"sk-") {
        return None;
    }
    let length = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')).count();
    (length >= SHORTEST).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(text: &str, key: Option<&str>) -> String {
        String::from_utf8(without_secrets(Bytes::from(text.to_owned()), key).to_vec()).unwrap()
    }

    #[test]
    fn secrets_are_removed_and_nothing_else() {
        assert_eq!(clean(r#"{"a":"hunter22","b":1}"#, Some("hunter22")), r#"{"a":"[removed]","b":1}"#);
        assert_eq!(clean("my key is sk-proj-0123456789abcdefghij!", None), "my key is [removed]!");
        assert_eq!(clean("a task-list of sk-ills", Some("short")), "a task-list of sk-ills");
    }

    #[test]
    fn what_is_oldest_goes_first() {
        let journal = Journal::of(2);
        for id in ["a", "b", "c"] {
            let entry = Entry {
                id: id.to_owned(),
                created_at: Timestamp(0),
                duration: Duration::ZERO,
                method: String::new(),
                path: String::new(),
                query: None,
                status: None,
                request: journal.body(),
                response: journal.body(),
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
