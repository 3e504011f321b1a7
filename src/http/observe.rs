//! The records of every response: counts for the metrics, and an event for the log.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use axum::{
    body::Body,
    extract::Request,
    http::{Method, header},
    response::Response,
};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::{answer::OfRun, dialect::Dialect, observer::observes, sse, state::SessionRequest};
use crate::{
    metrics::{Metrics, OpenStream, Route},
    session::journal::Journal,
    types::{Id, Resource, Run},
};

/// The target of the log events for requests.
pub(crate) const REQUEST: &str = "rehearsal::request";

/// Marks a response to a path that the server does not have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoRoute;

/// A request in progress.
pub(crate) struct Observed {
    /// Whether it leaves no record.
    is_quiet: bool,
    begun: Instant,
    method: Method,
    route: Route,
    /// The path in the spelling of the client, if it is logged.
    path: Option<String>,
    /// The run that the path names, if it is logged.
    run: Option<Id<Run>>,
}

impl Observed {
    pub(crate) fn begin(request: &Request, begun: Instant) -> Self {
        let is_logged = tracing::enabled!(target: REQUEST, tracing::Level::DEBUG);
        let path = is_logged.then(|| request.uri().path().to_owned());
        let (is_quiet, method) = (observes(request), request.method().clone());
        Self { is_quiet, begun, method, route: Route::NONE, path, run: None }
    }

    /// Notes the route of the request, after its path has OpenAI's spelling.
    pub(crate) fn admitted(&mut self, request: &Request) {
        let azure = Dialect::from_request(request).azure;
        let path = azure.as_ref().map_or_else(|| request.uri().path(), |azure| &azure.path);
        self.route = Route::of(path);
        if self.path.is_some() {
            self.run = path.split('/').find(|it| it.starts_with(Run::PREFIX)).map(Id::new);
        }
    }

    /// Counts the request and logs it. A stream counts as open until its body is dropped.
    pub(crate) fn end(
        self,
        metrics: &Metrics,
        to: Option<&SessionRequest>,
        response: Response,
    ) -> Response {
        if self.is_quiet {
            return response;
        }
        let is_known = response.extensions().get::<NoRoute>().is_none();
        let route = if is_known { self.route } else { Route::NONE };
        let status = response.status().as_u16();
        metrics.count_request(self.method.as_str(), route, status, self.begun.elapsed());
        if self.path.is_some() && !route.is_control() {
            self.log(to, &response);
        }
        if is_stream(&response) { counted(response, metrics.open_stream()) } else { response }
    }

    fn log(self, to: Option<&SessionRequest>, response: &Response) {
        let run = response.extensions().get::<OfRun>().map(|of| of.0.clone()).or(self.run);
        let reply = run
            .as_ref()
            .zip(to)
            .and_then(|(run, to)| to.state.reply_usage.answered(run))
            .unwrap_or_default();
        let is_unmatched = reply.is_empty()
            && run
                .as_ref()
                .zip(to)
                .is_some_and(|(run, to)| to.state.reply_usage.unmatched_run(run).is_some());
        // Some clients put keys into paths.
        let path = self.path.unwrap_or_default();
        let path =
            to.map_or_else(|| path.clone(), |to| Journal::clean_url(&path, &to.session.keys.now()));
        tracing::debug!(
            target: REQUEST,
            method = self.method.as_str(),
            path,
            status = response.status().as_u16(),
            ms = self.begun.elapsed().as_secs_f64() * 1000.0,
            run = run.as_ref().map(Id::as_str).unwrap_or_default(),
            reply,
            unmatched = is_unmatched,
            request_id = to.map(|to| &*to.request_id).unwrap_or_default(),
            "answered"
        );
    }
}

fn is_stream(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes() == sse::CONTENT_TYPE.as_bytes())
}

fn counted(response: Response, open: OpenStream) -> Response {
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, Body::new(CountedBody { body, _open: open }))
}

/// The body of an open stream.
struct CountedBody {
    body: Body,
    _open: OpenStream,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
