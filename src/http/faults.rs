//! Which fault strikes a request.

use std::sync::Arc;

use axum::{body::Body, extract::Request, http::header};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::manner::Manner;
use crate::{fixture::Fault, types::limits, world::World};

/// The fault that strikes, if one does. Of a request's body no more is read than it takes to know
/// that.
pub(super) async fn strike(world: &World, request: Request) -> (Request, Option<Arc<Fault>>) {
    if !world.repertoire.has_faults() {
        return (request, None);
    }
    let (method, path) = (request.method().as_str(), request.uri().path());
    let faults = world.repertoire.faults();
    // A path of Azure's may be named as it was sent, or as OpenAI spells it.
    let azure = Manner::of(&request).azure;
    let is_meant = |fault: &Fault| {
        fault.when.includes(method, path)
            || azure.as_ref().is_some_and(|azure| fault.when.includes(method, &azure.path))
    };
    let mut faults: Vec<_> = faults.into_iter().filter(|fault| is_meant(fault)).collect();
    if faults.is_empty() {
        return (request, None);
    }
    let request = if faults.iter().any(|fault| fault.stream().is_some()) {
        let (request, streams) = asks_for_stream(request).await;
        faults.retain(|fault| fault.stream().is_none_or(|wanted| wanted == streams));
        request
    } else {
        request
    };
    let fault = world.strikes.next(&faults, &world.ids);
    (request, fault)
}

/// Whether the body of a request says `stream: true`. The body is put back as it was.
async fn asks_for_stream(request: Request) -> (Request, bool) {
    let (parts, body) = request.into_parts();
    let is_json = parts
        .headers
        .get(header::CONTENT_TYPE)
        .is_none_or(|kind| kind.as_bytes().starts_with(b"application/json"));
    if !is_json {
        return (Request::from_parts(parts, body), false);
    }
    let (mut pieces, mut read) = (body.into_data_stream(), Vec::new());
    while read.len() <= limits::JSON_BODY {
        match pieces.next().await {
            Some(Ok(piece)) => read.extend_from_slice(&piece),
            // Whoever reads it next meets the same error.
            Some(Err(error)) => {
                let broken = stream::iter([Ok(Bytes::from(read)), Err(error)]);
                return (Request::from_parts(parts, Body::from_stream(broken)), false);
            }
            None => {
                let streams =
                    serde_json::from_slice::<Value>(&read).is_ok_and(|body| body["stream"] == true);
                return (Request::from_parts(parts, Body::from(read)), streams);
            }
        }
    }
    let whole = stream::iter([Ok(Bytes::from(read))]).chain(pieces);
    (Request::from_parts(parts, Body::from_stream(whole)), false)
}
