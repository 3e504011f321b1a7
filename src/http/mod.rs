//! The manners of the wire, and no routes: how a request is let in, read and answered.

pub(crate) mod answer;
pub(crate) mod door;
pub(crate) mod error;
pub(crate) mod extract;
pub(crate) mod form;
pub(crate) mod guard;
pub(crate) mod key;
pub(crate) mod sse;

pub(crate) use self::{
    answer::{Answer, Polled},
    error::ApiError,
    extract::{Asked, Found, Here, PageQuery},
    form::Form,
};
