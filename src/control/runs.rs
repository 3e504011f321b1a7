//! The runs of a session, in all threads: the question of each, its progress, and the reply that
//! answered it.

use std::collections::{HashMap, HashSet};

use axum::{Router, routing::get};
use serde::Serialize;

use super::Query;
use crate::{
    fixture::reply::ReplyPlace,
    http::{Answer, ApiError, AppState, PageQuery, error::Result, extract::InSession},
    session::{OpenSession, SessionState},
    store::{Paged, RunBackground},
    types::{Id, List, Run, RunStatus, Thread, Timestamp},
};

/// How many characters of a run's question are shown.
const SHOWN: usize = 200;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/runs", get(list))
}

/// A run in one line.
#[derive(Serialize)]
struct RunSummary {
    object: &'static str,
    run: Id<Run>,
    thread: Id<Thread>,
    created_at: Timestamp,
    status: RunStatus,
    /// The statuses that it has had, in order, with the current one at the end.
    walk: Vec<RunStatus>,
    assistant: AssistantSummary,
    /// How the user's message begins.
    message: Option<String>,
    reply: Option<ReplyPlace>,
    unmatched: bool,
}

#[derive(Serialize)]
struct AssistantSummary {
    id: String,
    name: Option<String>,
}

async fn list(
    InSession(session): InSession,
    query: Query,
    PageQuery { page, .. }: PageQuery,
) -> Result<Answer<List<RunSummary>>> {
    query.only(&["thread", "limit", "order", "after", "before"])?;
    let (state, thread) = (session.state(), query.get("thread"));
    let within = thread.map(|thread| ("thread_id", thread));
    let page = match state.store.list::<Run>(within.as_slice(), &page).await? {
        Paged::Page(page) => page,
        Paged::UnknownCursor(id) => {
            let ids = thread.into_iter().map(str::to_owned).chain([id]);
            return Err(ApiError::missing::<Run>(&ids.collect::<Vec<_>>()));
        }
    };
    let mut backgrounds = state.store.run_backgrounds(&page.items).await?;
    let known = KnownRuns::new(&session, &state, &page.items);
    Ok(Answer(List::from_page(page, |run| {
        let background = backgrounds.remove(run.id.as_str()).unwrap_or_default();
        known.summary(&state, run, background)
    })))
}

/// Facts about runs that are in memory, beside those in the store.
struct KnownRuns {
    asked: HashMap<String, String>,
    unmatched: HashSet<Id<Run>>,
}

impl KnownRuns {
    fn new(session: &OpenSession, state: &SessionState, runs: &[Run]) -> Self {
        let shown: HashSet<&str> = runs.iter().map(|run| run.id.as_str()).collect();
        let mut asked = HashMap::new();
        for kept in session.turns.turns() {
            if !shown.contains(kept.turn.run.as_str()) {
                continue;
            }
            if let Some(message) = kept.turn.asked.message() {
                asked.insert(kept.turn.run.clone(), kept.clean(&beginning(message)));
            }
        }
        let mut unmatched = state.reply_usage.unmatched();
        unmatched.retain(|run| shown.contains(run.run.as_str()));
        for run in &unmatched {
            if let Some(message) = run.message() {
                let mut message = beginning(message);
                session.keys.now().clean_text(&mut message);
                asked.insert(run.run.to_string(), message);
            }
        }
        Self { asked, unmatched: unmatched.iter().map(|run| run.run.clone()).collect() }
    }

    fn summary(&self, state: &SessionState, run: Run, background: RunBackground) -> RunSummary {
        let RunBackground { assistant, message: stored, actions, answered } = background;
        let asked = self.asked.get(run.id.as_str()).cloned();
        let reply = state.reply_usage.reply_of(&run.id).map(|reply| reply.place());
        RunSummary {
            object: "run.summary",
            thread: run.thread_id.clone(),
            created_at: run.created_at,
            status: run.status(),
            walk: walk(&run, actions, actions > answered),
            assistant: AssistantSummary { id: run.assistant_id.to_string(), name: assistant },
            message: asked.or(stored),
            reply,
            unmatched: self.unmatched.contains(&run.id),
            run: run.id,
        }
    }
}

fn beginning(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// The statuses of a run, derived from its stored data. Each of its `actions` has asked the client
/// for outputs once. If the run `waited`, the last action has no outputs.
fn walk(run: &Run, actions: usize, waited: bool) -> Vec<RunStatus> {
    let mut walk = vec![RunStatus::Queued];
    if run.started_at.is_some() {
        walk.push(RunStatus::InProgress);
    }
    for _ in 0..actions {
        walk.extend([RunStatus::RequiresAction, RunStatus::Queued, RunStatus::InProgress]);
    }
    let status = run.status();
    if waited {
        // The last action has no outputs: the run waits for them, or ended without them.
        walk.truncate(walk.len() - 2);
    } else if actions > 0 && status == RunStatus::Queued {
        walk.pop();
    }
    if walk.last() != Some(&status) {
        walk.push(status);
    }
    walk
}
