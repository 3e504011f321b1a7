//! The innermost layer: what is asked for is done on a task of its own, so that it is done even if
//! the client hangs up meanwhile. A handler that panics is a 500, and a line in the log.

use axum::{
    extract::Request,
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{dialect::Dialect, extract::RequestContext, state::SessionRequest, uri::is_api};

pub(crate) async fn on_a_task(
    in_session: SessionRequest,
    mut request: Request,
    next: Next,
) -> Response {
    let SessionRequest { session, request_id, .. } = in_session;
    let request_id = &*request_id;
    // A request works on the state of this moment, which stays until it is done.
    let mut guard = None;
    if is_api(request.uri().path()) {
        let (state, staying) = session.hold_state().await;
        let dialect = Dialect::from_request(&request);
        request.extensions_mut().insert(RequestContext { state, dialect });
        guard = Some(staying);
    }
    tracing::debug!(method = %request.method(), path = request.uri().path(), request_id, "asked");
    let work = async move {
        let response = next.run(request).await;
        drop(guard);
        response
    };
    tokio::spawn(work).await.unwrap_or_else(|error| {
        tracing::error!(request_id, %error, "a handler panicked");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}
