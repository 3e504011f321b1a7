//! The program as one router: the rooms' routes merged, and the door in front of them.

use axum::{
    Router,
    extract::Request,
    http::Uri,
    middleware,
    response::{IntoResponse, Response},
    routing::Router as Routes,
};
use tower::Layer;

use crate::{
    api, control,
    http::{ApiError, Manner, door},
    types::Refusal,
};

pub(crate) use crate::http::door::Door;

/// The whole program, ready to be served. The door is outside of the routing, because it takes the
/// session off the path before anything is routed.
pub(crate) fn app(door: Door) -> Router {
    let routes: Routes = Router::new()
        .nest("/v1", api::routes())
        .nest("/_rehearsal", control::routes())
        .fallback(unknown_url)
        .method_not_allowed_fallback(wrong_method);
    let inside = middleware::from_fn_with_state(door, door::pass).layer(routes);
    Router::new().fallback_service(inside)
}

async fn wrong_method(request: Request) -> Response {
    if Manner::of(&request).is_azure() {
        return ApiError::from(Refusal::ResourceNotFound).into_response();
    }
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    ApiError::from(Refusal::WrongMethod { method, path }).into_response()
}

/// The wrong base URL is the commonest first error, so it is answered with what to set.
async fn unknown_url(request: Request) -> Response {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let manner = Manner::of(&request);
    if manner.is_azure() {
        return ApiError::from(manner.unknown(&method, &path)).into_response();
    }
    let refusal = match advice(
        request.uri(),
        request.headers().get("host").and_then(|host| host.to_str().ok()),
    ) {
        Some(advice) => Refusal::WrongBase { method, path, advice },
        None => Refusal::UnknownUrl { method, path },
    };
    ApiError::from(refusal).into_response()
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
