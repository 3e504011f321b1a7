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
            let first = events.next().await?;
            if let Event::Broken = first {
                // What was sent before goes out first.
                tokio::task::yield_now().await;
                return Some((Err(io::Error::from(io::ErrorKind::ConnectionAborted)), events));
            }
            // What is there already goes out with it.
            let mut frames = Vec::new();
            let mut next = Some(first);
            while let Some(event) = next {
                write_frame(&event, version, with_results, &mut frames);
                let goes_along = |event: &Event| !matches!(event, Event::Broken);
                next = if frames.len() < PIECE { events.next_if(goes_along) } else { None };
            }
            Some((Ok(Bytes::from(frames)), events))
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

/// From so many bytes on, events go out one after the other.
const PIECE: usize = 16 << 10;

fn write_frame(event: &Event, version: Version, with_results: bool, to: &mut Vec<u8>) {
    to.extend_from_slice(b"event: ");
    to.extend_from_slice(event.name().as_bytes());
    to.extend_from_slice(b"\ndata: ");
    event.write(version, with_results, to);
    to.extend_from_slice(b"\n\n");
}

/// One event on the wire.
pub(crate) fn frame(name: &str, data: &str) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}
