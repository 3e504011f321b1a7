//! Responses: the second view on the one machine.
//!
//! A response is performed as a run that nobody sees. So conditions, templates, turns, faults and
//! upstreams are the same for both APIs. What differs is here: what a response reads
//! (`context.rs`), how it is created (`creation.rs`), which container its code interpreter has (`container.rs`), what it makes of the machine's events
//! (`objects.rs`, `event.rs`, `scripted_item.rs`), and how the next response goes on with its reply
//! (`continuation.rs`). `compaction.rs` shortens what the next one reads.

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
