//! A database that cannot be written gets time to recover: a disk has space again, a volume
//! returns. Attempts continue until then.

use std::time::Duration;

/// The wait before the first attempt, and the longest wait between attempts.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The waits between write attempts. Each is twice as long as the one before it, up to a bound.
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
