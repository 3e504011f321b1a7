//! Spells every path as OpenAI does, without the session in front of it. Everything behind this, and
//! the routes, see it that way.

use std::sync::Arc;

use axum::extract::Request;

use super::{dialect::Dialect, uri::with_path};
use crate::types::ApiErrorKind;

/// The longest name of a session or a snapshot, in characters.
const NAME: usize = 64;

/// The session that a path names. Most name none.
#[derive(Clone)]
struct PathSession(Arc<str>);

pub(crate) fn normalise(request: &mut Request) -> Result<(), ApiErrorKind> {
    take_session(request)?;
    merge_slashes(request);
    Dialect::take(request);
    Ok(())
}

/// The session that the path of a request named, if it named one.
pub(super) fn session_of(request: &Request) -> Option<Arc<str>> {
    request.extensions().get::<PathSession>().map(|named| Arc::clone(&named.0))
}

/// Whether a session, or a snapshot of it, can be called this.
pub(crate) fn is_name(name: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let is_relative = matches!(name, "." | "..");
    (1..=NAME).contains(&name.len()) && name.bytes().all(sound) && !is_relative
}

/// Takes `/s/NAME` off the path. Where there is nothing behind it, or no name that can be one, the
/// path stays as it is and is an unknown one.
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
        // A base URL with a slash too many: there is nothing at it, and the answer says why.
        *request.uri_mut() = with_path(uri, rest).ok_or(unknown)?;
        return Ok(());
    }
    // A session is made for its API only, not for any path that somebody tries.
    if !["/v1/", "/openai/", "/_rehearsal/"].iter().any(|inside| rest.starts_with(inside)) {
        return Ok(());
    }
    let name = Arc::from(name);
    let inner = with_path(uri, rest).ok_or(unknown)?;
    *request.uri_mut() = inner;
    request.extensions_mut().insert(PathSession(name));
    Ok(())
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
    if let Some(uri) = with_path(request.uri(), &merged) {
        *request.uri_mut() = uri;
    }
}
