//! The last changes to the responses of handlers: the request's id in an error of the server, and
//! the layout of JSON.

use std::fmt::Write as _;

use axum::{
    body::Body,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use bytes::Bytes;

use super::{error::ApiError, fault_effect::Finished, state::SessionRequest, uri::api_of};
use crate::types::{Api, ApiErrorKind};

/// The layout of JSON, which depends on the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Plain,
    /// It ends in a newline: recorded of files and uploads.
    Newline,
    /// All characters outside ASCII are escaped: recorded of responses and conversations.
    Ascii,
}

pub(crate) async fn write(to: &SessionRequest, ending: Ending, response: Response) -> Response {
    if response.extensions().get::<Finished>().is_some() {
        return response;
    }
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
        let kind = ApiErrorKind::Internal { request_id: to.request_id.to_string() };
        let mut told = ApiError::from(kind).into_response();
        *told.extensions_mut() = response.extensions().clone();
        told.extensions_mut().insert(Finished);
        return told;
    }
    match ending {
        Ending::Plain => response,
        Ending::Newline => rewritten(response, with_newline).await,
        Ending::Ascii => rewritten(challenged(response), in_ascii).await,
    }
}

impl Ending {
    pub(crate) fn of(path: &str) -> Self {
        if api_of(path) == Api::Responses {
            Self::Ascii
        } else if ["/v1/files", "/v1/uploads"].iter().any(|resource| path.starts_with(resource)) {
            Self::Newline
        } else {
            Self::Plain
        }
    }
}

/// A rejected key gets a challenge: recorded.
fn challenged(mut response: Response) -> Response {
    if response.status() == StatusCode::UNAUTHORIZED {
        let asks = HeaderValue::from_static("Bearer realm=\"OpenAI API\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, asks);
    }
    response
}

fn with_newline(json: Bytes) -> Bytes {
    [&json, b"\n".as_slice()].concat().into()
}

/// The same JSON in ASCII alone. Outside of strings, JSON has no other characters.
fn in_ascii(json: Bytes) -> Bytes {
    if json.is_ascii() {
        return json;
    }
    let mut ascii = String::with_capacity(json.len() * 2);
    for character in String::from_utf8_lossy(&json).chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(ascii, "\\u{unit:04x}").expect("writing to a string");
            }
        }
    }
    ascii.into()
}

async fn rewritten(response: Response, rewrite: fn(Bytes) -> Bytes) -> Response {
    if response.headers().get(CONTENT_TYPE).is_none_or(|kind| kind != "application/json") {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(json) = axum::body::to_bytes(body, usize::MAX).await else {
        return Response::from_parts(parts, Body::empty());
    };
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(rewrite(json)))
}
