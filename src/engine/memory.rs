//! The memory of a performer between two answers: the position in a script, or the number of
//! requests to an upstream. It is data and is stored with the run, so that any process can
//! continue.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::Value;

use super::cue::TimedCue;
use crate::{
    fixture::{Pace, Reply, matching::Captures, reply::Origin},
    types::{reader, run::LastError},
    upstream::Noted,
};

/// The performer of a run, and its settings.
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
            // An echo has no place in a file, nor does the failure of a run that nothing matched.
            Memory::Script(Position { reply, .. }) if reply.origin.line > 0 => Some(reply.called()),
            Memory::Script(_) | Memory::Upstream(_) => None,
        }
    }

    /// Whether a cancel during the performance comes too late.
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
    /// The error of a run if the process ends during an answer of the performer. A script can
    /// continue; the answer of an upstream is lost.
    pub(super) fn lost(&self) -> Option<LastError> {
        let why = "The server restarted while the upstream answered.";
        matches!(self, Self::Upstream(_)).then(|| LastError::server_error(why))
    }
}

/// The next action after the cues of a performer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AfterCues {
    /// The machine can ask the performer again.
    More,
    /// The machine can ask the performer again once the files of the run's stores are ready: the
    /// next step searches them.
    Search,
    /// The upstream has to answer first.
    Wait,
    /// Nothing follows: the run hangs.
    Silence,
}

/// A performer's answer.
#[derive(Clone, Debug)]
pub(super) struct Cues {
    pub cues: Vec<TimedCue>,
    pub memory: Memory,
    pub then: AfterCues,
}

/// The position of a script in a reply.
#[derive(Clone, Debug)]
pub(super) struct Position {
    pub reply: Arc<Reply>,
    pub captures: Captures,
    /// The next entry.
    pub entry: usize,
    /// The query of the last search.
    pub query: Option<String>,
}

/// The stored form of a position. It has the source of its reply, so that a run keeps its first
/// reply when the fixture changes.
#[derive(Serialize, Deserialize)]
struct Written<'a> {
    reply: Cow<'a, Value>,
    origin: Cow<'a, Origin>,
    captures: Cow<'a, Captures>,
    entry: usize,
    query: Option<Cow<'a, str>>,
}

impl Position {
    /// Reads a position. `None` if this version does not understand the reply.
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
