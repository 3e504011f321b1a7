//! The innermost layer: what is asked for is done on a task of its own, so that it is done even if
//! the client hangs up meanwhile. A handler that panics is a 500, and a line in the log.

use axum::{
    extract::Request,
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{extract::Here, manner::Manner, state::Visit, uri::is_api};

pub(crate) async fn on_a_task(visit: Visit, mut request: Request, next: Next) -> Response {
    let Visit { session, request_id, .. } = visit;
    let request_id = &*request_id;
    // What is asked of the API is done in the world of this moment, which stays until it is done.
    let mut stay = None;
    if is_api(request.uri().path()) {
        let (world, staying) = session.stay().await;
        let manner = Manner::of(&request);
        request.extensions_mut().insert(Here { world, manner });
        stay = Some(staying);
    }
    tracing::debug!(method = %request.method(), path = request.uri().path(), request_id, "asked");
    let work = async move {
        let response = next.run(request).await;
        drop(stay);
        response
    };
    tokio::spawn(work).await.unwrap_or_else(|error| {
        tracing::error!(request_id, %error, "a handler panicked");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}
