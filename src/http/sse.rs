//! Streams of events, in the recorded form: a name, the data in one line, a blank line. They have
//! no comments and no ids, and they end with `[DONE]`.

use std::{borrow::Cow, io};

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;

use super::extract::Include;
use crate::{
    engine::{Event, Events, Listener, LoggedEvent, listen, replay},
    types::{Api, Version, run::SORRY},
};

/// A listener for a run, and the response that streams its events.
pub(crate) fn channel(version: Version, include: &Include) -> (Listener, EventStream) {
    let (listener, events) = listen();
    (listener, EventStream { api: Api::Assistants, events, version, with_results: include.results })
}

/// A listener for a response, and the HTTP response that streams its events.
pub(crate) fn response_channel() -> (Listener, EventStream) {
    let (listener, stream) = channel(Version::V2, &Include { results: false });
    (listener, EventStream { api: Api::Responses, ..stream })
}

/// The HTTP response that streams stored events.
pub(crate) fn replayed(events: impl IntoIterator<Item = LoggedEvent>) -> EventStream {
    let (_, stream) = response_channel();
    EventStream { events: replay(events), ..stream }
}

pub(crate) struct EventStream {
    api: Api,
    events: Events,
    version: Version,
    with_results: bool,
}

impl IntoResponse for EventStream {
    fn into_response(self) -> Response {
        let Self { api, version, with_results, .. } = self;
        let frames = stream::unfold((self.events, 0), move |(mut events, sent)| async move {
            // One event in each chunk: some clients take each chunk for an event.
            let piece = match events.next().await? {
                // Streams of responses end without an event.
                event if api == Api::Responses && is_unsaid(&event) => return None,
                // Earlier data is sent first.
                Event::Broken => {
                    tokio::task::yield_now().await;
                    Err(io::Error::from(io::ErrorKind::ConnectionAborted))
                }
                Event::Error => Ok(error_frame(api, &ErrorShown::default(), sent)),
                event => Ok(frame_with(event.name(), |to| event.write(version, with_results, to))),
            };
            Some((piece, (events, sent + 1)))
        });
        (
            [(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE))],
            Body::from_stream(frames),
        )
            .into_response()
    }
}

/// Whether streams of responses leave out an event: they have no end mark, and no event for a
/// cancel.
fn is_unsaid(event: &Event) -> bool {
    match event {
        Event::Response(event) => event.is_unsaid(),
        event => matches!(event, Event::Done),
    }
}

/// The content of an `error` event.
#[derive(Debug)]
pub(crate) struct ErrorShown<'e> {
    pub message: Cow<'e, str>,
    pub kind: &'e str,
    pub param: Option<&'e str>,
    pub code: Option<&'e str>,
}

impl Default for ErrorShown<'_> {
    fn default() -> Self {
        Self { message: SORRY.into(), kind: "server_error", param: None, code: None }
    }
}

/// The event that ends a stream with an error. The error is nested, so that the official SDKs raise
/// it. Streams of responses number it, as they number all events.
pub(crate) fn error_frame(api: Api, error: &ErrorShown<'_>, sequence_number: usize) -> Bytes {
    let ErrorShown { message, kind, param, code } = error;
    let data = match api {
        Api::Assistants => {
            json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
        }
        Api::Responses => json!({
            "type": "error",
            "error": {"type": kind, "code": code, "message": message, "param": param},
            "sequence_number": sequence_number,
        }),
    };
    frame("error", &data.to_string())
}

/// The content type of streams of events.
pub(crate) const CONTENT_TYPE: &str = "text/event-stream; charset=utf-8";

/// The approximate size of most events, in bytes.
const FRAME: usize = 256;

/// One event in its wire format.
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
