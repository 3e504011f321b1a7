//! Who answers a run: the one boundary behind which fixtures stand.
//!
//! `begin` is asked once for each run and says who performs it; `next` is asked for cues whenever there
//! are none left. Whatever the performer is, the stage takes its cues the same way. A performance can be
//! noted down and taken up again after a restart.

use std::{collections::VecDeque, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Wanted,
    ledger::{Ledger, UnmatchedRun},
    scene::Scene,
    script::{Script, TimedCue},
};
use crate::{
    fixture::{
        Outcome, Pace, Repertoire, Reply,
        matching::{Captures, Subject},
        miss::{self, NearMiss},
        reply::Origin,
    },
    types::{Run, reader, run::LastError},
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
    repertoire: Arc<Repertoire>,
    ledger: Arc<Ledger>,
    unmatched: Unmatched,
    pace: Pace,
    echo: Arc<Reply>,
}

/// The key of a run's metadata that names its reply.
const NAMED_BY: &str = "rehearsal_reply";

impl Performer {
    pub fn new(repertoire: Arc<Repertoire>, ledger: Arc<Ledger>, unmatched: Unmatched, pace: Pace) -> Self {
        Self { repertoire, ledger, unmatched, pace, echo: Arc::new(echo()) }
    }

    /// Says who performs the run: the reply that its client has named, or the first that holds.
    pub(super) fn begin(&self, scene: &Scene<'_>, wanted: &Wanted) -> Performance {
        let named = scene.run.metadata.get(NAMED_BY);
        let (reply, captures) = scene.judged(|subject| match (wanted, named) {
            (Wanted::Failure(error), _) => (Arc::new(failing(error.clone())), Captures::new()),
            (Wanted::Reply(name), _) => self.take_named(name, subject, scene.run),
            (Wanted::Any, Some(name)) => self.take_named(name, subject, scene.run),
            (Wanted::Any, None) => self.choose(subject, scene.run),
        });
        let pace = reply.pace.unwrap_or(self.pace);
        Performance { pace, script: Script { reply, captures, entry: 0, query: None, too_late: false } }
    }

    /// The first reply that holds wins.
    fn choose(&self, subject: &Subject<'_>, run: &Run) -> (Arc<Reply>, Captures) {
        let sets = self.repertoire.sets();
        for reply in sets.iter().flat_map(|set| set.candidates(subject)) {
            if let Some(captures) = reply.when.admits(subject)
                && self.ledger.take(reply)
            {
                self.ledger.answers(&run.id, reply);
                return (Arc::clone(reply), captures);
            }
        }
        let near = miss::near(subject, &sets);
        let explanation = miss::explain(subject.message, &near);
        self.miss(subject, run, near, explanation)
    }

    /// The reply that the client asks for, whatever its conditions.
    fn take_named(&self, name: &str, subject: &Subject<'_>, run: &Run) -> (Arc<Reply>, Captures) {
        let mut near = Vec::new();
        if let Some(reply) = self.repertoire.named(name) {
            if self.ledger.take(&reply) {
                self.ledger.answers(&run.id, &reply);
                let captures = reply.when.captures(subject);
                return (reply, captures);
            }
            near.push(NearMiss { reply, used_up: true, misses: Vec::new() });
        }
        let sets = self.repertoire.sets();
        let known: Vec<_> = sets.iter().flat_map(|set| &set.replies).filter_map(|reply| reply.name.as_deref()).collect();
        let explanation = miss::explain_named(name, &known, &near);
        let error = LastError::server_error(explanation);
        self.note(subject, run, near, miss::stub_named(name));
        (Arc::new(failing(error)), Captures::new())
    }

    fn miss(&self, subject: &Subject<'_>, run: &Run, near: Vec<NearMiss>, explanation: String) -> (Arc<Reply>, Captures) {
        self.note(subject, run, near, miss::stub(subject.message));
        match self.unmatched {
            Unmatched::Echo => (Arc::clone(&self.echo), Captures::new()),
            Unmatched::Fail => (Arc::new(failing(LastError::server_error(explanation))), Captures::new()),
        }
    }

    fn note(&self, subject: &Subject<'_>, run: &Run, nearest: Vec<NearMiss>, stub: String) {
        self.ledger.misses(UnmatchedRun {
            object: "unmatched",
            run: run.id.clone(),
            thread: run.thread_id.clone(),
            created_at: run.created_at,
            message: subject.message.map(str::to_owned),
            nearest,
            stub,
        });
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
    #[serde(default)]
    too_late: bool,
    pace: Pace,
    /// Cues that were written but not played.
    cues: VecDeque<TimedCue>,
}

impl Performance {
    /// Whether the next step searches in vector stores.
    pub(super) fn searches_next(&self) -> bool {
        self.script.searches_next()
    }

    /// A cancel comes: whether it comes too late. What functions would have answered is left out then.
    pub(super) fn is_too_late_to_cancel(&mut self) -> bool {
        self.script.too_late = self.script.reply.late_cancel;
        self.script.too_late
    }

    /// Whether it goes on although the run is being cancelled.
    pub(super) fn goes_on(&self) -> bool {
        self.script.too_late
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
            too_late: self.script.too_late,
            pace: self.pace,
            cues: cues.clone(),
        };
        serde_json::to_string(&note).expect("a note is JSON")
    }

    /// Takes up what was noted. None if this version does not understand it.
    pub(super) fn resume(note: &str) -> Option<(Self, VecDeque<TimedCue>)> {
        let Note { reply, origin, captures, entry, query, too_late, pace, cues } = serde_json::from_str(note).ok()?;
        let mut reply: Reply = reader::read(reply).ok()?;
        reply.origin = origin;
        Some((Self { pace, script: Script { reply: Arc::new(reply), captures, entry, query, too_late } }, cues))
    }
}
