//! How a request enters, is read and gets its response: the layers, the extractors and the forms of
//! responses. This module has no routes.

pub(crate) mod answer;
mod body_capture;
pub(crate) mod bounded_json;
mod chunks;
mod connection;
pub(crate) mod dialect;
pub(crate) mod endings;
pub(crate) mod error;
pub(crate) mod extract;
mod fault_effect;
pub(crate) mod faults;
pub(crate) mod form;
mod frames;
pub(crate) mod headers;
pub(crate) mod journal;
pub(crate) mod key;
pub(crate) mod listen;
pub(crate) mod observe;
pub(crate) mod observer;
pub(crate) mod origin_check;
pub(crate) mod paths;
pub(crate) mod session;
pub(crate) mod sse;
pub(crate) mod state;
mod uri;
pub(crate) mod work;

pub(crate) use self::{
    answer::{Answer, Polled},
    dialect::Dialect,
    error::ApiError,
    extract::{Found, PageQuery, PathAndBody, RequestContext},
    form::{Form, is_form},
    state::{AppState, SessionRequest},
};
