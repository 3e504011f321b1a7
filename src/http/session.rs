//! Brings a request to its session, and names it. A session is made when it is first used, but not
//! for a key that is refused, and not for somebody who asks after the server's health.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    dialect::Dialect,
    error::ApiError,
    origin_check::HEALTH,
    paths,
    state::{AppState, SessionRequest},
    uri::is_api,
};

/// The id of the request that a response answers.
#[derive(Clone)]
pub(super) struct RequestId(pub Arc<str>);

pub(crate) async fn enter(
    State(app): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let session = match paths::session_of(&request).filter(|_| path != HEALTH) {
        None => Arc::clone(&app.default),
        Some(name) => {
            // A session that is there may have faults, which come before its keys.
            if is_api(path)
                && !app.sessions.has(&name)
                && let Err(kind) =
                    app.keys.check(&Dialect::from_request(&request), request.headers())
            {
                return ApiError::from(kind).into_response();
            }
            match app.sessions.enter(&name).await {
                Ok(session) => session,
                Err(error) => return ApiError::from(error).into_response(),
            }
        }
    };
    let in_session = SessionRequest::new(session);
    let request_id = RequestId(Arc::clone(&in_session.request_id));
    request.extensions_mut().insert(in_session);
    let mut response = next.run(request).await;
    response.extensions_mut().insert(request_id);
    response
}
