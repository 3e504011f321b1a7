//! Run steps: list and retrieve. They show less of themselves once their run has ended.

use axum::{Router, routing::get};

use super::page;
use crate::{
    http::{Answer, Found, Here, PageQuery, error::Result, extract::Include},
    store,
    types::{List, Run, Step},
};

pub(super) fn routes() -> Router {
    Router::new()
        .route("/threads/{thread_id}/runs/{run_id}/steps", get(list))
        .route("/threads/{thread_id}/runs/{run_id}/steps/{step_id}", get(retrieve))
}

async fn list(here: Here, Found(run): Found<Run>, query: PageQuery, _: Include) -> Result<Answer<List<Step>>> {
    let within: store::Within<'_> = &[("thread_id", run.thread_id.as_str()), ("run_id", run.id.as_str())];
    page(&here, within, &query.page, |step: Step| step.over_rest(&run)).await
}

async fn retrieve(Found(run): Found<Run>, Found(step): Found<Step>, _: Include) -> Answer<Step> {
    Answer(step.over_rest(&run))
}
