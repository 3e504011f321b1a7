//! Judges the expectations of a test for its session.

use axum::{
    Router,
    body::Body as RawBody,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};

use crate::{
    fixture::{LoadError, diagnostic::render_all},
    http::{
        Answer, ApiError, AppState,
        error::Result,
        extract::{InSession, read_all},
    },
    session::SessionError,
    types::{ApiErrorKind, limits},
    verification::Expectations,
};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/verify", post(verify))
}

/// The name of the request body in diagnostics.
const BODY: &str = "expectations";

async fn verify(InSession(session): InSession, body: RawBody) -> Result<Response> {
    let body = read_all(body, limits::JSON_BODY).await?;
    let text = String::from_utf8_lossy(&body).into_owned();
    // Ten thousand turns take some time.
    let judged = tokio::task::spawn_blocking(move || {
        let expectations = Expectations::parse_for(&session.name, BODY, &text)?;
        Ok(expectations.judge(&[session]))
    });
    let verification = match judged.await.map_err(SessionError::from)? {
        Ok(verification) => verification,
        Err(error) => return refused(error),
    };
    let status =
        if verification.passed { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok((status, Answer(verification)).into_response())
}

/// The mistakes, as text for people and as a list for tools.
fn refused(error: LoadError) -> Result<Response> {
    let Some(diagnostics) = error.diagnostics() else {
        return Err(SessionError::from(error).into());
    };
    let path = diagnostics.first().map(|first| first.path.clone()).unwrap_or_default();
    let kind = ApiErrorKind::FaultyExpectation { diagnostics: render_all(diagnostics), path };
    Ok(ApiError::from(kind).with("diagnostics", &diagnostics))
}
