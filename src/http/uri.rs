//! What can be said of a path, and done to it, without knowing who asks.

use axum::http::Uri;

use crate::types::Api;

/// Whether a path is one of the API, and not of the control API or none at all.
pub(super) fn is_api(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
}

/// Which API a path is of: one of those that followed Assistants, or any other.
pub(super) fn api_of(path: &str) -> Api {
    let resource = path.strip_prefix("/v1/").and_then(|rest| rest.split('/').next());
    match resource {
        Some("responses" | "conversations" | "containers") => Api::Responses,
        _ => Api::Assistants,
    }
}

/// The same URI with another path: host and query stay.
pub(super) fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("{path}{query}").parse().ok()?);
    Uri::from_parts(parts).ok()
}
