//! Reports of the events in some sessions: a page for people, JUnit XML for CI servers, JSON for
//! tools.
//!
//! Secrets are removed before a report is made. Texts of clients and fixtures are data in all three
//! formats: they can neither break a document nor run in it.

mod answers;
mod junit;
mod page;

use std::{path::Path, sync::Arc};

use serde::Serialize;
use serde_json::{Value, json};

use self::answers::Answers;
use crate::{
    app::App, engine::UnmatchedRun, fixture::miss::NearMiss, session::OpenSession,
    verification::Verification,
};

/// The events in some sessions.
#[derive(Serialize)]
pub struct Report {
    object: &'static str,
    /// The turns of all sessions in their order, each with the name of its session.
    data: Vec<Value>,
    has_more: bool,
    /// The runs that no reply matched, each with the name of its session.
    unmatched: Vec<UnmatchedEntry>,
    verification: Option<Verification>,
    /// The answers that the page would request from a server.
    #[serde(skip)]
    answers: Answers,
}

/// The format of a report. The extension of the file decides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportFormat {
    Html,
    Junit,
    Json,
}

impl ReportFormat {
    /// The format of a file, by its extension.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "html" => Some(Self::Html),
            "xml" => Some(Self::Junit),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

impl Report {
    pub fn new(sessions: &[Arc<OpenSession>], verification: Option<Verification>) -> Self {
        let turns = sessions.iter().flat_map(|session| {
            let shown = session.turns.turns().into_iter();
            shown.map(|kept| (kept.place, in_session(session, kept.to_json())))
        });
        let mut turns: Vec<_> = turns.collect();
        turns.sort_by_key(|(place, _)| *place);
        let unmatched = sessions.iter().flat_map(|session| {
            let runs = session.state().reply_usage.unmatched().into_iter();
            runs.map(|run| UnmatchedEntry::new(session, &run))
        });
        Self {
            object: "list",
            data: turns.into_iter().map(|(_, shown)| shown).collect(),
            has_more: false,
            unmatched: unmatched.collect(),
            verification,
            answers: Answers::default(),
        }
    }

    /// The same report, with all data for the Playground in its page.
    pub async fn with_answers(self, app: &App, key: &str, sessions: &[Arc<OpenSession>]) -> Self {
        Self { answers: Answers::collect(app, key, sessions).await, ..self }
    }

    /// The report as the text of a file.
    pub fn write(&self, format: ReportFormat) -> String {
        match format {
            ReportFormat::Html => page::write(self),
            ReportFormat::Junit => junit::write(self),
            ReportFormat::Json => {
                let json = serde_json::to_string_pretty(self).expect("a report is JSON");
                json + "\n"
            }
        }
    }
}

/// A run that no reply matched, in the form of the control API, with the reasons in a few lines.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct UnmatchedEntry {
    shown: Value,
    #[serde(skip)]
    why: String,
}

impl UnmatchedEntry {
    fn new(session: &OpenSession, run: &UnmatchedRun) -> Self {
        let lines: Vec<_> = run.nearest().iter().map(NearMiss::explain).collect();
        let mut why = match lines.as_slice() {
            [] => "There are no replies.".to_owned(),
            lines => lines.join("\n"),
        };
        session.keys.now().clean_text(&mut why);
        Self { shown: in_session(session, session.unmatched_to_json(run)), why }
    }
}

fn in_session(session: &OpenSession, mut shown: Value) -> Value {
    shown["session"] = json!(session.name);
    shown
}

/// The text of a run's newest user message, for a title.
fn message_of(run: &Value) -> &str {
    run["message"].as_str().unwrap_or("no message")
}
