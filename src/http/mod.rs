//! The manners of the wire, and no routes: how a request is let in, read and answered.

pub mod answer;
pub mod door;
pub mod error;
pub mod extract;
pub mod guard;
pub mod key;
pub mod sse;

pub use self::{
    answer::{Answer, Polled},
    error::ApiError,
    extract::{Asked, Found, Here, PageQuery},
};
