//! Functions on paths that need no knowledge of the client.

use axum::http::Uri;

use crate::types::Api;

/// Whether a path belongs to the API. The control API and unknown paths do not.
pub(super) fn is_api(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
}

/// The API of a path: one of those that followed Assistants, or any other.
pub(super) fn api_of(path: &str) -> Api {
    let resource = path.strip_prefix("/v1/").and_then(|rest| rest.split('/').next());
    match resource {
        Some("responses" | "conversations" | "containers") => Api::Responses,
        _ => Api::Assistants,
    }
}

/// The same URI with another path. The host and the query do not change.
pub(super) fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("{path}{query}").parse().ok()?);
    Uri::from_parts(parts).ok()
}
