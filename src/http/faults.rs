//! Faults: a request may be struck by one of the fixtures', before anybody looks at its key.

use std::sync::Arc;

use axum::{body::Body, extract::Request, http::header, middleware::Next, response::Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::{damage, manner::Manner, state::Visit, uri::is_api};
use crate::{fixture::Fault, types::limits, world::World};

/// The fault that struck a request.
#[derive(Clone)]
pub(super) struct Struck(pub Arc<Fault>);

pub(crate) async fn strike(visit: Visit, request: Request, next: Next) -> Response {
    if !is_api(request.uri().path()) {
        return next.run(request).await;
    }
    let (request, fault) = select(&visit.world, request).await;
    let Some(fault) = fault else { return next.run(request).await };
    if let Some(delay) = fault.delay {
        tokio::time::sleep(delay).await;
    }
    let damage = fault.damage.as_ref();
    let instead = damage.and_then(|damage| damage::instead(damage, &visit.request_id));
    let mut response = match instead {
        Some(response) => {
            drain(request).await;
            response
        }
        None => next.run(request).await,
    };
    if let Some(damage) = damage {
        response = damage::damaged(damage, response, &visit.request_id);
    }
    response.extensions_mut().insert(Struck(fault));
    response
}

/// Reads what nobody is going to look at: a client that still sends would not get to read its
/// answer.
async fn drain(request: Request) {
    let mut pieces = request.into_body().into_data_stream();
    let mut left = limits::JSON_BODY;
    while let Some(Ok(piece)) = pieces.next().await {
        left = left.saturating_sub(piece.len());
        if left == 0 {
            return;
        }
    }
}

/// The fault that strikes, if one does. Of a request's body no more is read than it takes to know
/// that.
async fn select(world: &World, request: Request) -> (Request, Option<Arc<Fault>>) {
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
