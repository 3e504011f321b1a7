//! Who may write to a thread at a time, within this server: many messages, or one run that is being
//! created.
//!
//! The engine performs a run as far as it goes before it writes the run. The thread must not change
//! between the read and the write. The database makes the final decision in any case.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::types::{Id, Thread};

type Locks = Mutex<HashMap<Id<Thread>, Arc<RwLock<()>>>>;

/// The threads that have writers.
#[derive(Default)]
pub(super) struct Claims(Arc<Locks>);

/// A claim to write to a thread, as long as this lives.
pub(super) struct Claim {
    // Dropped before the place below, which counts the remaining holders.
    _guard: Guard,
    _place: Place,
}

#[expect(dead_code, reason = "a guard is held, and nothing else")]
enum Guard {
    Shared(OwnedRwLockReadGuard<()>),
    Alone(OwnedRwLockWriteGuard<()>),
}

/// A thread's entry. The last holder removes it.
struct Place {
    locks: Arc<Locks>,
    thread: Id<Thread>,
}

impl Claims {
    /// Waits until no run is being made on the thread.
    pub(super) async fn for_message(&self, thread: &Id<Thread>) -> Claim {
        let (lock, place) = self.place(thread);
        Claim { _guard: Guard::Shared(lock.read_owned().await), _place: place }
    }

    /// Waits until nobody else writes to the thread.
    pub(super) async fn for_run(&self, thread: &Id<Thread>) -> Claim {
        let (lock, place) = self.place(thread);
        Claim { _guard: Guard::Alone(lock.write_owned().await), _place: place }
    }

    fn place(&self, thread: &Id<Thread>) -> (Arc<RwLock<()>>, Place) {
        let lock = Arc::clone(self.0.lock().entry(thread.clone()).or_default());
        (lock, Place { locks: Arc::clone(&self.0), thread: thread.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut locks = self.locks.lock();
        if locks.get(&self.thread).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            locks.remove(&self.thread);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn several_messages_may_claim_a_thread_but_a_run_claims_it_alone() {
        let (claims, thread) = (Claims::default(), Id::new("thread_a"));
        let first = claims.for_message(&thread).await;
        let second = claims.for_message(&thread).await;
        assert!(claims.for_run(&thread).now_or_never().is_none());
        assert!(claims.for_run(&Id::new("thread_b")).now_or_never().is_some());
        drop((first, second));
        let run = claims.for_run(&thread).await;
        assert!(claims.for_message(&thread).now_or_never().is_none());
        drop(run);
        assert!(claims.0.lock().is_empty());
    }
}
