//! Brings a request to its session, and names it. A session is made when it is first used, but not
//! for a key that is refused, and not for somebody who asks after the server's health.

use std::sync::Arc;

use axum::extract::Request;

use super::{
    error::Result,
    origin_check::HEALTH,
    paths,
    state::{AppState, SessionRequest},
    uri::is_api,
};

pub(crate) async fn enter(app: &AppState, request: &mut Request) -> Result<SessionRequest> {
    let path = request.uri().path();
    let session = match paths::session_of(request).filter(|_| path != HEALTH) {
        None => Arc::clone(&app.default),
        Some(name) => {
            // A session that is there may have faults, which come before its keys.
            if is_api(path) && !app.sessions.has(&name) {
                app.keys.check_request(request)?;
            }
            app.sessions.enter(&name).await?
        }
    };
    let in_session = SessionRequest::new(session);
    request.extensions_mut().insert(in_session.clone());
    Ok(in_session)
}
