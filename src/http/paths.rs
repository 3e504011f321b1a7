//! Converts every path to OpenAI's spelling, without the session at its start. All later layers and
//! the routes see this spelling.

use std::sync::Arc;

use axum::extract::Request;

use super::{dialect::Dialect, uri::with_path};
use crate::types::ApiErrorKind;

/// The maximum length of the name of a session or a snapshot, in characters.
const NAME: usize = 64;

/// The session in a path. Most paths have none.
#[derive(Clone)]
struct PathSession(Arc<str>);

pub(crate) fn normalise(request: &mut Request) -> Result<(), ApiErrorKind> {
    take_session(request)?;
    merge_slashes(request);
    Dialect::take(request);
    Ok(())
}

/// The session in the path of a request, if there is one.
pub(super) fn session_of(request: &Request) -> Option<Arc<str>> {
    request.extensions().get::<PathSession>().map(|named| Arc::clone(&named.0))
}

/// Whether this is a valid name for a session or a snapshot.
pub(crate) fn is_name(name: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let is_relative = matches!(name, "." | "..");
    (1..=NAME).contains(&name.len()) && name.bytes().all(sound) && !is_relative
}

/// Removes `/s/NAME` from the path. If the name is invalid or nothing follows it, the path does not
/// change, and no route knows it.
fn take_session(request: &mut Request) -> Result<(), ApiErrorKind> {
    let uri = request.uri();
    let Some((name, rest)) =
        uri.path().strip_prefix("/s/").and_then(|rest| rest.split_at_checked(rest.find('/')?))
    else {
        return Ok(());
    };
    if !is_name(name) {
        return Ok(());
    }
    let unknown = ApiErrorKind::UnknownUrl {
        method: request.method().to_string(),
        path: uri.path().to_owned(),
    };
    if rest.starts_with("//") {
        // The base URL has one slash too many. No route has this path, and the error response says
        // why.
        *request.uri_mut() = with_path(uri, rest).ok_or(unknown)?;
        return Ok(());
    }
    // A request creates a session only for a path of the API, not for any path.
    if !["/v1/", "/openai/", "/_rehearsal/"].iter().any(|inside| rest.starts_with(inside)) {
        return Ok(());
    }
    let name = Arc::from(name);
    let inner = with_path(uri, rest).ok_or(unknown)?;
    *request.uri_mut() = inner;
    request.extensions_mut().insert(PathSession(name));
    Ok(())
}

/// Merges repeated slashes within the path, as the service did. If an id is missing,
/// `/v1/threads//messages` becomes `/v1/threads/messages`. A path with two slashes at its start
/// does not change, and no route has it.
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
    if let Some(uri) = with_path(request.uri(), &merged) {
        *request.uri_mut() = uri;
    }
}
