//! What has come by: the journal of a session, and its runs that no reply matched.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::{Query, Removed};
use crate::{
    fixture::fault::PathGlob,
    http::{Answer, AppState, error::Result, extract, extract::InSession},
    types::{ApiErrorKind, reader::ValidationErrorKind},
};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/requests", get(list).delete(clear)).route("/unmatched", get(unmatched))
}

async fn list(InSession(session): InSession, query: Query) -> Result<Response> {
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
    entries.truncate(limit);
    let shown = entries.into_iter().map(move |entry| {
        let state = Arc::clone(&state);
        move || state.request_to_json(&entry)
    });
    Ok(streamed(shown, has_more))
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

async fn unmatched(InSession(session): InSession, query: Query) -> Result<Response> {
    query.only(&["limit", "after"])?;
    let limit = limit(&query)?;
    let mut runs = session.state().reply_usage.unmatched();
    if let Some(id) = query.get("after") {
        let place = runs.iter().position(|run| run.run.as_str() == id);
        let missing = || ApiErrorKind::Missing {
            text: format!("No unmatched run found with id '{id}'."),
            param: Some("after"),
        };
        runs.drain(..=place.ok_or_else(missing)?);
    }
    let has_more = runs.len() > limit;
    runs.truncate(limit);
    let shown = runs.into_iter().map(|run| move || json!(*run));
    Ok(streamed(shown, has_more))
}

/// A list that is made item by item as it is read, however long it is, and where it holds nobody up.
/// It is laid out as all JSON is here.
fn streamed<F: FnOnce() -> Value + Send + 'static>(
    items: impl ExactSizeIterator<Item = F> + Send + 'static,
    has_more: bool,
) -> Response {
    let is_empty = items.len() == 0;
    let made = stream::iter(items.enumerate()).then(|(index, item)| async move {
        let made = tokio::task::spawn_blocking(move || indented(&item()));
        let comma = if index == 0 { "" } else { "," };
        Ok::<_, std::io::Error>(format!("{comma}{}", made.await.map_err(std::io::Error::other)?))
    });
    let head = "{\n  \"object\": \"list\",\n  \"data\": [".to_owned();
    let end = if is_empty { "" } else { "\n  " };
    let end = format!("{end}],\n  \"has_more\": {has_more}\n}}");
    let body = stream::iter([Ok(head)]).chain(made).chain(stream::iter([Ok(end)]));
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], Body::from_stream(body)).into_response()
}

/// An item in lines of its own.
fn indented(item: &Value) -> String {
    format!("{item:#}").lines().fold(String::new(), |text, line| text + "\n    " + line)
}
