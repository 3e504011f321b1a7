//! The whole program as one function from a request to its response. Every request passes these
//! layers, from the outside to the routes. A path loses its session before the routes see it.

use std::time::Instant;

use axum::{
    Extension, Router,
    extract::Request,
    http::Uri,
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{
    api, control,
    http::{
        ApiError, AppState, Dialect, SessionRequest,
        dialect::{self, Policy},
        endings::{self, Ending},
        error::Result,
        faults, headers, journal,
        observe::{NoRoute, Observed},
        observer, paths, session,
        state::request_id,
        work,
    },
    types::ApiErrorKind,
};

/// The whole program, ready to be served.
#[derive(Clone)]
pub(crate) struct App {
    state: AppState,
    routes: Router,
}

impl App {
    pub(crate) fn new(state: AppState) -> Self {
        let routes = Router::new()
            .nest("/v1", api::routes())
            .nest("/_rehearsal", control::routes().merge(api::matching::routes()))
            .route("/metrics", get(control::metrics))
            .route("/", get(home))
            .merge(control::playground::assets())
            .fallback(async |request| (Extension(NoRoute), unknown_url(request)).into_response())
            .method_not_allowed_fallback(async |request| {
                (Extension(NoRoute), wrong_method(request)).into_response()
            })
            .with_state(state.clone());
        Self { state, routes }
    }

    /// Every response carries the headers, no matter which layer makes it.
    pub(crate) async fn answer(self, mut request: Request) -> Response {
        let (begun, observes) = (Instant::now(), observer::observes(&request));
        let mut observed = Observed::begin(&request, begun);
        let metrics = &self.state.metrics;
        let (request_id, mut response) = match self.admit(&mut request).await {
            Ok(to) => {
                observed.admitted(&request);
                let response = self.answer_in(&to, request).await;
                (to.request_id.clone(), observed.end(metrics, Some(&to), response))
            }
            Err(refused) => {
                let nobodys = request_id(&self.state.default.state(), observes);
                (nobodys, observed.end(metrics, None, refused.into_response()))
            }
        };
        headers::add(&mut response, &request_id, begun);
        response
    }

    /// Brings a request to its session.
    async fn admit(&self, request: &mut Request) -> Result<SessionRequest> {
        // All layers behind it see OpenAI's paths, without sessions.
        paths::normalise(request)?;
        // This rejects foreign web pages before they can create anything.
        self.state.hosts.check_request(request)?;
        session::enter(&self.state, request).await
    }

    /// The journal records what the client sees, also faults and rejections. A fault acts like a
    /// failing gateway: before the check of the key.
    async fn answer_in(&self, to: &SessionRequest, request: Request) -> Response {
        let behind_faults = |request| self.carry_out(to, request);
        let behind_journal = |request| faults::select_fault(to, request, behind_faults);
        journal::note(to, request, behind_journal).await
    }

    /// A fault damages a complete response.
    async fn carry_out(&self, to: &SessionRequest, request: Request) -> Response {
        let ending = Ending::of(request.uri().path());
        let response = self.route(to, request).await.unwrap_or_else(IntoResponse::into_response);
        endings::write(to, ending, response).await
    }

    async fn route(&self, to: &SessionRequest, mut request: Request) -> Result<Response> {
        // Without a key, a client cannot find out what exists.
        self.state.keys.check_request(&request)?;
        // Handlers answer in the version and the dialect that the request asks for.
        let policy = if to.observes { Policy::default() } else { self.state.policy };
        dialect::check(policy, &mut request)?;
        Ok(work::carry_out(to, request, self.routes.clone()).await)
    }
}

/// A page for browsers. Others have a wrong base URL.
async fn home(request: Request) -> Response {
    if control::playground::wants_page(request.headers()) {
        control::playground::page()
    } else {
        (Extension(NoRoute), unknown_url(request)).into_response()
    }
}

fn wrong_method(request: Request) -> Response {
    if Dialect::from_request(&request).is_azure() {
        return ApiError::from(ApiErrorKind::ResourceNotFound).into_response();
    }
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    ApiError::from(ApiErrorKind::WrongMethod { method, path }).into_response()
}

/// A wrong base URL is the most common first error, so the response says what to set.
fn unknown_url(request: Request) -> Response {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let dialect = Dialect::from_request(&request);
    if dialect.is_azure() {
        return ApiError::from(dialect.unknown(&method, &path)).into_response();
    }
    let kind = match advice(
        request.uri(),
        request.headers().get("host").and_then(|host| host.to_str().ok()),
    ) {
        Some(advice) => ApiErrorKind::WrongBase { method, path, advice },
        None => ApiErrorKind::UnknownUrl { method, path },
    };
    ApiError::from(kind).into_response()
}

fn advice(uri: &Uri, host: Option<&str>) -> Option<String> {
    const RESOURCES: [&str; 10] = [
        "assistants",
        "threads",
        "responses",
        "conversations",
        "containers",
        "models",
        "files",
        "uploads",
        "vector_stores",
        "chat",
    ];
    let base = format!("http://{}/v1", host.unwrap_or("127.0.0.1:7357"));
    if uri.path().starts_with("//") {
        return Some(
            "The path begins with two slashes: remove the slash at the end of the base URL or \
             endpoint."
                .to_owned(),
        );
    }
    let mut segments = uri.path().trim_start_matches('/').split('/');
    match (segments.next()?, segments.next().unwrap_or_default()) {
        ("v1", "v1") => Some(format!(
            "The path has /v1 twice: set the base URL to {base}. The client adds the rest."
        )),
        ("v1", "chat" | "completions" | "embeddings" | "images" | "audio") => Some(
            "Rehearsal has no such API: it emulates Assistants, Responses, Conversations, files and \
             vector stores."
                .to_owned(),
        ),
        ("", _) => Some(format!(
            "This is Rehearsal, an emulator of the OpenAI Assistants API: set your client's base \
             URL to {base}. A browser shows the Playground at this address."
        )),
        ("openai", _) => Some(format!(
            "Set the endpoint of an Azure client to {}. The client adds /openai.",
            base.trim_end_matches("/v1")
        )),
        (first, _) if RESOURCES.contains(&first) => {
            Some(format!("The path lacks /v1: set the base URL to {base}."))
        }
        _ => None,
    }
}
