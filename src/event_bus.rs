//! The news of a session: the bus sends every change to the current listeners. It waits for no
//! listener. If nobody listens, it does not even serialise the news.

use std::sync::{Arc, OnceLock};

use tokio::sync::broadcast;

/// How far a listener may fall behind before it is cut off.
const BEHIND: usize = 4_096;

/// One change: its name, and the object as JSON in one line.
#[derive(Debug)]
pub struct SessionEvent {
    pub name: String,
    pub data: String,
}

/// The channel for the news of one session.
#[derive(Clone, Debug, Default)]
pub struct EventBus(Arc<OnceLock<broadcast::Sender<Arc<SessionEvent>>>>);

impl EventBus {
    /// Publishes news, if anybody listens.
    pub fn publish(&self, name: &str, data: impl FnOnce() -> String) {
        if let Some(sender) = self.0.get().filter(|sender| sender.receiver_count() > 0) {
            // The last listener may have just left.
            _ = sender.send(Arc::new(SessionEvent { name: name.to_owned(), data: data() }));
        }
    }

    /// Whether anybody listens.
    pub fn is_heard(&self) -> bool {
        self.0.get().is_some_and(|sender| sender.receiver_count() > 0)
    }

    pub fn listen(&self) -> broadcast::Receiver<Arc<SessionEvent>> {
        // Most sessions never have a listener, and need no room for one.
        self.0.get_or_init(|| broadcast::Sender::new(BEHIND)).subscribe()
    }
}
