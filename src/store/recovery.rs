//! A database that cannot be written to is given time to recover: a disk has space again, a volume
//! comes back. Attempts go on until then.

use std::time::Duration;

/// How long to wait before the first attempt, and between attempts at the most.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The waits between attempts to write, each twice as long as the one before it, up to a bound.
pub struct Recovery {
    next: Duration,
}

impl Default for Recovery {
    fn default() -> Self {
        Self { next: FIRST_WAIT }
    }
}

impl Recovery {
    /// Waits for the next attempt.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(LONGEST_WAIT);
    }
}
