//! The door: every request comes in here before it is routed, and every answer goes out here.
//!
//! In: the host, the session in front of the path, the key, the beta header, in this order. Out: the
//! headers that every answer carries. A panic behind the door is a 500 in the right shape, and a line
//! in the log.

use std::{sync::Arc, time::Instant};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    error::{ApiError, Result},
    extract::Here,
    guard::{self, Hosts},
    key::{self, Keys},
};
use crate::{
    types::Refusal,
    world::{DEFAULT_SESSION, Worlds},
};

/// What the door needs to know.
#[derive(Clone)]
pub(crate) struct Door {
    pub worlds: Arc<Worlds>,
    pub keys: Arc<Keys>,
    pub hosts: Arc<Hosts>,
}

/// The path that answers to any host, so that a container's health check needs no name.
const HEALTH: &str = "/_rehearsal/health";

/// The longest name of a session, in characters.
const SESSION_NAME: usize = 64;

pub(crate) async fn pass(State(door): State<Door>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let (request_id, outcome) = door.let_in(request).await;
    let mut response = match outcome {
        // On a task of its own: what a client has asked for is done even if it hangs up meanwhile.
        Ok(request) => tokio::spawn(next.run(request)).await.unwrap_or_else(|error| {
            tracing::error!(%method, path, %error, "a handler panicked");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }),
        Err(error) => error.into_response(),
    };
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
        response = ApiError::from(Refusal::Internal { request_id: request_id.clone() }).into_response();
    }
    if ends_lines(&path) {
        response = with_newline(response).await;
    }
    tracing::debug!(%method, path, status = response.status().as_u16(), request_id, "answered");
    sign(&mut response, &request_id, begun);
    response
}

impl Door {
    /// Judges a request, puts its world in it, and names it. Whoever is not let in makes no new world, and
    /// is named by the default one.
    async fn let_in(&self, mut request: Request) -> (String, Result<Request>) {
        let target = request.uri().authority().map(|authority| authority.as_str().to_owned());
        let judged = take_session(&mut request);
        let judged = judged.and_then(|session| self.judge(target.as_deref(), &request).map(|()| session));
        // Anybody may ask after the server's health, so that makes no world either.
        let is_health = request.uri().path() == HEALTH;
        let session = judged.as_deref().ok().filter(|_| !is_health).unwrap_or(DEFAULT_SESSION);
        match self.worlds.enter(session).await {
            Ok(world) => {
                let request_id = world.ids.next_request();
                request.extensions_mut().insert(Here(world));
                (request_id, judged.map(|_| request).map_err(ApiError::from))
            }
            Err(error) => (self.worlds.stray_request_id(), Err(error.into())),
        }
    }

    /// The key is asked for before anybody is told what exists and what does not.
    fn judge(&self, target: Option<&str>, request: &Request) -> Result<(), Refusal> {
        let (path, headers) = (request.uri().path(), request.headers());
        if path == HEALTH {
            return Ok(());
        }
        self.hosts.judge(target, headers)?;
        guard::judge_origin(request.method(), headers)?;
        if path == "/v1" || path.starts_with("/v1/") {
            self.keys.judge(headers)?;
            key::judge_beta(path, headers)?;
        }
        Ok(())
    }
}

/// Whether JSON ends in a newline here: recorded of files and uploads, and of nothing else.
fn ends_lines(path: &str) -> bool {
    let path = path.strip_prefix("/s/").and_then(|rest| Some(&rest[rest.find('/')?..])).unwrap_or(path);
    ["/v1/files", "/v1/uploads"].iter().any(|resource| path.starts_with(resource))
}

async fn with_newline(response: Response) -> Response {
    if response.headers().get(CONTENT_TYPE).is_none_or(|kind| kind != "application/json") {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(json) = axum::body::to_bytes(body, usize::MAX).await else { return Response::from_parts(parts, Body::empty()) };
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from([&json, b"\n".as_slice()].concat()))
}

/// Takes `/s/NAME` off the path. Where there is nothing behind it, or no name that can be one, the path
/// stays as it is and is an unknown one.
fn take_session(request: &mut Request) -> Result<String, Refusal> {
    let uri = request.uri();
    let Some((name, rest)) = uri.path().strip_prefix("/s/").and_then(|rest| rest.split_at_checked(rest.find('/')?)) else {
        return Ok(DEFAULT_SESSION.to_owned());
    };
    let sound = (1..=SESSION_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if !sound {
        return Ok(DEFAULT_SESSION.to_owned());
    }
    let unknown = Refusal::UnknownUrl { method: request.method().to_string(), path: uri.path().to_owned() };
    // A world is made for its API only, not for any path that somebody tries.
    if !rest.starts_with("/v1/") && !rest.starts_with("/_rehearsal/") {
        return Ok(DEFAULT_SESSION.to_owned());
    }
    let name = name.to_owned();
    let inner = match uri.query() {
        Some(query) => format!("{rest}?{query}").parse(),
        None => rest.parse(),
    };
    *request.uri_mut() = inner.map_err(|_| unknown)?;
    Ok(name)
}

/// The headers that every answer carries. The organisation, whose value is made up, was recorded on all
/// but refused keys and faults of the server.
fn sign(response: &mut Response, request_id: &str, begun: Instant) {
    const VERSION: HeaderName = HeaderName::from_static("openai-version");
    const ORGANIZATION: HeaderName = HeaderName::from_static("openai-organization");
    const PROCESSING: HeaderName = HeaderName::from_static("openai-processing-ms");
    const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    let is_known = !matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(VERSION, HeaderValue::from_static("2020-10-01"));
    if is_known {
        headers.insert(ORGANIZATION, HeaderValue::from_static("rehearsal"));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(PROCESSING, HeaderValue::from(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)));
    if let Ok(request_id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, request_id);
    }
}
