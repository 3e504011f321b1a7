//! The performer of a run: the one boundary in front of the fixtures.
//!
//! Each run calls `begin` once. The result is data: the machine of the run keeps it, and passes it
//! to the script or the upstream that it names.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{
    memory::{AfterCues, Memory, Performance, Position},
    reply_usage::{ReplyUsage, UnmatchedRun},
    run_context::RunContext,
    script,
};
use crate::{
    fixture::{
        ActiveFixtures, Fixtures, Outcome, Pace, Reply,
        matching::{Captures, OwnedSubject, Subject},
        miss::{self, NearMiss},
    },
    types::{Id, Run, reader, run::LastError},
    upstream::{Noted, Upstream},
};

/// What happens to a run that no reply matches.
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

/// How to perform a run, if that is known before the search for a reply.
#[derive(Clone, Debug, Default)]
pub enum PerformerChoice {
    #[default]
    Any,
    /// By the reply of this name.
    Reply(String),
    /// By the reply of an earlier response, from the position where that one stopped.
    GoOn(Box<Performance>),
    /// It fails.
    Failure(LastError),
}

/// The performer of one session.
pub struct Performer {
    fixtures: Arc<ActiveFixtures>,
    reply_usage: Arc<ReplyUsage>,
    unmatched: Unmatched,
    pace: Pace,
    /// Replaces every other pace, while it is set.
    switched_pace: Mutex<Option<Pace>>,
    echo: Arc<Reply>,
    upstream: Option<Arc<Upstream>>,
}

/// The key of a run's metadata that names its reply.
pub const NAMED_BY: &str = "rehearsal_reply";

impl Performer {
    pub fn new(
        fixtures: Arc<ActiveFixtures>,
        reply_usage: Arc<ReplyUsage>,
        unmatched: Unmatched,
        pace: Pace,
        upstream: Option<Arc<Upstream>>,
    ) -> Self {
        Self {
            fixtures,
            reply_usage,
            unmatched,
            pace,
            switched_pace: Mutex::default(),
            echo: Arc::new(echo()),
            upstream,
        }
    }

    /// The pace of new runs whose replies set none.
    pub fn pace(&self) -> Pace {
        self.switched_pace.lock().unwrap_or(self.pace)
    }

    /// Sets another pace for all new runs, no matter what their replies say. `None` restores the
    /// server's own pace.
    pub fn switch_pace(&self, pace: Option<Pace>) {
        *self.switched_pace.lock() = pace;
    }

