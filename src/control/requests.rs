//! The past requests: the journal of a session, and its runs that no reply matched.

use axum::{Router, response::Response, routing::get};

use super::{Query, Removed, listing};
use crate::{
    fixture::fault::PathGlob,
    http::{Answer, AppState, error::Result, extract::InSession},
    session::journal::JournalEntry,
    types::{ApiErrorKind, reader::ValidationErrorKind},
};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/requests", get(list).delete(clear)).route("/unmatched", get(unmatched))
}

async fn list(InSession(session): InSession, query: Query) -> Result<Response> {
    query.only(&["method", "path", "status", "run", "order", "limit", "after"])?;
    let (method, path, status) = (query.get("method"), glob(&query)?, status(&query)?);
    let run = query.get("run");
    let entries = session.journal.entries();
    let mut entries = listing::behind(entries, &query, "request", |entry, id| entry.id == id)?;
    entries.retain(|entry| {
        method.is_none_or(|wanted| entry.method.eq_ignore_ascii_case(wanted))
            && path.as_ref().is_none_or(|glob| glob.matches(&entry.path))
            && status.is_none_or(|wanted| entry.status == Some(wanted))
            && run.is_none_or(|wanted| is_about(entry, wanted))
    });
    let state = session.state();
    listing::list(entries, &query, move |entry| state.request_to_json(entry))
}

/// Whether a request created the run, or names it in its path.
fn is_about(entry: &JournalEntry, run: &str) -> bool {
    entry.run.as_ref().is_some_and(|of| of.as_str() == run)
        || entry.path.split('/').any(|segment| segment == run)
}

fn glob(query: &Query) -> Result<Option<PathGlob>> {
    let parsed = query.get("path").map(str::parse).transpose();
    parsed.map_err(|error: String| {
        ApiErrorKind::invalid(
            "path",
            ValidationErrorKind::Other(format!("This is not a glob: {error}.")),
        )
        .into()
    })
}

fn status(query: &Query) -> Result<Option<u16>> {
    let kind =
        |_| ValidationErrorKind::WrongType { expected: "an integer".to_owned(), got: "a string" };
    let parsed = query.get("status").map(|status| status.parse().map_err(kind)).transpose();
    parsed.map_err(|kind| ApiErrorKind::invalid("status", kind).into())
}

async fn clear(InSession(session): InSession) -> Answer<Removed> {
    Answer(Removed { object: "requests.deleted", deleted: session.journal.clear() })
}

async fn unmatched(InSession(session): InSession, query: Query) -> Result<Response> {
    query.only(&["run", "order", "limit", "after"])?;
    let runs = session.state().reply_usage.unmatched();
    let mut runs =
        listing::behind(runs, &query, "unmatched run", |run, id| run.run.as_str() == id)?;
    runs.retain(|run| query.get("run").is_none_or(|wanted| run.run.as_str() == wanted));
    listing::list(runs, &query, move |run| session.unmatched_to_json(run))
}
