//! Models: list and retrieve.

use axum::{
    Router,
    extract::{Path, rejection::PathRejection},
    http::Uri,
    routing::get,
};
use serde::Serialize;

use crate::{
    http::{Answer, AppState, RequestContext, error::Result},
    types::{ApiErrorKind, Model},
};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/models", get(list)).route("/models/{model}", get(retrieve))
}

/// The only list without pages.
#[derive(Serialize)]
struct Models {
    object: &'static str,
    data: Vec<Model>,
}

async fn list(context: RequestContext) -> Answer<Models> {
    Answer(Models { object: "list", data: context.models() })
}

async fn retrieve(
    context: RequestContext,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Answer<Model>> {
    let unknown = |_| ApiErrorKind::UnknownUrl {
        method: "GET".to_owned(),
        path: format!("/v1{}", uri.path()),
    };
    let Path(id) = id.map_err(unknown)?;
    let found = context.models().into_iter().find(|model| model.id == id);
    found.map(Answer).ok_or_else(|| ApiErrorKind::MissingModel { model: id }.into())
}
