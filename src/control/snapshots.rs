//! Snapshots of a session: kept, brought back, forgotten.

use axum::{
    Router,
    extract::Path,
    routing::{get, post, put},
};
use serde::Serialize;

use super::Listed;
use crate::{
    http::{Answer, door, error::Result, extract::InSession},
    store::Snapshot,
    types::{Refusal, Timestamp},
};

pub(super) fn routes() -> Router {
    Router::new()
        .route("/snapshots", get(list))
        .route("/snapshots/{name}", put(keep).delete(forget))
        .route("/snapshots/{name}/restore", post(restore))
}

#[derive(Serialize)]
struct Shown {
    object: &'static str,
    name: String,
    created_at: Timestamp,
}

impl From<Snapshot> for Shown {
    fn from(snapshot: Snapshot) -> Self {
        Self { object: "snapshot", name: snapshot.name, created_at: snapshot.created_at }
    }
}

#[derive(Serialize)]
struct Forgotten {
    object: &'static str,
    name: String,
    deleted: bool,
}

async fn list(InSession(session): InSession) -> Result<Answer<Listed<Shown>>> {
    let snapshots = session.snapshots().await?;
    Ok(Answer(Listed::all(snapshots.into_iter().map(Shown::from).collect())))
}

async fn keep(InSession(session): InSession, Path(name): Path<String>) -> Result<Answer<Shown>> {
    if !door::is_name(&name) {
        return Err(Refusal::BadName { name }.into());
    }
    Ok(Answer(session.keep(&name).await?.into()))
}

async fn restore(InSession(session): InSession, Path(name): Path<String>) -> Result<Answer<Shown>> {
    match session.restore(&name).await? {
        Some(snapshot) => Ok(Answer(snapshot.into())),
        None => Err(Refusal::UnknownSnapshot { name }.into()),
    }
}

async fn forget(InSession(session): InSession, Path(name): Path<String>) -> Result<Answer<Forgotten>> {
    if session.forget(&name).await? {
        return Ok(Answer(Forgotten { object: "snapshot.deleted", name, deleted: true }));
    }
    Err(Refusal::UnknownSnapshot { name }.into())
}
