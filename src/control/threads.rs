//! A thread as a fixture that would answer it again.

use axum::{
    Router,
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{
    http::{ApiError, AppState, error::Result, extract::InSession},
    transcript::{self, ExportError},
    types::{Id, Thread},
};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/threads/{thread_id}/fixture", get(export))
}

async fn export(InSession(session): InSession, Path(thread): Path<String>) -> Result<Response> {
    let exported =
        transcript::export(&session.state().store, &Id::new(thread), session.redactor()).await;
    match exported {
        Ok(exported) => {
            let yaml = HeaderValue::from_static("application/yaml");
            Ok(([(header::CONTENT_TYPE, yaml)], exported.text).into_response())
        }
        Err(ExportError::NoThread(id)) => Err(ApiError::missing::<Thread>(&[id.to_string()])),
        Err(ExportError::Store(error)) => Err(error.into()),
        Err(error @ ExportError::Unwritten(_)) => Err(std::io::Error::other(error).into()),
    }
}
