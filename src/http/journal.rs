//! Notes requests and their responses in the journal of their session.

use std::{future::Future, sync::Arc, time::Instant};

use axum::{extract::Request, response::Response};
use compact_str::CompactString;

use super::{
    answer::OfRun, body_capture, dialect::Dialect, faults::SelectedFault, key, listen::NoAnswer,
    state::SessionRequest, uri::is_api,
};
use crate::{
    redact::KnownKeys,
    session::{
        OpenSession, SessionState,
        journal::{Journal, JournalEntry, KeptBody},
    },
    types::Timestamp,
};

/// Notes a request to the API with its response, if a journal is kept.
pub(crate) async fn note<F: Future<Output = Response>>(
    to: &SessionRequest,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let SessionRequest { session, state, request_id, observes } = to;
    if *observes || !is_api(request.uri().path()) {
        return next(request).await;
    }
    // Other parts keep texts, too, and must know which keys to remove.
    let keys =
        session.journal.known(key::sent(&Dialect::from_request(&request), request.headers()));
    if !session.journal.is_kept() {
        return next(request).await;
    }
    let line = Line::new(state, &request, request_id);
    let (parts, body) = request.into_parts();
    let (body, shown) = body_capture::request(&session.journal, &parts.headers, body, &keys);
    let response = next(Request::from_parts(parts, body)).await;
    line.note(session, response, shown, &keys).await
}

/// The facts of a request that are known before its response.
struct Line {
    id: String,
    created_at: Timestamp,
    begun: Instant,
    method: CompactString,
    path: String,
    query: Option<String>,
}

impl Line {
    fn new(state: &SessionState, request: &Request, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            created_at: state.clock.now().seconds(),
            begun: Instant::now(),
            method: request.method().as_str().into(),
            path: Dialect::from_request(request)
                .azure
                .map_or_else(|| request.uri().path().to_owned(), |azure| azure.path.clone()),
            query: request.uri().query().map(str::to_owned),
        }
    }

    /// Notes the request with its response, and returns the response.
    async fn note(
        self,
        session: &OpenSession,
        response: Response,
        request: KeptBody,
        keys: &Arc<KnownKeys>,
    ) -> Response {
        let is_cut = response.extensions().get::<NoAnswer>().is_some();
        let run = response.extensions().get::<OfRun>().map(|of| of.0.clone());
        let fault =
            response.extensions().get::<SelectedFault>().map(|selected| selected.0.called());
        let status = (!is_cut).then_some(response.status().as_u16());
        let (response, shown) = body_capture::response(&session.journal, response, keys).await;
        let entry = Arc::new(JournalEntry {
            id: self.id,
            created_at: self.created_at,
            duration: self.begun.elapsed(),
            method: self.method,
            path: Journal::clean_url(&self.path, keys),
            query: self.query.map(|query| Journal::clean_url(&query, keys)),
            status,
            request,
            response: shown,
            run,
            fault,
        });
        session.events.publish("request", || entry.to_json(None).to_string());
        session.journal.note(entry);
        response
    }
}
