//! Runs a request through the routes. A client that disconnects does not stop its request: a
//! request that may change something runs on a task of its own. A panic in a handler gives a 500
//! and a line in the log.

use std::{any::Any, panic::AssertUnwindSafe};

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use tower::ServiceExt;

use super::{
    dialect::Dialect,
    extract::{RequestContext, received},
    form::is_form,
    origin_check::HEALTH,
    state::SessionRequest,
    uri::is_api,
};

pub(crate) async fn carry_out(to: &SessionRequest, request: Request, routes: Router) -> Response {
    let is_safe = request.method().is_safe();
    let work = AssertUnwindSafe(route(to.clone(), request, routes)).catch_unwind();
    let done = if is_safe {
        work.await
    } else {
        tokio::spawn(work).await.unwrap_or_else(|error| Err(Box::new(error.to_string())))
    };
    done.unwrap_or_else(|panic| {
        let request_id = &*to.request_id;
        tracing::error!(request_id, error = said(&*panic), "a handler panicked");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

async fn route(to: SessionRequest, mut request: Request, routes: Router) -> Response {
    if is_api(request.uri().path()) {
        let state = to.session.state();
        // The clock gets its turn, no matter how many requests there are.
        state.clock.unchanged().await;
        let dialect = Dialect::from_request(&request);
        let context = if is_form(request.headers()) {
            // A form is read as it arrives, and enters the state when it is complete.
            RequestContext::without_guard(state, dialect)
        } else {
            // A body that stops in the middle must not block a reset or a snapshot.
            request = received(request).await;
            RequestContext::enter(&to, dialect).await
        };
        request.extensions_mut().insert(context);
    } else if request.method().is_safe() && request.uri().path() != HEALTH {
        // A read after the event of a reset or a restored snapshot sees the new state.
        drop(to.session.hold_state().await);
    }
    match routes.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// The message of a panic.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
