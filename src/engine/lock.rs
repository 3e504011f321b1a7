//! The lock on a thread: while one of its runs is open, nobody else writes to it.
//!
//! The database has the lock. This module finds out why a write was rejected.

use super::error::EngineError;
use crate::{
    knowledge::{AttachedFiles, Knowledge},
    store::{Changes, Store, ThreadState},
    types::{Id, Message, Thread},
};

/// Adds a client's message to its thread, with the files that are attached to it, unless a run
/// holds the thread.
pub(super) async fn add_message(
    store: &Store,
    knowledge: &Knowledge,
    message: Message,
    attached: &AttachedFiles,
) -> Result<Message, EngineError> {
    // If a run holds the thread, nothing is prepared.
    if !attached.is_empty()
        && let Some(run) = state(store, &message.thread_id).await?.holder
    {
        return Err(EngineError::LockedForMessages { thread: message.thread_id, run });
    }
    loop {
        let attachments = knowledge.attachments_to(&message.thread_id, attached).await?;
        let mut changes = Changes::new();
        changes.add_message(&message, attachments.thread_was())?;
        attachments.write(&mut changes, Some(message.id.as_str()))?;
        if store.write(changes).await? {
            knowledge.attached(attachments);
            return Ok(message);
        }
        if let Some(run) = state(store, &message.thread_id).await?.holder {
            return Err(EngineError::LockedForMessages { thread: message.thread_id, run });
        }
        // The run that blocked this message has just ended, or somebody has changed the thread.
    }
}

/// The state of a thread, if the thread exists.
pub(super) async fn state(store: &Store, thread: &Id<Thread>) -> Result<ThreadState, EngineError> {
    store.thread_state(thread).await?.ok_or_else(|| EngineError::NoThread(thread.clone()))
}
