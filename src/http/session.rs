//! Brings a request to its session, and names it. The first use creates a session. A request with a
//! rejected key creates none, and neither does a request for the server's health.

use std::sync::Arc;

use axum::extract::Request;

use super::{
    error::Result,
    observer::observes,
    origin_check::HEALTH,
    paths,
    state::{AppState, SessionRequest},
    uri::is_api,
};
use crate::types::ApiErrorKind;

pub(crate) async fn enter(app: &AppState, request: &mut Request) -> Result<SessionRequest> {
    let (path, observes) = (request.uri().path(), observes(request));
    let session = match paths::session_of(request).filter(|_| path != HEALTH) {
        None => Arc::clone(&app.default),
        Some(name) if observes => app.sessions.find(&name).ok_or_else(|| missing(&name))?,
        Some(name) => {
            // An existing session may have faults, which come before its keys.
            if is_api(path) && !app.sessions.has(&name) {
                app.keys.check_request(request)?;
            }
            app.sessions.enter(&name).await?
        }
    };
    let in_session = SessionRequest::new(session, observes);
    request.extensions_mut().insert(in_session.clone());
    Ok(in_session)
}

/// A request that only observes creates no session.
fn missing(name: &str) -> ApiErrorKind {
    let text = format!("There is no session '{name}' yet. Its first request creates it.");
    ApiErrorKind::Missing { text, param: None }
}
