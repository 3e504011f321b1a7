//! Who answers a run: the one boundary behind which fixtures stand.
//!
//! `begin` is asked once for each run and says who performs it; `next` is asked for cues whenever
//! there are none left. Whatever the performer is, the stage takes its cues the same way. A
//! performance can be noted down and taken up again after a restart.

use std::{collections::VecDeque, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Wanted,
    ledger::{Ledger, UnmatchedRun},
    remote::{self, Remote},
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
    types::{
        Run, RunStatus, Usage, reader,
        run::{LastError, Performed},
    },
    upstream::{Noted, Upstream},
};

/// What becomes of a run that no reply matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmatched {
    /// It repeats the user's message.
    Echo,
    /// It fails, and says which replies came near.
    Fail,
    /// An upstream performs it.
    Upstream,
}

impl std::str::FromStr for Unmatched {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "echo" => Ok(Self::Echo),
            "fail" => Ok(Self::Fail),
            "upstream" => Ok(Self::Upstream),
            _ => Err("expected one of echo, fail, upstream".to_owned()),
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
    upstream: Option<Arc<Upstream>>,
}

/// The key of a run's metadata that names its reply.
const NAMED_BY: &str = "rehearsal_reply";

impl Performer {
    pub fn new(
        repertoire: Arc<Repertoire>,
        ledger: Arc<Ledger>,
        unmatched: Unmatched,
        pace: Pace,
        upstream: Option<Arc<Upstream>>,
    ) -> Self {
        Self { repertoire, ledger, unmatched, pace, echo: Arc::new(echo()), upstream }
    }

    /// Says who performs the run: the reply that its client has named, or the first that holds.
    pub(super) fn begin(&self, scene: &Scene<'_>, wanted: &Wanted) -> Performance {
        let named = scene.run.metadata.get(NAMED_BY);
        let chosen = scene.judged(|subject| match (wanted, named) {
            (Wanted::Failure(error), _) => {
                Some((Arc::new(failing(error.clone())), Captures::new()))
            }
            (Wanted::Reply(name), _) => Some(self.take_named(name, subject, scene.run)),
            (Wanted::Any, Some(name)) => Some(self.take_named(name, subject, scene.run)),
            (Wanted::Any, None) => self.choose(subject, scene.run),
        });
        let Some((reply, captures)) = chosen else {
            // It has a pace of its own; only whether it waits for polls is for the server to say.
            let pace = if self.pace == Pace::Steps { Pace::Steps } else { Pace::Instant };
            return Performance {
                pace,
                by: By::Upstream(Box::new(Remote::new(self.upstream.clone(), Noted::default()))),
            };
        };
        let pace = match reply.pace.unwrap_or(self.pace) {
            Pace::Recorded => reply.timing.map_or(Pace::Instant, Pace::Timed),
            pace => pace,
        };
        Performance {
            pace,
            by: By::Script(Script { reply, captures, entry: 0, query: None, too_late: false }),
        }
    }

    /// The first reply that holds wins. None of them, and the upstream performs the run.
    fn choose(&self, subject: &Subject<'_>, run: &Run) -> Option<(Arc<Reply>, Captures)> {
        let sets = self.repertoire.sets();
        for reply in sets.iter().flat_map(|set| set.candidates(subject)) {
            if let Some(captures) = reply.when.admits(subject)
                && self.ledger.take(reply)
            {
                self.ledger.answers(&run.id, reply);
                return Some((Arc::clone(reply), captures));
            }
        }
        if self.unmatched == Unmatched::Upstream {
            return None;
        }
        let near = miss::near(subject, &sets);
        let explanation = miss::explain(subject.message, &near);
        Some(self.miss(subject, run, near, explanation))
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
        let known: Vec<_> = sets
            .iter()
            .flat_map(|set| &set.replies)
            .filter_map(|reply| reply.name.as_deref())
            .collect();
        let explanation = miss::explain_named(name, &known, &near);
        let error = LastError::server_error(explanation);
        self.note(subject, run, near, miss::stub_named(name));
        (Arc::new(failing(error)), Captures::new())
    }

