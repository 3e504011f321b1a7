//! Shows the bodies that go by to the journal. Texts are kept, all else is counted; nothing waits for it.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderMap, header},
    response::Response,
};
use futures_util::StreamExt;
use http_body_util::BodyExt;
use hyper::body::Body as _;

use crate::world::journal::{self, Journal};

/// The body of a request or an answer, and what the journal keeps of it.
pub(crate) struct Shown {
    pub body: Body,
    pub kept: Arc<journal::Body>,
}

/// Shows a request's body.
pub(crate) fn request(journal: &Journal, headers: &HeaderMap, body: Body, key: Option<&str>) -> Shown {
    let kept = journal.body();
    if body.is_end_stream() {
        return Shown { body, kept };
    }
    show(headers, body, kept, key)
}

/// Shows an answer's body.
pub(crate) async fn response(journal: &Journal, response: Response, key: Option<&str>) -> (Response, Arc<journal::Body>) {
    let kept = journal.body();
    let (parts, body) = response.into_parts();
    // What is there as a whole is kept as it is, without another body around it.
    if is_text(&parts.headers) && body.size_hint().exact().is_some() {
        let Ok(whole) = body.collect().await else { return (Response::from_parts(parts, Body::empty()), kept) };
        let whole = whole.to_bytes();
        kept.keep(whole.clone(), key);
        return (Response::from_parts(parts, Body::from(whole)), kept);
    }
    let Shown { body, kept } = show(&parts.headers, body, kept, key);
    (Response::from_parts(parts, body), kept)
}

fn show(headers: &HeaderMap, body: Body, kept: Arc<journal::Body>, key: Option<&str>) -> Shown {
    let (is_text, key, keeping) = (is_text(headers), key.map(str::to_owned), Arc::clone(&kept));
    let pieces = body.into_data_stream().inspect(move |piece| match piece {
        Ok(piece) if is_text => keeping.keep(piece.clone(), key.as_deref()),
        Ok(piece) => keeping.count(piece.len()),
        Err(_) => {}
    });
    Shown { body: Body::from_stream(pieces), kept }
}

fn is_text(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else { return true };
    let is = |wanted: &str| kind.len() >= wanted.len() && kind.as_bytes()[..wanted.len()].eq_ignore_ascii_case(wanted.as_bytes());
    is("application/json") || is("text/")
}
