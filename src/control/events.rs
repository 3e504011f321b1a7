//! Every change of a session, as it happens: for tests that wait for something, and for people who
//! watch.

use std::convert::Infallible;

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::{StreamExt, stream};

use crate::http::{AppState, extract::InSession, sse};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/events", get(listen))
}

async fn listen(InSession(session): InSession) -> Response {
    // Listening begins before the response does, so it covers everything that the client does next.
    let news = session.events.listen();
    let ended = async move { session.ending().await };
    let frames = stream::unfold(news, |mut news| async {
        // A listener that falls too far behind is disconnected. Otherwise it would miss events.
        let told = news.recv().await.ok()?;
        Some((Ok::<_, Infallible>(sse::frame(&told.name, &told.data)), news))
    });
    let frames = frames.take_until(Box::pin(ended));
    (
        [(header::CONTENT_TYPE, HeaderValue::from_static(sse::CONTENT_TYPE))],
        Body::from_stream(frames),
    )
        .into_response()
}
