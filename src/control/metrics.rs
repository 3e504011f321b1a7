//! The metrics of the server, for Prometheus.

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

use crate::{
    http::{AppState, error::Result},
    metrics::CONTENT_TYPE,
    types::ApiErrorKind,
};

pub(crate) async fn metrics(State(app): State<AppState>) -> Result<Response> {
    let database = app.sessions.database().size().await?;
    let text = app.metrics.write(app.sessions.count(), database);
    let text = text.map_err(|_| ApiErrorKind::Overloaded)?;
    let kind = HeaderValue::from_static(CONTENT_TYPE);
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
