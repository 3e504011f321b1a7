//! The lock on a conversation: while a response is under way, no other one and no item is added.
//!
//! Every response that is under way has a task in this process, so memory is enough.

use std::{collections::HashSet, sync::Arc};

use parking_lot::Mutex;

use crate::types::{Conversation, Id};

/// The conversations that a response works on.
#[derive(Clone, Default)]
pub(in super::super) struct ConversationLocks(Arc<Mutex<HashSet<Id<Conversation>>>>);

/// A conversation that is locked as long as this lives.
pub struct ConversationLock {
    locks: ConversationLocks,
    conversation: Id<Conversation>,
}

impl ConversationLocks {
    /// Locks a conversation. None if it is locked already.
    pub(in super::super) fn lock(&self, of: &Id<Conversation>) -> Option<ConversationLock> {
        let is_free = self.0.lock().insert(of.clone());
        is_free.then(|| ConversationLock { locks: self.clone(), conversation: of.clone() })
    }
}

impl Drop for ConversationLock {
    fn drop(&mut self) {
        self.locks.0.lock().remove(&self.conversation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_is_locked_once_at_a_time() {
        let (locks, id) = (ConversationLocks::default(), Id::new("conv_a"));
        let lock = locks.lock(&id);
        assert!(lock.is_some() && locks.lock(&id).is_none());
        assert!(locks.lock(&Id::new("conv_b")).is_some());
        drop(lock);
        assert!(locks.lock(&id).is_some());
    }
}
