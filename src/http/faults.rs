//! Faults: a fault of the fixtures may apply to a request, before the check of its key.

use std::{future::Future, sync::Arc};

use axum::{body::Body, extract::Request, http::header, response::Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::{
    dialect::Dialect,
    fault_effect,
    state::SessionRequest,
    uri::{api_of, is_api},
};
use crate::{fixture::Fault, session::SessionState, types::limits};

/// The fault that applies to a request.
#[derive(Clone)]
pub(super) struct SelectedFault(pub Arc<Fault>);

pub(crate) async fn select_fault<F: Future<Output = Response>>(
    to: &SessionRequest,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    if to.observes || !to.state.fixtures.has_faults() || !is_api(request.uri().path()) {
        return next(request).await;
    }
    let (request, fault) = select(&to.state, request).await;
    let Some(fault) = fault else { return next(request).await };
    if let Some(delay) = fault.delay {
        tokio::time::sleep(delay).await;
    }
    let effect = fault.effect.as_ref();
    let api = api_of(request.uri().path());
    let instead = effect.and_then(|effect| fault_effect::instead(effect, &to.request_id));
    let mut response = match instead {
        Some(response) => {
            drain(request).await;
            response
        }
        None => next(request).await,
    };
    if let Some(effect) = effect {
        response = fault_effect::damaged(effect, response, api, &to.request_id);
    }
    response.extensions_mut().insert(SelectedFault(fault));
    response
}

/// Reads a body that nobody needs. Otherwise a client that still sends could not read its answer.
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

/// The fault that applies to a request, if there is one. This reads no more of the request's body
/// than it needs.
async fn select(state: &SessionState, request: Request) -> (Request, Option<Arc<Fault>>) {
    let (method, path) = (request.method().as_str(), request.uri().path());
    let faults = state.fixtures.faults();
    // A fault may name a path of Azure's as the client sent it, or as OpenAI spells it.
    let azure = Dialect::from_request(&request).azure;
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
    let fault = state.fault_counters.next(&faults, &state.ids);
    (request, fault)
}

/// Whether a request says `stream: true`, in its body or its query. The body stays unchanged.
async fn asks_for_stream(request: Request) -> (Request, bool) {
    let (parts, body) = request.into_parts();
    // A query streams a response in the background again.
    let mut query = parts.uri.query().into_iter().flat_map(|query| query.split('&'));
    if query.any(|pair| pair == "stream=true") {
        return (Request::from_parts(parts, body), true);
    }
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
            // The next reader gets the same error.
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
