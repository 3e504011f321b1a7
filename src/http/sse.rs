//! Streams of events, framed as recorded: a name, the data in one line, a blank line; no comments,
//! no ids, and `[DONE]` at the end.

use std::io;

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;

use super::extract::Include;
use crate::{
    engine::{Event, Events, Listener, listen},
    types::Version,
};

/// A listener for a run, and the response that streams what it hears.
pub(crate) fn channel(version: Version, include: &Include) -> (Listener, EventStream) {
    let (listener, events) = listen();
    (listener, EventStream { events, version, with_results: include.results })
}

pub(crate) struct EventStream {
    events: Events,
    version: Version,
    with_results: bool,
}

impl IntoResponse for EventStream {
    fn into_response(self) -> Response {
        let Self { version, with_results, .. } = self;
        let frames = stream::unfold(self.events, move |mut events| async move {
            // One event in each chunk: some clients take a chunk for an event.
            let piece = match events.next().await? {
                // What was sent before goes out first.
                Event::Broken => {
                    tokio::task::yield_now().await;
                    Err(io::Error::from(io::ErrorKind::ConnectionAborted))
                }
                event => Ok(frame_with(event.name(), |to| event.write(version, with_results, to))),
            };
            Some((piece, events))
        });
        (
            [(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE))],
            Body::from_stream(frames),
        )
            .into_response()
    }
}

/// What streams of events say that they are.
pub(crate) const CONTENT_TYPE: &str = "text/event-stream; charset=utf-8";

/// About as long as most events are, in bytes.
const FRAME: usize = 256;

/// One event on the wire.
pub(crate) fn frame(name: &str, data: &str) -> Bytes {
    frame_with(name, |to| to.extend_from_slice(data.as_bytes()))
}

fn frame_with(name: &str, write_data: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut frame = Vec::with_capacity(FRAME);
    frame.extend_from_slice(b"event: ");
    frame.extend_from_slice(name.as_bytes());
    frame.extend_from_slice(b"\ndata: ");
    write_data(&mut frame);
    frame.extend_from_slice(b"\n\n");
    frame.into()
}
