//! The effect of a fault on an answer: another answer in its place, or the same one cut off,
//! garbled, or ended with an error.

use std::io;

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value, json};

use super::{
    chunks,
    error::ApiError,
    frames::frames,
    listen::NoAnswer,
    sse::{self, ErrorShown},
};
use crate::{
    fixture::fault::{self, FaultEffect, GivenApiError},
    types::{Api, ApiErrorKind},
};

/// The answer that a fault gives in place of the real one, if it does. Then the request is not
/// executed.
pub(crate) fn instead(effect: &FaultEffect, request_id: &str) -> Option<Response> {
    match effect {
        FaultEffect::Respond(response) => Some(given(response, request_id)),
        FaultEffect::Disconnect(fault::CutPoint::Before) => Some(cut()),
        FaultEffect::Disconnect(_) | FaultEffect::MalformedJson | FaultEffect::MalformedSse => None,
        FaultEffect::StreamError { .. } | FaultEffect::Chunks(_) => None,
    }
}

/// Marks an answer that must stay as it is: a fault gave it, or it is the final answer already.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finished;

/// A response that is never sent: the connection is closed.
pub(crate) fn cut() -> Response {
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(NoAnswer);
    response.extensions_mut().insert(Finished);
    response
}

fn given(response: &fault::FaultResponse, request_id: &str) -> Response {
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (kind, body) = match &response.body {
        fault::FaultBody::Text(text) => (kind_of(text), text.clone()),
        fault::FaultBody::Error(error) => {
            let ErrorShown { message, kind, param, code } = filled(error, status, request_id);
            let error = json!({"message": message, "type": kind, "param": param, "code": code});
            ("application/json", format!("{:#}", json!({ "error": error })))
        }
    };
    let mut answer =
        ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response();
    *answer.status_mut() = status;
    answer.extensions_mut().insert(Finished);
    for (name, value) in &response.headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
        {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

fn kind_of(text: &str) -> &'static str {
    if serde_json::from_str::<Value>(text).is_ok() {
        "application/json"
    } else {
        "text/plain; charset=utf-8"
    }
}

/// An error, completed with the usual values for its status.
fn filled<'e>(error: &'e GivenApiError, status: StatusCode, request_id: &str) -> ErrorShown<'e> {
    let usual = match status {
        StatusCode::TOO_MANY_REQUESTS => ApiErrorKind::RateLimited,
        StatusCode::SERVICE_UNAVAILABLE => ApiErrorKind::Overloaded,
        status if status.is_server_error() => {
            ApiErrorKind::Internal { request_id: request_id.to_owned() }
        }
        status => ApiErrorKind::Faulty { status: status.as_u16() },
    };
    ErrorShown {
        message: match &error.message {
            Some(message) => message.into(),
            None => usual.to_string().into(),
        },
        kind: error.kind.as_deref().unwrap_or(ApiError::kind_of(status)),
        param: error.param.as_deref(),
        code: error.code.as_deref().or(usual.code()),
    }
}

/// The answer with the damage of the fault.
pub(crate) fn damaged(
    effect: &FaultEffect,
    response: Response,
    api: Api,
    request_id: &str,
) -> Response {
    let streams =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == sse::CONTENT_TYPE);
    match effect {
        FaultEffect::Disconnect(fault::CutPoint::After) => cut(),
        FaultEffect::Disconnect(fault::CutPoint::Bytes(bytes)) => {
            let bytes = usize::try_from(*bytes).unwrap_or(usize::MAX);
            with_body(response, |body| broken_behind(body, bytes))
        }
        FaultEffect::Disconnect(fault::CutPoint::Events(events)) if streams => {
            let events = usize::try_from(*events).unwrap_or(usize::MAX);
            with_body(response, |body| Body::from_stream(frames(body).take(events).chain(broken())))
        }
        FaultEffect::StreamError { after_events, error } if streams => {
            let events = usize::try_from(*after_events).unwrap_or(usize::MAX);
            let error = filled(error, StatusCode::INTERNAL_SERVER_ERROR, request_id);
            with_body(response, |body| ended_by(body, events, api, &error))
        }
        FaultEffect::Chunks(chunks) if streams => {
            with_body(response, |body| chunks::cut(body, *chunks))
        }
        FaultEffect::MalformedSse if streams => with_body(response, |body| {
            // The first event is complete, so that the client has begun to read when it gets the
            // broken one.
            let garbled = frames(body)
                .enumerate()
                .map(|(place, frame)| if place == 1 { frame.map(garble) } else { frame });
            Body::from_stream(garbled)
        }),
        FaultEffect::MalformedJson if !streams => with_body(response, |body| {
            let whole = async move {
                let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
                Ok::<_, io::Error>(bytes.slice(..bytes.len() / 2))
            };
            Body::from_stream(stream::once(whole))
        }),
        _ => response,
    }
}

/// Another body, without a length in the headers.
fn with_body(response: Response, change: impl FnOnce(Body) -> Body) -> Response {
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, change(body))
}

/// The first events of a stream, and an error after them.
fn ended_by(body: Body, events: usize, api: Api, error: &ErrorShown<'_>) -> Body {
    let last = sse::error_frame(api, error, events);
    Body::from_stream(frames(body).take(events).chain(stream::iter([Ok(last)])))
}

/// The end of a body that breaks off. The data before it goes out first.
fn broken() -> impl Stream<Item = io::Result<Bytes>> {
    stream::once(async {
        tokio::task::yield_now().await;
        Err(io::ErrorKind::ConnectionAborted.into())
    })
}

fn broken_behind(body: Body, bytes: usize) -> Body {
    let beginning =
        stream::unfold((body.into_data_stream(), bytes), |(mut pieces, left)| async move {
            if left == 0 {
                return None;
            }
            let piece = pieces.next().await?.map_err(io::Error::other);
            let piece = piece.map(|piece| piece.slice(..piece.len().min(left)));
            let left = left - piece.as_ref().map_or(left, Bytes::len);
            Some((piece, (pieces, left)))
        });
    Body::from_stream(beginning.chain(broken()))
}

/// An event whose data breaks off in the middle.
fn garble(frame: Bytes) -> Bytes {
    let half = frame.len() / 2;
    // A character is never cut: the frame is malformed, not its encoding.
    let half = (0..=half)
        .rev()
        .find(|end| frame.get(*end).is_none_or(|byte| byte & 0xc0 != 0x80))
        .unwrap_or_default();
    Bytes::from([&frame[..half], b"\n\n"].concat())
}
