//! Who answers a run: the one boundary behind which fixtures stand.
//!
//! `begin` is asked once for each run and says who performs it; `next` is asked for cues whenever there
//! are none left. Whatever the performer is, the stage takes its cues the same way. A performance can be
//! noted down and taken up again after a restart.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    scene::Scene,
    script::{Script, TimedCue},
};
use crate::{
    fixture::{
        Fixtures, Outcome, Pace, Reply,
        matching::{Captures, Subject, Verdict},
        miss::{self, NearMiss, Reason},
        reply::Origin,
    },
    types::{reader, run::LastError},
};

/// What becomes of a run that no reply matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmatched {
    /// It repeats the user's message.
    Echo,
    /// It fails, and says which replies came near.
    Fail,
}

impl std::str::FromStr for Unmatched {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "echo" => Ok(Self::Echo),
            "fail" => Ok(Self::Fail),
            _ => Err("expected one of echo, fail".to_owned()),
        }
    }
}

/// The performer of one session.
pub struct Performer {
    fixtures: Arc<Fixtures>,
    unmatched: Unmatched,
    pace: Pace,
    /// How often each reply that has `times` was used, by its place.
    uses: Mutex<HashMap<usize, u64>>,
    echo: Arc<Reply>,
}

impl Performer {
    pub fn new(fixtures: Arc<Fixtures>, unmatched: Unmatched, pace: Pace) -> Self {
        Self { fixtures, unmatched, pace, uses: Mutex::default(), echo: Arc::new(echo()) }
    }

    /// Says who performs the run.
    pub(super) fn begin(&self, scene: &Scene<'_>) -> Performance {
        let (reply, captures) = scene.judged(|subject| self.choose(subject));
        Performance { pace: reply.pace.unwrap_or(self.pace), script: Script { reply, captures, entry: 0, query: None } }
    }

    /// The first reply that holds wins.
    fn choose(&self, subject: &Subject<'_>) -> (Arc<Reply>, Captures) {
        let mut near = Vec::new();
        for (index, reply) in self.fixtures.replies.iter().enumerate() {
            match reply.when.judge(subject) {
                Verdict::Holds(captures) if self.take(index, reply) => return (Arc::clone(reply), captures),
                Verdict::Holds(_) => {
                    near.push(NearMiss { reply, reason: Reason::UsedUp { times: reply.times.unwrap_or_default() } });
                }
                Verdict::Misses(misses) => near.push(NearMiss { reply, reason: Reason::Misses(misses) }),
            }
        }
        match self.unmatched {
            Unmatched::Echo => (Arc::clone(&self.echo), Captures::new()),
            Unmatched::Fail => {
                let error = LastError::server_error(miss::explain(subject, near));
                (Arc::new(failing(error)), Captures::new())
            }
        }
    }

    /// Uses a reply once more, unless it is used up.
    fn take(&self, index: usize, reply: &Reply) -> bool {
        let Some(times) = reply.times else { return true };
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        let used = uses.entry(index).or_default();
        let left = *used < times;
        *used += u64::from(left);
        left
    }
}

/// Repeats the user's message.
fn echo() -> Reply {
    let source = serde_json::json!({"steps": [{"message": "{{ message }}"}]});
    let mut reply: Reply = reader::read(source).expect("the echo is a reply");
    reply.origin.file = "echo".to_owned();
    reply
}

fn failing(error: LastError) -> Reply {
    let source = serde_json::json!({"outcome": {"failed": error}});
    let mut reply: Reply = reader::read(source).expect("a failure is a reply");
    reply.outcome = Outcome::Failed(error);
    reply
}

/// One run being performed.
pub(super) struct Performance {
    pub pace: Pace,
    script: Script,
}

/// A performance as it is noted down beside its run.
#[derive(Serialize, Deserialize)]
struct Note {
    reply: Value,
    origin: Origin,
    captures: Captures,
    entry: usize,
    #[serde(default)]
    query: Option<String>,
    pace: Pace,
    /// Cues that were written but not played.
    cues: VecDeque<TimedCue>,
}

impl Performance {
    /// Whether the next step searches in vector stores.
    pub(super) fn searches_next(&self) -> bool {
        self.script.searches_next()
    }

    /// What comes next, or nothing if nothing more will come.
    pub(super) async fn next(&mut self, scene: &Scene<'_>) -> Vec<TimedCue> {
        self.script.next(scene, self.pace.timing()).await
    }

    /// Notes the performance and the cues that are left.
    pub(super) fn note(&self, cues: &VecDeque<TimedCue>) -> String {
        let reply = &self.script.reply;
        let note = Note {
            reply: reply.source.clone(),
            origin: reply.origin.clone(),
            captures: self.script.captures.clone(),
            entry: self.script.entry,
            query: self.script.query.clone(),
            pace: self.pace,
            cues: cues.clone(),
        };
        serde_json::to_string(&note).expect("a note is JSON")
    }

    /// Takes up what was noted. None if this version does not understand it.
    pub(super) fn resume(note: &str) -> Option<(Self, VecDeque<TimedCue>)> {
        let Note { reply, origin, captures, entry, query, pace, cues } = serde_json::from_str(note).ok()?;
        let mut reply: Reply = reader::read(reply).ok()?;
        reply.origin = origin;
        Some((Self { pace, script: Script { reply: Arc::new(reply), captures, entry, query } }, cues))
    }
}
