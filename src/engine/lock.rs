//! The lock on a thread: while one of its runs is open, nobody else writes to it.

use super::Refused;
use crate::{
    store::{Store, Tx},
    types::{Id, Message, Run, Thread},
};

/// Adds a client's message to its thread, unless a run holds that.
pub async fn add_message(store: &Store, message: Message) -> Result<Message, Refused> {
    store
        .write(async move |tx| {
            if let Some(run) = holder(tx, &message.thread_id).await? {
                return Err(Refused::LockedForMessages { thread: message.thread_id, run });
            }
            tx.insert(&message).await?;
            Ok(message)
        })
        .await
}

/// The run that holds a thread, if one does.
pub(super) async fn holder(tx: &mut Tx<'_>, thread: &Id<Thread>) -> Result<Option<Id<Run>>, Refused> {
    tx.holder(thread).await?.ok_or_else(|| Refused::NoThread(thread.clone()))
}
