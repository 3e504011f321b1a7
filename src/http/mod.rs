//! The manners of the wire, and no routes: how a request is let in, read and answered.

pub(crate) mod answer;
mod chunks;
mod damage;
pub(crate) mod door;
pub(crate) mod error;
pub(crate) mod extract;
mod faults;
pub(crate) mod form;
pub(crate) mod guard;
mod journal;
pub(crate) mod key;
pub(crate) mod listen;
pub(crate) mod manner;
pub(crate) mod sse;
mod tee;

pub(crate) use self::{
    answer::{Answer, Polled},
    error::ApiError,
    extract::{Asked, Found, Here, PageQuery},
    form::Form,
    manner::Manner,
};
