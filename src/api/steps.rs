//! Run steps: list and retrieve. They show fewer details after their run has ended.

use axum::{Router, routing::get};

use super::page;
use crate::{
    http::{Answer, AppState, Found, PageQuery, RequestContext, error::Result, extract::Include},
    store,
    types::{List, Run, Step, View, version::Versioned},
};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/threads/{thread_id}/runs/{run_id}/steps", get(list))
        .route("/threads/{thread_id}/runs/{run_id}/steps/{step_id}", get(retrieve))
}

async fn list(
    context: RequestContext,
    Found(run): Found<Run>,
    query: PageQuery,
    include: Include,
) -> Result<Answer<List<Versioned<Step>>>> {
    let within: store::Within<'_> =
        &[("thread_id", run.thread_id.as_str()), ("run_id", run.id.as_str())];
    page(&context, within, &query.page, |step: Step| {
        view(step, &run, &include).seen(context.dialect.version)
    })
    .await
}

async fn retrieve(
    context: RequestContext,
    Found(run): Found<Run>,
    Found(step): Found<Step>,
    include: Include,
) -> Answer<Versioned<Step>> {
    context.answer(view(step, &run, &include))
}

fn view(step: Step, run: &Run, include: &Include) -> Step {
    let step = step.over_rest(run);
    if include.results { step } else { step.without_content() }
}
