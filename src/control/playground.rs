//! The Playground: the page at the root of the server, for people who open its address in a browser.
//!
//! It is built from `console/` and is part of the program. It may load from this server only, and
//! no text that it shows can run a script.

use axum::{
    Router,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::http::AppState;

/// The rights of the page: run its own script and style, send requests to this server, and show
/// images that it made itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// The files of the page: the path, the type and the content of each.
const ASSETS: [(&str, &str, &[u8]); 3] = [
    ("/assets/app.js", "text/javascript", include_bytes!("playground/app.js")),
    ("/assets/style.css", "text/css", include_bytes!("playground/style.css")),
    ("/assets/icon.svg", "image/svg+xml", include_bytes!("playground/icon.svg")),
];

pub(crate) fn assets() -> Router<AppState> {
    ASSETS.into_iter().fold(Router::new(), |router, (path, kind, content)| {
        router.route(path, get(async move || asset(kind, content)))
    })
}

/// Whether the client wants a web page. An API client that comes here has a wrong base URL.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

pub(crate) fn page() -> Response {
    asset("text/html", include_bytes!("playground/index.html"))
}

fn asset(kind: &str, content: &'static [u8]) -> Response {
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        // Another version of the program has other files at the same path.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    let fixed = fixed.map(|(name, value)| (name, HeaderValue::from_static(value)));
    ([(header::CONTENT_TYPE, format!("{kind}; charset=utf-8"))], fixed, content).into_response()
}
