//! The last touch on what handlers answer: the request's id in a fault of the server, and how JSON
//! ends.

use axum::{
    body::Body,
    http::{
        StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};

use super::{error::ApiError, fault_effect::Finished, state::SessionRequest};
use crate::types::ApiErrorKind;

pub(crate) async fn write(to: &SessionRequest, ends_lines: bool, response: Response) -> Response {
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
    if ends_lines { with_newline(response).await } else { response }
}

/// Whether JSON ends in a newline here: recorded of files and uploads, and of nothing else.
pub(crate) fn ends_lines(path: &str) -> bool {
    ["/v1/files", "/v1/uploads"].iter().any(|resource| path.starts_with(resource))
}

async fn with_newline(response: Response) -> Response {
    if response.headers().get(CONTENT_TYPE).is_none_or(|kind| kind != "application/json") {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(json) = axum::body::to_bytes(body, usize::MAX).await else {
        return Response::from_parts(parts, Body::empty());
    };
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from([&json, b"\n".as_slice()].concat()))
}
