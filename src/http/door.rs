//! The door: every request comes in here before it is routed, and every answer goes out here.
//!
//! In: the host, the session in front of the path, the key, the beta header, in this order. Out: the
//! headers that every answer carries. A panic behind the door is a 500 in the right shape, and a line
//! in the log.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::X_CONTENT_TYPE_OPTIONS, uri::InvalidUri},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;

use super::{
    error::ApiError,
    extract::Here,
    guard::{self, Hosts},
    key::{self, Keys},
};
use crate::{
    types::Refusal,
    world::{DEFAULT_SESSION, World, Worlds},
};

type Result<T, E = ApiError> = std::result::Result<T, E>;

/// What the door needs to know.
#[derive(Clone)]
pub struct Door {
    pub worlds: Arc<Worlds>,
    pub keys: Arc<Keys>,
    pub hosts: Arc<Hosts>,
}

/// The path that answers to any host, so that a container's health check needs no name.
const HEALTH: &str = "/_rehearsal/health";

/// The longest name of a session, in characters.
const SESSION_NAME: usize = 64;

pub async fn pass(State(door): State<Door>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let (world, outcome) = door.let_in(request).await;
    let request_id = world.map_or_else(String::new, |world| world.ids.next_request());
    let mut response = match outcome {
        Ok(request) => AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(%method, path, "a handler panicked");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }),
        Err(error) => error.into_response(),
    };
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
        response = ApiError::from(Refusal::Internal { request_id: request_id.clone() }).into_response();
    }
    tracing::debug!(%method, path, status = response.status().as_u16(), request_id, "answered");
    sign(response.headers_mut(), &request_id, begun);
    response
}

impl Door {
    /// Judges a request and puts its world in it. The world is there to name the answer, refusal or not.
    async fn let_in(&self, mut request: Request) -> (Option<Arc<World>>, Result<Request>) {
        let judged = self.judge_host(&request);
        let session = match (&judged, take_session(&mut request)) {
            (Ok(()), Ok(session)) => session,
            // Whoever is not let in makes no new world.
            (Err(_), _) | (_, Err(_)) => DEFAULT_SESSION.to_owned(),
        };
        let world = match self.worlds.enter(&session).await {
            Ok(world) => world,
            Err(error) => return (None, Err(error.into())),
        };
        let judged = judged.and_then(|()| self.judge_caller(&request));
        request.extensions_mut().insert(Here(Arc::clone(&world)));
        (Some(world), judged.map(|()| request).map_err(ApiError::from))
    }

    fn judge_host(&self, request: &Request) -> Result<(), Refusal> {
        if request.uri().path().ends_with(HEALTH) {
            return Ok(());
        }
        self.hosts.judge(request.headers())?;
        guard::judge_origin(request.method(), request.headers())
    }

    /// The key is asked for before anybody is told what exists and what does not.
    fn judge_caller(&self, request: &Request) -> Result<(), Refusal> {
        let path = request.uri().path();
        if path != "/v1" && !path.starts_with("/v1/") {
            return Ok(());
        }
        self.keys.judge(request.headers())?;
        key::judge_beta(path, request.headers())
    }
}

/// Takes `/s/NAME` off the path. A name that cannot be one stays where it is, and is an unknown path.
fn take_session(request: &mut Request) -> Result<String, InvalidUri> {
    let path = request.uri().path();
    let Some((name, rest)) = path.strip_prefix("/s/").map(|rest| rest.split_at(rest.find('/').unwrap_or(rest.len()))) else {
        return Ok(DEFAULT_SESSION.to_owned());
    };
    let sound = (1..=SESSION_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if !sound {
        return Ok(DEFAULT_SESSION.to_owned());
    }
    let (name, rest) = (name.to_owned(), if rest.is_empty() { "/" } else { rest });
    let uri = match request.uri().query() {
        Some(query) => format!("{rest}?{query}").parse()?,
        None => rest.parse()?,
    };
    *request.uri_mut() = uri;
    Ok(name)
}

/// The headers that every answer carries. The organisation is the only one whose value is made up.
fn sign(headers: &mut HeaderMap, request_id: &str, begun: Instant) {
    const VERSION: HeaderName = HeaderName::from_static("openai-version");
    const ORGANIZATION: HeaderName = HeaderName::from_static("openai-organization");
    const PROCESSING: HeaderName = HeaderName::from_static("openai-processing-ms");
    const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    headers.insert(VERSION, HeaderValue::from_static("2020-10-01"));
    headers.insert(ORGANIZATION, HeaderValue::from_static("rehearsal"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(PROCESSING, HeaderValue::from(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)));
    if let Ok(request_id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, request_id);
    }
}
