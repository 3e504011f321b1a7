//! A database that cannot be written to is given a while to recover.

use std::time::Duration;

/// How often, and after which first wait, something that cannot be written is tried again.
const ATTEMPTS: u32 = 6;
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// The waits between attempts to write, each twice as long as the one before it.
#[derive(Default)]
pub struct Recovery {
    attempts: u32,
}

impl Recovery {
    /// Waits for the next attempt. Answers false, at once, after the last one.
    pub async fn wait(&mut self) -> bool {
        if self.attempts == ATTEMPTS {
            return false;
        }
        tokio::time::sleep(FIRST_WAIT * 2_u32.pow(self.attempts)).await;
        self.attempts += 1;
        true
    }
}
