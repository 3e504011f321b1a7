//! The turns of a session: the input of the performer, and its answer.

use axum::{Router, response::Response, routing::get};

use super::{Query, listing};
use crate::{
    http::{AppState, error::Result, extract::InSession},
    turns::KeptTurn,
    types::{ApiErrorKind, RunStatus, reader::ValidationErrorKind},
};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/turns", get(list))
}

async fn list(InSession(session): InSession, query: Query) -> Result<Response> {
    query.only(&["run", "thread", "reply", "status", "order", "limit", "after"])?;
    let status = status(&query)?;
    let is_wanted = |KeptTurn { turn, .. }: &KeptTurn| {
        let is = |key, got: Option<&str>| query.get(key).is_none_or(|wanted| got == Some(wanted));
        is("run", Some(&turn.run))
            && is("thread", turn.thread.as_deref())
            && is("reply", turn.answered.reply.as_deref())
            && status.is_none_or(|wanted| turn.answered.status == wanted)
    };
    let turns = session.turns.turns();
    let mut turns = listing::behind(turns, &query, "turn", |kept, id| kept.turn.id == id)?;
    turns.retain(is_wanted);
    listing::list(turns, &query, KeptTurn::to_json)
}

fn status(query: &Query) -> Result<Option<RunStatus>> {
    let Some(wanted) = query.get("status") else { return Ok(None) };
    let known = RunStatus::ALL.iter().find(|status| status.name() == wanted);
    let refusal = || ValidationErrorKind::NotOneOf {
        got: wanted.to_owned(),
        supported: RunStatus::ALL.iter().map(|status| status.name()).collect(),
    };
    Ok(Some(*known.ok_or_else(|| ApiErrorKind::invalid("status", refusal()))?))
}
