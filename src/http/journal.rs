//! Notes requests and what was answered in the journal of their session.

use std::{sync::Arc, time::Instant};

use axum::{extract::Request, response::Response};
use compact_str::CompactString;

use super::{answer::OfRun, listen::NoAnswer, manner::Manner, tee};
use crate::{
    fixture::Fault,
    types::Timestamp,
    world::{
        Session, World,
        journal::{Body, Entry, Secret, without_secrets},
    },
};

/// A request, as far as it is known before it is answered.
pub(super) struct Line {
    id: String,
    created_at: Timestamp,
    begun: Instant,
    method: CompactString,
    path: String,
    query: Option<String>,
}

impl Line {
    pub(super) fn of(world: &World, request: &Request, id: &str, begun: Instant) -> Self {
        Self {
            id: id.to_owned(),
            created_at: world.clock.now().seconds(),
            begun,
            method: request.method().as_str().into(),
            path: Manner::of(request)
                .azure
                .map_or_else(|| request.uri().path().to_owned(), |azure| azure.path.clone()),
            query: request.uri().query().map(str::to_owned),
        }
    }

    /// Notes the request with its answer, which goes on its way.
    pub(super) async fn note(
        self,
        session: &Session,
        response: Response,
        request: Body,
        fault: Option<&Fault>,
        secret: Option<&Arc<Secret>>,
    ) -> Response {
        if !session.journal.is_kept() {
            return response;
        }
        let is_cut = response.extensions().get::<NoAnswer>().is_some();
        let run = response.extensions().get::<OfRun>().map(|of| of.0.clone());
        let status = (!is_cut).then_some(response.status().as_u16());
        let (response, shown) = tee::response(&session.journal, response, secret).await;
        let entry = Arc::new(Entry {
            id: self.id,
            created_at: self.created_at,
            duration: self.begun.elapsed(),
            method: self.method,
            path: self.path,
            query: self.query.map(|query| clean(&query, secret)),
            status,
            request,
            response: shown,
            run,
            fault: fault.map(|fault| fault.called()),
        });
        session.feed.tell("request", || entry.shown(None).to_string());
        session.journal.note(entry);
        response
    }
}

/// Shows the body of a request to the journal, if one is kept.
pub(super) fn shown(
    session: &Session,
    request: Request,
    secret: Option<&Arc<Secret>>,
) -> (Request, Body) {
    if !session.journal.is_kept() {
        return (request, Body::None);
    }
    let (parts, body) = request.into_parts();
    let (body, kept) = tee::request(&session.journal, &parts.headers, body, secret);
    (Request::from_parts(parts, body), kept)
}

fn clean(text: &str, secret: Option<&Arc<Secret>>) -> String {
    String::from_utf8_lossy(&without_secrets(text.as_bytes(), secret.map(Arc::as_ref))).into_owned()
}
