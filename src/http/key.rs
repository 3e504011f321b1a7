//! The key of a request.

use axum::{
    extract::Request,
    http::{HeaderMap, header},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    dialect::Dialect,
    uri::{api_of, is_api},
};
use crate::types::{Api, ApiErrorKind};

/// The accepted keys. The server checks the key before it shows what exists and what does not.
#[derive(Clone, Debug)]
pub(crate) enum Keys {
    /// Any key but an empty one.
    Any,
    Only(Vec<String>),
}

impl Keys {
    pub(crate) fn new(keys: Vec<String>) -> Self {
        if keys.is_empty() { Self::Any } else { Self::Only(keys) }
    }

    /// Rejects a request to the API without an accepted key.
    pub(crate) fn check_request(&self, request: &Request) -> Result<(), ApiErrorKind> {
        if !is_api(request.uri().path()) {
            return Ok(());
        }
        let api = api_of(request.uri().path());
        self.check(&Dialect::from_request(request), api, request.headers())
    }

    fn check(&self, dialect: &Dialect, api: Api, headers: &HeaderMap) -> Result<(), ApiErrorKind> {
        let keys = sent(dialect, headers);
        if keys.iter().any(|key| self.admits(key)) {
            return Ok(());
        }
        Err(match keys.into_iter().next() {
            _ if dialect.is_azure() => ApiErrorKind::AccessDenied,
            Some(key) => ApiErrorKind::WrongKey { key, of: api },
            None => ApiErrorKind::NoKey,
        })
    }

    fn admits(&self, key: &String) -> bool {
        match self {
            Self::Any => !key.is_empty(),
            Self::Only(keys) => keys.contains(key),
        }
    }
}

/// The header in which Azure looks for a key first.
const API_KEY: &str = "api-key";

/// The keys of a request: Azure's clients may send two.
pub(super) fn sent(dialect: &Dialect, headers: &HeaderMap) -> Vec<String> {
    let api_key =
        headers.get(API_KEY).filter(|_| dialect.is_azure()).and_then(|value| value.to_str().ok());
    api_key.map(|key| key.trim().to_owned()).into_iter().chain(authorized(headers)).collect()
}

/// The key of Bearer, or the password of Basic: `curl -u :KEY`.
fn authorized(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim();
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_owned());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
        return text.split_once(':').map(|(_, password)| password.to_owned());
    }
    None
}
