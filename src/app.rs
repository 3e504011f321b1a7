//! The program as one router: the layers that every request passes, and behind them the routes.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::Uri,
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
};
use tower::ServiceBuilder;

use crate::{
    api, control,
    http::{
        ApiError, AppState, Dialect, dialect, endings, faults, headers, journal, key, origin_check,
        paths, session, work,
    },
    types::ApiErrorKind,
};

/// The whole program, ready to be served. The layers stand outside of the routing, because a path
/// loses its session before it is routed.
pub(crate) fn app(app: AppState) -> Router {
    let routes = Router::new()
        .nest("/v1", api::routes())
        .nest("/_rehearsal", control::routes())
        .fallback(unknown_url)
        .method_not_allowed_fallback(wrong_method)
        .with_state(app.clone());
    let layers = ServiceBuilder::new()
        // First in, last out: every answer carries the headers, whoever gives it.
        .layer(from_fn_with_state(app.clone(), headers::add))
        // Everybody behind it sees OpenAI's paths, without sessions.
        .layer(from_fn(paths::normalise))
        // Web pages of others are turned away before they can make anything.
        .layer(from_fn_with_state(Arc::clone(&app.hosts), origin_check::check))
        // What follows belongs to a session: its request ids, its journal, its faults.
        .layer(from_fn_with_state(app.clone(), session::enter))
        // The journal sees what the client sees, faults and refusals too.
        .layer(from_fn_with_state(app.clone(), journal::note))
        // A fault strikes like a failing gateway: before anybody looks at the key.
        .layer(from_fn_with_state(app.clone(), faults::select_fault))
        // What a fault damages is a whole answer.
        .layer(from_fn_with_state(app.clone(), endings::write))
        // Nobody learns what exists without a key.
        .layer(from_fn_with_state(Arc::clone(&app.keys), key::check))
        // Handlers answer in the version and the dialect that the request asks for.
        .layer(from_fn_with_state(app.policy, dialect::check))
        // A client that hangs up does not stop what it asked for.
        .layer(from_fn_with_state(app, work::on_a_task))
        .service(routes);
    Router::new().fallback_service(layers)
}

async fn wrong_method(request: Request) -> Response {
    if Dialect::from_request(&request).is_azure() {
        return ApiError::from(ApiErrorKind::ResourceNotFound).into_response();
    }
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    ApiError::from(ApiErrorKind::WrongMethod { method, path }).into_response()
}

/// The wrong base URL is the commonest first error, so it is answered with what to set.
async fn unknown_url(request: Request) -> Response {
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
    const RESOURCES: [&str; 7] =
        ["assistants", "threads", "models", "files", "uploads", "vector_stores", "chat"];
    let base = format!("http://{}/v1", host.unwrap_or("127.0.0.1:7357"));
    if uri.path().starts_with("//") {
        return Some(
            "The path begins with two slashes: take the one off the end of the base URL or \
             endpoint."
                .to_owned(),
        );
    }
    let mut segments = uri.path().trim_start_matches('/').split('/');
    match segments.next()? {
        "v1" if segments.next() == Some("v1") => Some(format!(
            "The path has /v1 twice: set the base URL to {base} and let the client add the rest."
        )),
        "" => Some(format!(
            "This is Rehearsal, an emulator of the OpenAI Assistants API: set your client's base \
             URL to {base}."
        )),
        "openai" => Some(format!(
            "Azure's clients take the endpoint {} and add /openai themselves.",
            base.trim_end_matches("/v1")
        )),
        first if RESOURCES.contains(&first) => {
            Some(format!("The path lacks /v1: set the base URL to {base}."))
        }
        _ => None,
    }
}
