//! Copies passing bodies to the journal. Texts are kept; of other bodies, only the size is counted.
//! No body waits for the journal.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderMap, header},
    response::Response,
};
use futures_util::StreamExt;
use http_body_util::{BodyExt, Collected};
use hyper::body::Body as _;

use crate::{
    redact::KnownKeys,
    session::journal::{self, Journal, KeptText},
};

/// Copies the body of a request.
pub(super) fn request(
    journal: &Journal,
    headers: &HeaderMap,
    body: Body,
    keys: &Arc<KnownKeys>,
) -> (Body, journal::KeptBody) {
    if body.is_end_stream() {
        (body, journal::KeptBody::None)
    } else {
        show(journal, headers, body, keys)
    }
}

/// Copies the body of a response.
pub(super) async fn response(
    journal: &Journal,
    response: Response,
    keys: &Arc<KnownKeys>,
) -> (Response, journal::KeptBody) {
    let (parts, body) = response.into_parts();
    // A complete body comes in one piece, so it is kept without a wrapper around the body.
    if is_text(&parts.headers) && body.size_hint().exact().is_some() {
        let whole = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
        let kept = journal::KeptBody::Whole(KeptText::new(&whole, keys));
        return (Response::from_parts(parts, Body::from(whole)), kept);
    }
    let (body, kept) = show(journal, &parts.headers, body, keys);
    (Response::from_parts(parts, body), kept)
}

fn show(
    journal: &Journal,
    headers: &HeaderMap,
    body: Body,
    keys: &Arc<KnownKeys>,
) -> (Body, journal::KeptBody) {
    let passing = journal.passing(Arc::clone(keys));
    let (is_text, keeping) = (is_text(headers), Arc::clone(&passing));
    let pieces = body.into_data_stream().inspect(move |piece| match piece {
        Ok(piece) if is_text => keeping.keep(piece),
        Ok(piece) => keeping.count(piece.len()),
        Err(_) => {}
    });
    (Body::from_stream(pieces), journal::KeptBody::Passing(passing))
}

fn is_text(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else {
        return true;
    };
    let is = |wanted: &str| {
        kind.len() >= wanted.len()
            && kind.as_bytes()[..wanted.len()].eq_ignore_ascii_case(wanted.as_bytes())
    };
    is("application/json") || is("text/")
}
