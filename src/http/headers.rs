//! The headers that every answer carries.

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

/// The organisation and the project, whose values are made up, were recorded on all but refused
/// keys and faults of the server. A request that came to no session is named by the default one.
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
