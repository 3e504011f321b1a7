//! The news of a session: every change, told to whoever listens at that moment. Nobody waits for a
//! listener, and news that nobody listens to is not even written down.

use std::sync::{Arc, OnceLock};

use tokio::sync::broadcast;

/// How far a listener may fall behind before it is cut off.
const BEHIND: usize = 4_096;

/// One change: what it is called, and the object, as JSON in one line.
#[derive(Debug)]
pub struct SessionEvent {
    pub name: String,
    pub data: String,
}

/// Where the news of one session is told.
#[derive(Clone, Debug, Default)]
pub struct EventBus(Arc<OnceLock<broadcast::Sender<Arc<SessionEvent>>>>);

impl EventBus {
    /// Tells news, if anybody listens.
    pub fn publish(&self, name: &str, data: impl FnOnce() -> String) {
        if let Some(sender) = self.0.get().filter(|sender| sender.receiver_count() > 0) {
            // Whoever listened may have left in this moment.
            _ = sender.send(Arc::new(SessionEvent { name: name.to_owned(), data: data() }));
        }
    }

    /// Whether anybody listens.
    pub fn is_heard(&self) -> bool {
        self.0.get().is_some_and(|sender| sender.receiver_count() > 0)
    }

    pub fn listen(&self) -> broadcast::Receiver<Arc<SessionEvent>> {
        // Most sessions are never listened to, and need no room for it.
        self.0.get_or_init(|| broadcast::Sender::new(BEHIND)).subscribe()
    }
}
