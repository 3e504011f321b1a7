//! The news of a session: every change, told to whoever listens at that moment. Nobody waits for a listener, and
//! news that nobody listens to is not even written down.

use std::sync::Arc;

use tokio::sync::broadcast;

/// How far a listener may fall behind before it is cut off.
const BEHIND: usize = 16_384;

/// One change: what it is called, and the object, as JSON in one line.
#[derive(Debug)]
pub struct News {
    pub name: String,
    pub data: String,
}

/// Where the news of one session is told.
#[derive(Clone, Debug)]
pub struct Feed(broadcast::Sender<Arc<News>>);

impl Default for Feed {
    fn default() -> Self {
        Self(broadcast::Sender::new(BEHIND))
    }
}

impl Feed {
    /// Tells news, if anybody listens.
    pub fn tell(&self, name: &str, data: impl FnOnce() -> String) {
        if self.is_heard() {
            // Whoever listened may have left in this moment.
            _ = self.0.send(Arc::new(News { name: name.to_owned(), data: data() }));
        }
    }

    /// Whether anybody listens.
    pub fn is_heard(&self) -> bool {
        self.0.receiver_count() > 0
    }

    pub fn listen(&self) -> broadcast::Receiver<Arc<News>> {
        self.0.subscribe()
    }
}
