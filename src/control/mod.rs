//! The control API under `/_rehearsal`: what tests and people ask of the emulator itself.

use axum::{Router, routing::get};
use serde::Serialize;

use crate::http::Answer;

pub(crate) fn routes() -> Router {
    Router::new().route("/health", get(health))
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
}

async fn health() -> Answer<Health> {
    Answer(Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}
