//! What has come by: the journal of a session, and its runs that no reply matched.

use axum::{Router, routing::get};
use serde_json::Value;

use super::{ListBody, Query, Removed};
use crate::{
    engine::UnmatchedRun,
    fixture::fault::PathGlob,
    http::{Answer, AppState, error::Result, extract, extract::InSession},
    types::{ApiErrorKind, reader::ValidationErrorKind},
};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/requests", get(list).delete(clear)).route("/unmatched", get(unmatched))
}

async fn list(InSession(session): InSession, query: Query) -> Result<Answer<ListBody<Value>>> {
    query.only(&["method", "path", "status", "limit", "after"])?;
    let (method, path, status, limit) =
        (query.get("method"), glob(&query)?, status(&query)?, limit(&query)?);
    let mut entries = session.journal.entries();
    if let Some(id) = query.get("after") {
        let place = entries.iter().position(|entry| entry.id == id);
        let missing = || ApiErrorKind::Missing {
            text: format!("No request found with id '{id}'."),
            param: Some("after"),
        };
        let place = place.ok_or_else(missing)?;
        entries.drain(..=place);
    }
    entries.retain(|entry| {
        method.is_none_or(|wanted| entry.method.eq_ignore_ascii_case(wanted))
            && path.as_ref().is_none_or(|glob| glob.matches(&entry.path))
            && status.is_none_or(|wanted| entry.status == Some(wanted))
    });
    let has_more = entries.len() > limit;
    let state = session.state();
    let shown = entries.iter().take(limit).map(|entry| state.request_to_json(entry));
    Ok(Answer(ListBody { object: "list", data: shown.collect(), has_more }))
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

/// As many as there are, unless fewer are asked for.
fn limit(query: &Query) -> Result<usize> {
    let Some(given) = query.get("limit") else { return Ok(usize::MAX) };
    let limit =
        extract::limit(given, 1, i64::MAX).map_err(|kind| ApiErrorKind::invalid("limit", kind))?;
    Ok(usize::try_from(limit).unwrap_or(usize::MAX))
}

async fn clear(InSession(session): InSession) -> Answer<Removed> {
    Answer(Removed { object: "requests.deleted", deleted: session.journal.clear() })
}

async fn unmatched(InSession(session): InSession) -> Answer<ListBody<UnmatchedRun>> {
    Answer(ListBody::all(session.state().reply_usage.unmatched()))
}
