//! Which fault strikes a request.

use std::sync::Arc;

use axum::{body::Body, extract::Request};
use serde_json::Value;

use crate::{fixture::Fault, types::limits, world::World};

/// The fault that strikes, if one does. Of a request's body no more is read than it takes to know that.
pub(super) async fn strike(world: &World, request: Request) -> (Request, Option<Arc<Fault>>) {
    if !world.repertoire.has_faults() {
        return (request, None);
    }
    let (method, path) = (request.method().as_str(), request.uri().path());
    let faults = world.repertoire.faults();
    let mut faults: Vec<_> = faults.into_iter().filter(|fault| fault.when.includes(method, path)).collect();
    if faults.is_empty() {
        return (request, None);
    }
    let request = if faults.iter().any(|fault| fault.when.stream.is_some()) {
        let (request, streams) = asks_for_stream(request).await;
        faults.retain(|fault| fault.when.stream.is_none_or(|wanted| wanted == streams));
        request
    } else {
        request
    };
    let fault = world.strikes.next(&faults, &world.ids);
    (request, fault)
}

/// Whether the body of a request says `stream: true`. What is too large for that is left as it is.
async fn asks_for_stream(request: Request) -> (Request, bool) {
    let (parts, body) = request.into_parts();
    let declared = parts.headers.get("content-length").and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|bytes| bytes > limits::JSON_BODY) {
        return (Request::from_parts(parts, body), false);
    }
    let bytes = axum::body::to_bytes(body, limits::JSON_BODY).await.unwrap_or_default();
    let streams = serde_json::from_slice::<Value>(&bytes).is_ok_and(|body| body["stream"] == true);
    (Request::from_parts(parts, Body::from(bytes)), streams)
}
