//! The sessions of the server: list them with their contents, delete one.

use axum::{
    Router,
    extract::{Path, State},
    routing::{delete, get},
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{ListBody, Query};
use crate::{
    http::{Answer, AppState, error::Result},
    session::DEFAULT_SESSION,
    types::{ApiErrorKind, reader::ValidationErrorKind},
};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/sessions", get(list)).route("/sessions/{name}", delete(remove))
}

#[derive(Serialize)]
struct SessionSummary {
    object: &'static str,
    name: String,
    /// The number of objects of each kind.
    counts: Map<String, Value>,
    requests: usize,
    unmatched: usize,
}

/// The sessions in memory, sorted by name.
async fn list(
    State(app): State<AppState>,
    query: Query,
) -> Result<Answer<ListBody<SessionSummary>>> {
    query.only(&["q"])?;
    let mut summaries = Vec::new();
    for session in app.sessions.sessions() {
        if query.get("q").is_some_and(|part| !session.name.contains(part)) {
            continue;
        }
        let state = session.state();
        summaries.push(SessionSummary {
            object: "session",
            name: session.name.clone(),
            counts: state.store.counts().await?,
            requests: session.journal.entries().len(),
            unmatched: state.reply_usage.unmatched().len(),
        });
    }
    Ok(Answer(ListBody::all(summaries)))
}

#[derive(Serialize)]
struct SessionDeleted {
    object: &'static str,
    name: String,
    deleted: bool,
}

/// Deletes a session with its contents and its snapshots. The next request with its name creates it
/// again.
async fn remove(
    State(app): State<AppState>,
    Path(name): Path<String>,
) -> Result<Answer<SessionDeleted>> {
    if name == DEFAULT_SESSION {
        let what = "You cannot delete the session 'default': reset it.".to_owned();
        return Err(ApiErrorKind::invalid("name", ValidationErrorKind::Other(what)).into());
    }
    if !app.sessions.remove(&name).await? {
        let text = format!("There is no session '{name}' yet.");
        return Err(ApiErrorKind::Missing { text, param: None }.into());
    }
    Ok(Answer(SessionDeleted { object: "session.deleted", name, deleted: true }))
}
