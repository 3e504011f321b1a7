//! The control API under `/_rehearsal`: calls of tests and people to the emulator itself, session
//! by session.
//!
//! `openapi.json` describes its shapes. The server serves this file to clients, and the tests check
//! the responses against it.

mod chunks;
mod clock;
mod events;
mod fixtures;
mod listing;
mod metrics;
mod pace;
pub(crate) mod playground;
mod requests;
mod runs;
mod sessions;
mod snapshots;
mod threads;
mod turns;
mod verify;

use axum::{
    Router,
    body::Body,
    extract::{FromRequestParts, Request},
    http::{HeaderValue, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    http::{
        Answer, ApiError, AppState,
        error::Result,
        extract::{InSession, pairs, read_all},
    },
    types::{ApiErrorKind, limits, reader::ValidationErrorKind},
};

pub(crate) use self::metrics::metrics;

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/health", get(health))
        .route("/reset", post(reset))
        .route("/openapi.json", get(openapi))
        .merge(chunks::routes())
        .merge(clock::routes())
        .merge(events::routes())
        .merge(fixtures::routes())
        .merge(pace::routes())
        .merge(requests::routes())
        .merge(runs::routes())
        .merge(sessions::routes())
        .merge(snapshots::routes())
        .merge(threads::routes())
        .merge(turns::routes())
        .merge(verify::routes())
        .layer(middleware::from_fn(check_body))
}

/// Rejects a body of a type that no control call takes. A web page cannot send the remaining types
/// without a preflight request. A request without a body needs no type.
async fn check_body(request: Request, next: Next) -> Result<Response> {
    const TAKEN: [&str; 4] =
        ["application/json", "application/yaml", "application/x-yaml", "text/yaml"];
    let sent = request
        .headers()
        .get(header::CONTENT_TYPE)
        .map(|kind| String::from_utf8_lossy(kind.as_bytes()).into_owned());
    let sent = sent.unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default().trim();
    if TAKEN.iter().any(|taken| essence.eq_ignore_ascii_case(taken)) {
        return Ok(next.run(request).await);
    }
    let (parts, body) = request.into_parts();
    if read_all(body, limits::JSON_BODY).await?.is_empty() {
        return Ok(next.run(Request::from_parts(parts, Body::empty())).await);
    }
    Err(ApiErrorKind::UnsupportedControlBody { content_type: sent }.into())
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
}

async fn health() -> Answer<Health> {
    Answer(Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

#[derive(Serialize)]
struct Reset {
    object: &'static str,
    /// How many of each kind there were.
    removed: Map<String, Value>,
}

async fn reset(InSession(session): InSession, query: Query) -> Result<Response> {
    query.only(&["fixtures"])?;
    match session.reset(query.flag("fixtures")?).await {
        Ok(removed) => Ok(Answer(Reset { object: "reset", removed }).into_response()),
        // A file that a seed names may be missing.
        Err(error) => fixtures::refused(error),
    }
}

async fn openapi() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], include_str!("openapi.json")).into_response()
}

/// The query string.
struct Query(Vec<(String, String)>);

impl Query {
    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Rejects parameters that no call knows: a misspelt filter would not filter.
    fn only(&self, known: &[&'static str]) -> Result<()> {
        let Some((other, _)) = self.0.iter().find(|(key, _)| !known.contains(&key.as_str())) else {
            return Ok(());
        };
        let kind = ValidationErrorKind::Unknown { known: known.to_vec() };
        Err(ApiErrorKind::invalid(other, kind).into())
    }

    fn flag(&self, name: &'static str) -> Result<bool> {
        match self.get(name) {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(other) => {
                let kind = ValidationErrorKind::NotOneOf {
                    got: other.to_owned(),
                    supported: vec!["true", "false"],
                };
                Err(ApiErrorKind::invalid(name, kind).into())
            }
        }
    }
}

impl FromRequestParts<AppState> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        pairs(parts, app).await.map(Self)
    }
}

/// A list of all entries, or of as many as the client requested.
#[derive(Serialize)]
struct ListBody<T> {
    object: &'static str,
    data: Vec<T>,
    has_more: bool,
}

impl<T> ListBody<T> {
    fn all(data: Vec<T>) -> Self {
        Self { object: "list", data, has_more: false }
    }
}

/// The kind of the removed objects, and how many there were.
#[derive(Serialize)]
struct Removed {
    object: &'static str,
    deleted: usize,
}
