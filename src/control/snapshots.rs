//! Snapshots of a session: create, restore, delete.

use axum::{
    Router,
    extract::{FromRequestParts, Path},
    http::request::Parts,
    routing::{get, post, put},
};
use serde::Serialize;
use serde_json::Value;

use super::ListBody;
use crate::{
    http::{Answer, ApiError, AppState, error::Result, extract::InSession, paths},
    store::Snapshot,
    types::ApiErrorKind,
};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/snapshots", get(list))
        .route("/snapshots/{name}", put(take).delete(forget))
        .route("/snapshots/{name}/restore", post(restore))
}

#[derive(Serialize)]
struct Forgotten {
    object: &'static str,
    name: String,
    deleted: bool,
}

/// The name of a snapshot. A path segment that is not text is not a name.
struct Name(String);

impl FromRequestParts<AppState> for Name {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        match Path::from_request_parts(parts, app).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(_) => Err(ApiErrorKind::BadName { name: parts.uri.path().to_owned() }.into()),
        }
    }
}

async fn list(InSession(session): InSession) -> Result<Answer<ListBody<Value>>> {
    let snapshots = session.snapshots().await?;
    Ok(Answer(ListBody::all(snapshots.iter().map(Snapshot::to_json).collect())))
}

async fn take(InSession(session): InSession, Name(name): Name) -> Result<Answer<Value>> {
    if !paths::is_name(&name) {
        return Err(ApiErrorKind::BadName { name }.into());
    }
    Ok(Answer(session.take_snapshot(&name).await?.to_json()))
}

async fn restore(InSession(session): InSession, Name(name): Name) -> Result<Answer<Value>> {
    match session.restore(&name).await? {
        Some(snapshot) => Ok(Answer(snapshot.to_json())),
        None => Err(ApiErrorKind::UnknownSnapshot { name }.into()),
    }
}

async fn forget(InSession(session): InSession, Name(name): Name) -> Result<Answer<Forgotten>> {
    if session.forget(&name).await? {
        return Ok(Answer(Forgotten { object: "snapshot.deleted", name, deleted: true }));
    }
    Err(ApiErrorKind::UnknownSnapshot { name }.into())
}
