//! The data beside a response in progress, with which another process can continue it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    super::event::LoggedEvent, context::ResponseInputs, continuation::Round, open_item::OpenItem,
};
use crate::{
    turns::AskedMessage,
    types::{Message, Run, Step, tool::FunctionCall},
};

/// Written once, with the response: the data that a restart cannot look up.
#[derive(Serialize, Deserialize)]
pub(in super::super) struct Setting {
    pub turn: i64,
    pub question: Option<Message>,
    pub messages: Vec<AskedMessage>,
    pub of_response: ResponseInputs,
    pub answered: Vec<Round>,
    pub pads: bool,
}

/// How far a response has come.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in super::super) struct Progress {
    pub(super) open: Option<OpenItem>,
    /// How many items it has begun, and how many events it has sent.
    pub(super) items: usize,
    pub(super) events: u64,
    pub(super) reasoning_tokens: u64,
    /// The calls whose outputs the client owes.
    pub(super) asked: Vec<FunctionCall>,
    /// All events, if clients can request them again.
    pub(super) log: Option<Vec<LoggedEvent>>,
}

impl Progress {
    /// The progress of a response with so many items before its first one.
    pub(super) fn behind(items: usize, log: Option<Vec<LoggedEvent>>) -> Self {
        Self { items, log, ..Self::default() }
    }
}

/// Written with every commit: the response's progress, and the run that performers see.
#[derive(Serialize, Deserialize)]
pub(in super::super) struct Record<'r> {
    pub progress: Cow<'r, Progress>,
    pub run: Cow<'r, Run>,
    pub steps: Cow<'r, [Step]>,
    pub message: Option<Cow<'r, Message>>,
}
