//! How the task that ends what has had its time hears of it.

use tokio::sync::mpsc;

use crate::clock::{ActivityGuard, Clock};

/// Tells the reaper that something expires, perhaps before all else.
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

    /// The clock does not move on before the reaper knows.
    pub(super) fn changed(&self) {
        // If the reaper is gone, so is its session.
        _ = self.changed.send(self.clock.begin_activity());
    }
}
