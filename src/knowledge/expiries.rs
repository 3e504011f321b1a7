//! The channel that informs the reaper of new expiry times.

use tokio::sync::mpsc;

use crate::clock::{ActivityGuard, Clock};

/// Informs the reaper that an object expires, perhaps before all others.
#[derive(Clone)]
pub(super) struct Expiries {
    clock: Clock,
    changed: mpsc::UnboundedSender<ActivityGuard>,
}

impl Expiries {
    pub(super) fn new(clock: Clock) -> (Self, mpsc::UnboundedReceiver<ActivityGuard>) {
        let (changed, received) = mpsc::unbounded_channel();
        (Self { clock, changed }, received)
    }

    /// The clock does not advance before the reaper knows.
    pub(super) fn changed(&self) {
        // If the reaper is gone, so is its session.
        _ = self.changed.send(self.clock.begin_activity());
    }
}
