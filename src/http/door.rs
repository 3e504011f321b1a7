//! The door: every request comes in here before it is routed, and every answer goes out here.
//!
//! In: the host, the session in front of the path, a fault if one strikes, the key, the version, in
//! this order. Out: the headers that every answer carries, and a line in the journal. A panic
//! behind the door is a 500 in the right shape, and a line in the log.

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
use futures_util::StreamExt;

use super::{
    damage::{self, Finished},
    error::{ApiError, Result},
    extract::{Here, InSession},
    faults,
    guard::{self, Hosts},
    journal,
    key::{self, Keys},
    manner::{Manner, Policy},
};
use crate::{
    types::{Refusal, limits},
    world::{DEFAULT_SESSION, Session, Stay, World, Worlds},
};

/// What the door needs to know.
#[derive(Clone)]
pub(crate) struct Door {
    pub worlds: Arc<Worlds>,
    pub keys: Arc<Keys>,
    pub hosts: Arc<Hosts>,
    pub policy: Policy,
}

/// The path that answers to any host, so that a container's health check needs no name.
const HEALTH: &str = "/_rehearsal/health";

/// The longest name of a session or a snapshot, in characters.
const NAME: usize = 64;

pub(crate) async fn pass(State(door): State<Door>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let Visit { session, world, request_id, outcome } = match door.let_in(request).await {
        Ok(visit) => visit,
        Err((request_id, error)) => return signed(error.into_response(), &request_id, begun),
    };
    let response = match outcome {
        Ok(request) if is_api(request.uri().path()) => {
            attended(&door, &session, &world, request, next, &request_id, begun).await
        }
        Ok(request) => {
            finished(answered(request, next, &request_id, None).await, false, &request_id).await
        }
        Err(refusal) => ApiError::from(refusal).into_response(),
    };
    tracing::debug!(status = response.status().as_u16(), request_id, "answered");
    signed(response, &request_id, begun)
}

/// A request that has come to a session, or was refused at the door.
struct Visit {
    session: Arc<Session>,
    world: Arc<World>,
    request_id: String,
    outcome: Result<Request, Refusal>,
}

impl Door {
    /// Judges where a request comes from, puts its session in it, and names it. Whoever is not let
    /// in makes no new session, and is named by the default one.
    async fn let_in(&self, mut request: Request) -> Result<Visit, (String, ApiError)> {
        let target = request.uri().authority().map(|authority| authority.as_str().to_owned());
        let judged = take_session(&mut request);
        merge_slashes(&mut request);
        Manner::take(&mut request);
        let judged =
            judged.and_then(|session| self.judge(target.as_deref(), &request).map(|()| session));
        // A session is not made for a key that is refused; one that is there may have faults, which
        // come before that.
        let judged =
            judged.and_then(|name| match is_api(request.uri().path()) && !self.worlds.has(&name) {
                true => self.keys.judge(&Manner::of(&request), request.headers()).map(|()| name),
                false => Ok(name),
            });
        // Anybody may ask after the server's health, so that makes no session either.
        let is_health = request.uri().path() == HEALTH;
        let name = judged.as_deref().ok().filter(|_| !is_health).unwrap_or(DEFAULT_SESSION);
        match self.worlds.enter(name).await {
            Ok(session) => {
                let world = session.world();
                let request_id = world.ids.next_request();
                request.extensions_mut().insert(InSession(Arc::clone(&session)));
                Ok(Visit { session, world, request_id, outcome: judged.map(|_| request) })
            }
            Err(error) => Err((self.worlds.stray_request_id(), error.into())),
        }
    }

    /// The key is asked for before anybody is told what exists and what does not.
    fn judge_api(&self, request: &Request) -> Result<Manner, Refusal> {
        let manner = Manner::of(request);
        self.keys.judge(&manner, request.headers())?;
        manner.judge(self.policy, request)
    }

    fn judge(&self, target: Option<&str>, request: &Request) -> Result<(), Refusal> {
        if request.uri().path() == HEALTH {
            return Ok(());
        }
        self.hosts.judge(target, request.headers())?;
        guard::judge_origin(request.method(), request.headers())
    }
}

fn is_api(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
}

