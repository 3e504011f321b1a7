//! Responses: the second view on the one machine.
//!
//! A response is performed as a run that no client sees. So conditions, templates, turns, faults
//! and upstreams are the same for both APIs. This module has the differences. `context.rs` has what
//! a response reads, `creation.rs` creates a response. `container.rs` selects the container of its
//! code interpreter. `objects.rs`, `event.rs` and `scripted_item.rs` make objects from the
//! machine's events. With `continuation.rs`, the next response continues the same reply.
//! `compaction.rs` shortens what the next one reads.

mod compaction;
mod container;
pub(super) mod context;
pub(super) mod continuation;
pub(super) mod creation;
pub(super) mod event;
pub(super) mod locks;
pub(super) mod objects;
mod open_item;
pub(super) mod record;
mod scripted_item;

pub use self::{
    creation::{ResponseOrder, ResponseSubject},
    locks::ConversationLock,
};
