//! The lock on a thread: while one of its runs is open, nobody else writes to it.
//!
//! The database keeps it. What stands here is how somebody who was kept out learns why.

use super::error::Refused;
use crate::{
    store::{Changes, Store, ThreadState},
    types::{Id, Message, Thread},
};

/// Adds a client's message to its thread, unless a run holds that.
pub async fn add_message(store: &Store, message: Message) -> Result<Message, Refused> {
    loop {
        let mut changes = Changes::new();
        changes.add_message(&message)?;
        if store.write(changes).await? {
            return Ok(message);
        }
        if let Some(run) = state(store, &message.thread_id).await?.holder {
            return Err(Refused::LockedForMessages { thread: message.thread_id, run });
        }
        // The run that was in the way has just ended.
    }
}

/// What a thread is like, if it exists.
pub(super) async fn state(store: &Store, thread: &Id<Thread>) -> Result<ThreadState, Refused> {
    store.thread_state(thread).await?.ok_or_else(|| Refused::NoThread(thread.clone()))
}
