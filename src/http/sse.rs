//! Streams of events, framed as recorded: a name, the data in one line, a blank line; no comments, no
//! ids, and `[DONE]` at the end.

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;

use super::extract::Include;
use crate::engine::{Event, Listener};

/// A listener for a run, and the response that streams what it hears.
pub(crate) fn channel(include: &Include) -> (Listener, Stream) {
    let (listener, events) = mpsc::unbounded_channel();
    (listener, Stream { events, with_results: include.results })
}

pub(crate) struct Stream {
    events: mpsc::UnboundedReceiver<Event>,
    with_results: bool,
}

impl IntoResponse for Stream {
    fn into_response(self) -> Response {
        let with_results = self.with_results;
        let frames = stream::unfold(self.events, move |mut events| async move {
            let frame = frame(&events.recv().await?, with_results);
            Some((Ok::<_, std::convert::Infallible>(Bytes::from(frame)), events))
        });
        let content_type = HeaderValue::from_static("text/event-stream; charset=utf-8");
        ([(header::CONTENT_TYPE, content_type)], Body::from_stream(frames)).into_response()
    }
}

fn frame(event: &Event, with_results: bool) -> String {
    format!("event: {}\ndata: {}\n\n", event.name(), event.data(with_results))
}