    /// Chooses the performer of the run: the reply that its client has named, or the first that
    /// matches.
    pub(super) fn begin(&self, context: &RunContext<'_>, wanted: &PerformerChoice) -> Performance {
        if let PerformerChoice::GoOn(performance) = wanted {
            self.note_again(performance, context.run);
            return (**performance).clone();
        }
        let named = context.run.metadata.get(NAMED_BY);
        let choose = |subject: &Subject<'_>| match (wanted, named) {
            (PerformerChoice::Failure(error), _) => {
                Some((Arc::new(failing(error.clone())), Captures::new()))
            }
            (PerformerChoice::Reply(name), _) => Some(self.take_named(name, subject, context.run)),
            (PerformerChoice::Any, Some(name)) => Some(self.take_named(name, subject, context.run)),
            (PerformerChoice::Any, None) => self.choose(subject, context.run),
            // Answered above.
            (PerformerChoice::GoOn(_), _) => None,
        };
        let chosen = context.with_subject(|subject| {
            if subject.message.map_or(0, str::len) > LONG {
                off_worker(|| choose(subject))
            } else {
                choose(subject)
            }
        });
        let Some((reply, captures)) = chosen else {
            // The upstream has its own pace. The server only decides whether the run waits for
            // polls.
            let pace = if self.pace() == Pace::Steps { Pace::Steps } else { Pace::Instant };
            let memory = Memory::Upstream(Noted::default());
            return Performance { pace, memory, then: AfterCues::More };
        };
        let switched = *self.switched_pace.lock();
        let pace = match switched.or(reply.pace).unwrap_or(self.pace) {
            Pace::Recorded => reply.timing.map_or(Pace::Instant, Pace::Timed),
            pace => pace,
        };
        let position = Position { reply, captures, entry: 0, query: None };
        let then = script::then(&position);
        Performance { pace, memory: Memory::Script(position), then }
    }

    /// Notes that a reply answers another response, without counting another use.
    fn note_again(&self, performance: &Performance, run: &Run) {
        if let Memory::Script(position) = &performance.memory
            && position.reply.origin.line > 0
        {
            self.reply_usage.answers(&run.id, &position.reply, false);
        }
    }

    pub(super) fn upstream(&self) -> Option<Arc<Upstream>> {
        self.upstream.clone()
    }

    /// The run, if no reply matched it.
    pub(super) fn unmatched(&self, run: &Id<Run>) -> Option<Arc<UnmatchedRun>> {
        self.reply_usage.unmatched_run(run)
    }

    /// Forgets the notes about a run that could not be written.
    pub(super) fn take_back(&self, run: &Id<Run>) {
        self.reply_usage.take_back(run);
    }

    /// The first reply that matches wins. If none matches, the upstream performs the run.
    fn choose(&self, subject: &Subject<'_>, run: &Run) -> Option<(Arc<Reply>, Captures)> {
        let sets = self.fixtures.sets();
        let candidates: Vec<_> = sets.iter().flat_map(|set| set.candidates(subject)).collect();
        let first = || self.first_that_holds(&candidates, subject, run);
        let found = if candidates.len() > MANY { off_worker(first) } else { first() };
        if found.is_some() {
            return found;
        }
        match self.unmatched {
            Unmatched::Upstream => None,
            Unmatched::Echo => {
                self.note(subject, run, sets, None, OnceLock::new());
                Some((Arc::clone(&self.echo), Captures::new()))
            }
            Unmatched::Fail => {
                let near = miss::near(subject, &sets);
                let error = LastError::server_error(miss::explain(subject.message, &near));
                self.note(subject, run, sets, None, OnceLock::from(near));
                Some((Arc::new(failing(error)), Captures::new()))
            }
        }
    }

    /// The first reply that matches, or a reply that says that the search takes too long.
    fn first_that_holds(
        &self,
        candidates: &[&Arc<Reply>],
        subject: &Subject<'_>,
        run: &Run,
    ) -> Option<(Arc<Reply>, Captures)> {
        let end = Instant::now() + PATIENCE;
        for reply in candidates {
            if let Some(captures) = reply.when.admits(subject)
                && self.reply_usage.take(reply)
            {
                self.reply_usage.answers(&run.id, reply, true);
                return Some((Arc::clone(reply), captures));
            }
            if Instant::now() > end {
                let error = LastError::server_error(too_slow(reply));
                return Some((Arc::new(failing(error)), Captures::new()));
            }
        }
        None
    }

    /// The reply that the client names, without a check of its conditions.
    fn take_named(&self, name: &str, subject: &Subject<'_>, run: &Run) -> (Arc<Reply>, Captures) {
        let mut near = Vec::new();
        if let Some(reply) = self.fixtures.named(name) {
            if self.reply_usage.take(&reply) {
                self.reply_usage.answers(&run.id, &reply, true);
                let captures = reply.when.captures(subject);
                return (reply, captures);
            }
            near.push(NearMiss { reply, used_up: true, misses: Vec::new() });
        }
        let sets = self.fixtures.sets();
        let known: Vec<_> = sets
            .iter()
            .flat_map(|set| &set.replies)
            .filter_map(|reply| reply.name.as_deref())
            .collect();
        let explanation = miss::explain_named(name, &known, &near);
        let error = LastError::server_error(explanation);
        self.note(subject, run, Vec::new(), Some(name.to_owned()), OnceLock::from(near));
        (Arc::new(failing(error)), Captures::new())
    }

    fn note(
        &self,
        subject: &Subject<'_>,
        run: &Run,
        sets: Vec<Arc<Fixtures>>,
        named: Option<String>,
        nearest: OnceLock<Vec<NearMiss>>,
    ) {
        self.reply_usage.misses(UnmatchedRun {
            run: run.id.clone(),
            thread: Some(run.thread_id.clone()).filter(|id| !id.as_str().is_empty()),
            created_at: run.created_at,
            subject: OwnedSubject::new(subject),
            sets,
            named,
            nearest,
        });
    }
}

/// From so many bytes on, the search in a message is slow.
const LONG: usize = 16 << 10;

/// How many replies can be tried on a worker thread that others need.
const MANY: usize = 32;

/// Does slow work where it blocks no other session.
fn off_worker<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    match flavor {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// How long the search may try replies for one run.
const PATIENCE: Duration = Duration::from_secs(5);

fn too_slow(reply: &Reply) -> String {
    format!(
        "The conditions of the fixtures take longer than {} s for this run. The last one was that \
         of {}. A pattern is fast if each match has a literal text in it, such as 'order #\\d+'.",
        PATIENCE.as_secs(),
        reply.title()
    )
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
