//! Reports of what has happened in some sessions: for people as a page, for CI servers as JUnit XML,
//! for tools as JSON.
//!
//! Secrets are removed before a report is made. What clients and fixtures say is data in all three:
//! it can neither break a document nor run in it.

mod junit;
mod page;

use std::{path::Path, sync::Arc};

use serde::Serialize;
use serde_json::{Value, json};

use crate::{session::OpenSession, verification::Verification};

/// What has happened.
#[derive(Debug, Serialize)]
pub struct Report {
    object: &'static str,
    /// The turns of all sessions in their order, each with the name of its session.
    data: Vec<Value>,
    has_more: bool,
    /// The runs that no reply matched, each with the name of its session.
    unmatched: Vec<Value>,
    verification: Option<Verification>,
}

/// How a report is laid out. The name of its file says so.
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
        let of_session = |session: &OpenSession, mut shown: Value| {
            shown["session"] = json!(session.name);
            shown
        };
        let turns = sessions.iter().flat_map(|session| {
            let shown = session.turns.turns().into_iter();
            shown.map(|kept| (kept.place, of_session(session, kept.to_json())))
        });
        let mut turns: Vec<_> = turns.collect();
        turns.sort_by_key(|(place, _)| *place);
        let unmatched = sessions.iter().flat_map(|session| {
            let runs = session.state().reply_usage.unmatched().into_iter();
            runs.map(|run| of_session(session, session.unmatched_to_json(&run)))
        });
        Self {
            object: "list",
            data: turns.into_iter().map(|(_, shown)| shown).collect(),
            has_more: false,
            unmatched: unmatched.collect(),
            verification,
        }
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

/// Why a run found no reply, in a few lines.
fn why_unmatched(run: &Value) -> String {
    let near = run["nearest"].as_array().map(Vec::as_slice).unwrap_or_default();
    let lines = near.iter().map(|near| {
        let file = near["file"].as_str().unwrap_or_default();
        let place = format!("{file}:{}", near["line"]);
        let title = match near["reply"].as_str() {
            Some(name) => format!("{name} ({place})"),
            None => place,
        };
        let misses = near["misses"].as_array().map(Vec::as_slice).unwrap_or_default();
        let misses: Vec<_> = misses.iter().map(why_missed).collect();
        let why = if near["used_up"] == true { "used up".to_owned() } else { misses.join("; ") };
        format!("{title}: {why}")
    });
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() { "There are no replies at all.".to_owned() } else { lines.join("\n") }
}

fn why_missed(miss: &Value) -> String {
    let text = |key: &str| miss[key].as_str().unwrap_or_default().to_owned();
    let hint = miss["hint"].as_str().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{}: expected {}, got {}{hint}", text("condition"), text("expected"), text("got"))
}

/// The text of a run's newest user message, for a title.
fn message_of(run: &Value) -> &str {
    run["message"].as_str().unwrap_or("no message")
}