/// What is done on a task of its own is done even if the client hangs up meanwhile.
async fn answered(request: Request, next: Next, request_id: &str, stay: Option<Stay>) -> Response {
    tracing::debug!(method = %request.method(), path = request.uri().path(), request_id, "asked");
    let work = async move {
        let response = next.run(request).await;
        drop(stay);
        response
    };
    tokio::spawn(work).await.unwrap_or_else(|error| {
        tracing::error!(request_id, %error, "a handler panicked");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

/// Answers a request to the API: with a fault if one strikes, else if the key and the version are
/// right; and notes all that in the journal.
async fn attended(
    door: &Door,
    session: &Session,
    world: &World,
    request: Request,
    next: Next,
    request_id: &str,
    begun: Instant,
) -> Response {
    let line = journal::Line::of(world, &request, request_id, begun);
    let (request, fault) = faults::strike(world, request).await;
    let secret = session.journal.secret(&key::sent(&Manner::of(&request), request.headers()));
    let (request, shown) = journal::shown(session, request, secret.as_ref());
    if let Some(delay) = fault.as_ref().and_then(|fault| fault.delay) {
        tokio::time::sleep(delay).await;
    }
    let damage = fault.as_ref().and_then(|fault| fault.damage.as_ref());
    let ends_lines = ends_lines(request.uri().path());
    let response = match damage.and_then(|damage| damage::instead(damage, request_id)) {
        Some(response) => {
            drain(request).await;
            response
        }
        None => match door.judge_api(&request) {
            Ok(manner) => carried_out(session, manner, request, next, request_id).await,
            Err(refusal) => ApiError::from(refusal).into_response(),
        },
    };
    let mut response = finished(response, ends_lines, request_id).await;
    if let Some(damage) = damage {
        response = damage::damaged(damage, response, request_id);
    }
    line.note(session, response, shown, fault.as_deref(), secret.as_ref()).await
}

/// Does what is asked for in the world of this moment, which stays until it is done.
async fn carried_out(
    session: &Session,
    manner: Manner,
    mut request: Request,
    next: Next,
    request_id: &str,
) -> Response {
    let (world, stay) = session.stay().await;
    request.extensions_mut().insert(manner.clone());
    request.extensions_mut().insert(Here { world, manner });
    answered(request, next, request_id, Some(stay)).await
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

/// What only the door knows of an answer: the request's id in a fault of the server, and how the
/// JSON ends.
async fn finished(response: Response, ends_lines: bool, request_id: &str) -> Response {
    let is_ours = response.extensions().get::<Finished>().is_none();
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR && is_ours {
        let extensions = response.extensions().clone();
        let mut response =
            ApiError::from(Refusal::Internal { request_id: request_id.to_owned() }).into_response();
        *response.extensions_mut() = extensions;
        response.extensions_mut().insert(Finished);
        return response;
    }
    if ends_lines && is_ours { with_newline(response).await } else { response }
}

/// Whether JSON ends in a newline here: recorded of files and uploads, and of nothing else.
fn ends_lines(path: &str) -> bool {
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

/// Whether a session, or a snapshot of it, can be called this.
pub(crate) fn is_name(name: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=NAME).contains(&name.len()) && name.bytes().all(sound)
}

/// Takes `/s/NAME` off the path. Where there is nothing behind it, or no name that can be one, the
/// path stays as it is and is an unknown one.
fn take_session(request: &mut Request) -> Result<String, Refusal> {
    let uri = request.uri();
    let Some((name, rest)) =
        uri.path().strip_prefix("/s/").and_then(|rest| rest.split_at_checked(rest.find('/')?))
    else {
        return Ok(DEFAULT_SESSION.to_owned());
    };
    if !is_name(name) {
        return Ok(DEFAULT_SESSION.to_owned());
    }
    let unknown =
        Refusal::UnknownUrl { method: request.method().to_string(), path: uri.path().to_owned() };
    // A world is made for its API only, not for any path that somebody tries.
    if !["/v1/", "/openai/", "/_rehearsal/"].iter().any(|inside| rest.starts_with(inside)) {
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

/// Makes one slash of several within the path, as the service did: `/v1/threads//messages`, where
/// an id is missing, is `/v1/threads/messages`. A path that begins with two stays: there is nothing
/// at it.
fn merge_slashes(request: &mut Request) {
    let path = request.uri().path();
    if path.starts_with("//") || !path.contains("//") {
        return;
    }
    let segments: Vec<_> = path
        .split('/')
        .enumerate()
        .filter(|(place, segment)| *place == 0 || !segment.is_empty())
        .collect();
    let mut merged: String =
        segments.iter().map(|(_, segment)| *segment).collect::<Vec<_>>().join("/");
    if path.ends_with('/') {
        merged.push('/');
    }
    if let Some(query) = request.uri().query() {
        merged = format!("{merged}?{query}");
    }
    if let Ok(uri) = merged.parse() {
        *request.uri_mut() = uri;
    }
}

/// The headers that every answer carries. The organisation and the project, whose values are made
/// up, were recorded on all but refused keys and faults of the server.
fn signed(mut response: Response, request_id: &str, begun: Instant) -> Response {
    const VERSION: HeaderName = HeaderName::from_static("openai-version");
    const ORGANIZATION: HeaderName = HeaderName::from_static("openai-organization");
    const PROJECT: HeaderName = HeaderName::from_static("openai-project");
    const PROCESSING: HeaderName = HeaderName::from_static("openai-processing-ms");
    const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    let is_known =
        !matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(VERSION, HeaderValue::from_static("2020-10-01"));
    if is_known {
        headers.insert(ORGANIZATION, HeaderValue::from_static("rehearsal"));
        headers.insert(PROJECT, HeaderValue::from_static("proj_rehearsal"));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        PROCESSING,
        HeaderValue::from(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)),
    );
    if let Ok(request_id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, request_id);
    }
    response
}
