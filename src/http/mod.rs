//! How a request is let in, read and answered: the layers that it passes, the extractors and the
//! shapes of answers. No routes.

pub(crate) mod answer;
mod chunks;
mod damage;
pub(crate) mod endings;
pub(crate) mod error;
pub(crate) mod extract;
pub(crate) mod faults;
pub(crate) mod form;
mod frames;
pub(crate) mod headers;
pub(crate) mod journal;
pub(crate) mod key;
pub(crate) mod listen;
pub(crate) mod manner;
pub(crate) mod origin;
pub(crate) mod paths;
pub(crate) mod session;
pub(crate) mod sse;
pub(crate) mod state;
mod tee;
mod uri;
pub(crate) mod work;

pub(crate) use self::{
    answer::{Answer, Polled},
    error::ApiError,
    extract::{Asked, Found, Here, PageQuery},
    form::Form,
    manner::Manner,
    state::AppState,
};
