//! Who may write to a thread right now, within this server: many messages at a time, or one run that is
//! being made.
//!
//! A run is performed as far as it goes before it is written, so what it has read of its thread must
//! still be so then. The database has the last word all the same.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::types::{Id, Thread};

type Locks = Mutex<HashMap<Id<Thread>, Arc<RwLock<()>>>>;

/// The threads that somebody writes to.
#[derive(Default)]
pub(super) struct Claims(Arc<Locks>);

/// A thread that is written to as long as this lives.
pub(super) struct Claim {
    // Let go of before the place below counts who is left.
    _guard: Guard,
    _place: Place,
}

#[expect(dead_code, reason = "a guard is held, and nothing else")]
enum Guard {
    Shared(OwnedRwLockReadGuard<()>),
    Alone(OwnedRwLockWriteGuard<()>),
}

/// A thread's entry. The last one takes it away.
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
    async fn messages_go_together_and_a_run_goes_alone() {
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
