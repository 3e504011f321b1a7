//! What a performer has to remember between two answers: where in a script it is, or how often
//! it has asked an upstream. It is data, kept beside the run, so that any process can go on.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::Value;

use super::cue::TimedCue;
use crate::{
    fixture::{Pace, Reply, matching::Captures, reply::Origin},
    types::{reader, run::LastError},
    upstream::Noted,
};

/// Who performs a run, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Performance {
    pub(super) pace: Pace,
    pub(super) memory: Memory,
    pub(super) then: AfterCues,
}

impl Performance {
    /// The reply of the fixtures that performs, if one does.
    pub(super) fn reply(&self) -> Option<String> {
        match &self.memory {
            // An echo, or the failure of a run that nothing matched, is nowhere.
            Memory::Script(Position { reply, .. }) if reply.origin.line > 0 => Some(reply.called()),
            Memory::Script(_) | Memory::Upstream(_) => None,
        }
    }

    /// Whether a cancel that comes while it performs comes too late.
    pub(super) fn cancels_late(&self) -> bool {
        matches!(&self.memory, Memory::Script(position) if position.reply.late_cancel)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Memory {
    Script(Position),
    Upstream(Noted),
}

impl Memory {
    /// What a run fails with if the process ends while its performer speaks: a script can go on, an
    /// upstream's answer is lost.
    pub(super) fn lost(&self) -> Option<LastError> {
        let why = "The server was started again while the upstream was answering.";
        matches!(self, Self::Upstream(_)).then(|| LastError::server_error(why))
    }
}

/// What comes behind the cues that a performer gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AfterCues {
    /// The performer can be asked again.
    More,
    /// It can be asked again once the files of the run's stores are ready: it will search them.
    Search,
    /// Somebody else has to speak first.
    Wait,
    /// Nothing more: the run hangs.
    Silence,
}

/// A performer's answer.
#[derive(Clone, Debug)]
pub(super) struct Cues {
    pub cues: Vec<TimedCue>,
    pub memory: Memory,
    pub then: AfterCues,
}

/// Where in a reply a script is.
#[derive(Clone, Debug)]
pub(super) struct Position {
    pub reply: Arc<Reply>,
    pub captures: Captures,
    /// The entry that comes next.
    pub entry: usize,
    /// What was searched for last.
    pub query: Option<String>,
}

/// A position as it is written: with the source of its reply, so that a run keeps the reply it
/// began with when the fixture changes.
#[derive(Serialize, Deserialize)]
struct Written<'a> {
    reply: Cow<'a, Value>,
    origin: Cow<'a, Origin>,
    captures: Cow<'a, Captures>,
    entry: usize,
    query: Option<Cow<'a, str>>,
}

impl Position {
    /// Reads a position. None if this version does not understand the reply.
    pub(super) fn read(
        source: Value,
        origin: Origin,
        captures: Captures,
        entry: usize,
        query: Option<String>,
    ) -> Option<Self> {
        let mut reply: Reply = reader::read(source).ok()?;
        reply.origin = origin;
        Some(Self { reply: Arc::new(reply), captures, entry, query })
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = Written {
            reply: Cow::Borrowed(&self.reply.source),
            origin: Cow::Borrowed(&self.reply.origin),
            captures: Cow::Borrowed(&self.captures),
            entry: self.entry,
            query: self.query.as_deref().map(Cow::Borrowed),
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { reply, origin, captures, entry, query } = Written::deserialize(deserializer)?;
        let query = query.map(Cow::into_owned);
        Self::read(reply.into_owned(), origin.into_owned(), captures.into_owned(), entry, query)
            .ok_or_else(|| D::Error::custom("the reply is none that this version understands"))
    }
}
