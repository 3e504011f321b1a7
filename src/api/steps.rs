//! Run steps: list and retrieve. They show less of themselves once their run has ended.

use axum::{Router, routing::get};

use super::page;
use crate::{
    http::{Answer, AppState, Found, Here, PageQuery, error::Result, extract::Include},
    store,
    types::{List, Run, Step, View, version::Seen},
};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/threads/{thread_id}/runs/{run_id}/steps", get(list))
        .route("/threads/{thread_id}/runs/{run_id}/steps/{step_id}", get(retrieve))
}

async fn list(
    here: Here,
    Found(run): Found<Run>,
    query: PageQuery,
    include: Include,
) -> Result<Answer<List<Seen<Step>>>> {
    let within: store::Within<'_> =
        &[("thread_id", run.thread_id.as_str()), ("run_id", run.id.as_str())];
    page(&here, within, &query.page, |step: Step| {
        shown(step, &run, &include).seen(here.manner.version)
    })
    .await
}

async fn retrieve(
    here: Here,
    Found(run): Found<Run>,
    Found(step): Found<Step>,
    include: Include,
) -> Answer<Seen<Step>> {
    here.answer(shown(step, &run, &include))
}

fn shown(step: Step, run: &Run, include: &Include) -> Step {
    let step = step.over_rest(run);
    if include.results { step } else { step.without_content() }
}