    fn miss(
        &self,
        subject: &Subject<'_>,
        run: &Run,
        near: Vec<NearMiss>,
        explanation: String,
    ) -> (Arc<Reply>, Captures) {
        self.note(subject, run, near, miss::stub(subject.message));
        match self.unmatched {
            Unmatched::Echo => (Arc::clone(&self.echo), Captures::new()),
            Unmatched::Fail | Unmatched::Upstream => {
                (Arc::new(failing(LastError::server_error(explanation))), Captures::new())
            }
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
    by: By,
}

/// Who performs it.
enum By {
    Script(Script),
    Upstream(Box<Remote>),
}

/// A performance as it is noted down beside its run.
#[derive(Serialize, Deserialize)]
struct Note {
    #[serde(flatten)]
    by: NotedBy,
    pace: Pace,
    /// Cues that were written but not played.
    cues: VecDeque<TimedCue>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum NotedBy {
    Script {
        reply: Value,
        origin: Origin,
        captures: Captures,
        entry: usize,
        #[serde(default)]
        query: Option<String>,
        #[serde(default)]
        too_late: bool,
    },
    Upstream {
        upstream: Noted,
    },
}

impl Performance {
    /// Whether the next step searches in vector stores.
    pub(super) fn searches_next(&self) -> bool {
        matches!(&self.by, By::Script(script) if script.searches_next())
    }

    /// A cancel comes: whether it comes too late. What functions would have answered is left out
    /// then.
    pub(super) fn is_too_late_to_cancel(&mut self) -> bool {
        match &mut self.by {
            By::Script(script) => {
                script.too_late = script.reply.late_cancel;
                script.too_late
            }
            By::Upstream(_) => false,
        }
    }

    /// Whether it goes on although the run is being cancelled.
    pub(super) fn goes_on(&self) -> bool {
        matches!(&self.by, By::Script(script) if script.too_late)
    }

    /// What comes next, or nothing if nothing more will come, or is being waited for.
    pub(super) async fn next(&mut self, scene: &Scene<'_>) -> Vec<TimedCue> {
        match &mut self.by {
            By::Script(script) => script.next(scene, self.pace.timing()).await,
            By::Upstream(remote) => remote.next(scene).await,
        }
    }

    /// Whether somebody else has to say something first.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(&self.by, By::Upstream(remote) if remote.is_waiting())
    }

    /// Whether there is more to come, at once or later.
    pub(super) fn has_more(&self) -> bool {
        matches!(self.by, By::Upstream(_))
    }

    /// Waits until whoever is waited for says something.
    pub(super) async fn arrive(&mut self) {
        if let By::Upstream(remote) = &mut self.by {
            remote.arrive().await;
        }
    }

    /// The run is over for its performer: what it would still say is not wanted.
    pub(super) fn give_up(&mut self) {
        if let By::Upstream(remote) = &mut self.by {
            remote.give_up();
        }
    }

    /// What is known of how an upstream performed the run, if one did.
    pub(super) fn performed(&self) -> Option<Performed> {
        match &self.by {
            By::Script(_) => None,
            By::Upstream(remote) => remote.performed(),
        }
    }

    /// What was reported of the step that is open.
    pub(super) fn reported(&self) -> Option<Usage> {
        match &self.by {
            By::Script(_) => None,
            By::Upstream(remote) => remote.noted().usage,
        }
    }

    /// Notes the performance and the cues that are left.
    pub(super) fn note(&self, cues: &VecDeque<TimedCue>) -> String {
        let by = match &self.by {
            By::Script(script) => NotedBy::Script {
                reply: script.reply.source.clone(),
                origin: script.reply.origin.clone(),
                captures: script.captures.clone(),
                entry: script.entry,
                query: script.query.clone(),
                too_late: script.too_late,
            },
            By::Upstream(remote) => NotedBy::Upstream { upstream: remote.noted().clone() },
        };
        serde_json::to_string(&Note { by, pace: self.pace, cues: cues.clone() })
            .expect("a note is JSON")
    }
}

impl Performer {
    /// Takes up what was noted. None if this version does not understand it.
    pub(super) fn resume(
        &self,
        note: &str,
        run: &Run,
    ) -> Option<(Performance, VecDeque<TimedCue>)> {
        let Note { by, pace, cues } = serde_json::from_str(note).ok()?;
        match by {
            NotedBy::Script { reply, origin, captures, entry, query, too_late } => {
                let mut reply: Reply = reader::read(reply).ok()?;
                reply.origin = origin;
                let script = Script { reply: Arc::new(reply), captures, entry, query, too_late };
                Some((Performance { pace, by: By::Script(script) }, cues))
            }
            NotedBy::Upstream { upstream } => {
                let remote = Remote::new(self.upstream.clone(), upstream);
                let cues =
                    if run.status() == RunStatus::InProgress { remote::broken_off() } else { cues };
                Some((Performance { pace, by: By::Upstream(Box::new(remote)) }, cues))
            }
        }
    }
}
