//! The innermost layer: what is asked for is done on a task of its own, so that it is done even if
//! the client hangs up meanwhile. A handler that panics is a 500, and a line in the log.

use axum::{
    extract::Request,
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    dialect::Dialect,
    extract::{RequestContext, received},
    form::is_form,
    key,
    state::SessionRequest,
    uri::is_api,
};
use crate::session::journal::Journal;

pub(crate) async fn on_a_task(
    in_session: SessionRequest,
    mut request: Request,
    next: Next,
) -> Response {
    let SessionRequest { session, state, request_id } = in_session;
    let request_id = &*request_id;
    if tracing::enabled!(tracing::Level::DEBUG) {
        // Some clients put keys into paths.
        let dialect = Dialect::from_request(&request);
        let keys = session.journal.known(key::sent(&dialect, request.headers()));
        let path = Journal::clean_url(request.uri().path(), &keys);
        tracing::debug!(method = %request.method(), path, request_id, "asked");
    }
    let is_api = is_api(request.uri().path());
    let work = async move {
        if is_api {
            // The clock has its turn, however many requests there are.
            state.clock.unchanged().await;
            let dialect = Dialect::from_request(&request);
            let context = if is_form(request.headers()) {
                // A form is received as it comes, and enters the state when it is whole.
                RequestContext::without_guard(state, dialect)
            } else {
                // A body that stops half-way keeps nobody from a reset or a snapshot.
                request = received(request).await;
                RequestContext::enter(&session, dialect).await
            };
            request.extensions_mut().insert(context);
        }
        next.run(request).await
    };
    tokio::spawn(work).await.unwrap_or_else(|error| {
        tracing::error!(request_id, %error, "a handler panicked");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}
