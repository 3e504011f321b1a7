//! The headers of every response.

use std::time::Instant;

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header::X_CONTENT_TYPE_OPTIONS},
    response::Response,
};

const VERSION: HeaderName = HeaderName::from_static("openai-version");
const ORGANIZATION: HeaderName = HeaderName::from_static("openai-organization");
const PROJECT: HeaderName = HeaderName::from_static("openai-project");
const PROCESSING: HeaderName = HeaderName::from_static("openai-processing-ms");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Recorded: all responses have the organisation and the project, except those to rejected keys and
/// faults of the server. Here their values are made up. A request without a session gets its id
/// from the default session.
pub(crate) fn add(response: &mut Response, request_id: &str, begun: Instant) {
    let status = response.status();
    let headers = response.headers_mut();
    headers.reserve(8);
    headers.insert(VERSION, HeaderValue::from_static("2020-10-01"));
    if !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::INTERNAL_SERVER_ERROR) {
        headers.insert(ORGANIZATION, HeaderValue::from_static("rehearsal"));
        headers.insert(PROJECT, HeaderValue::from_static("proj_rehearsal"));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    headers.insert(PROCESSING, HeaderValue::from(took));
    if let Ok(request_id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, request_id);
    }
}
