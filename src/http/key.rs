//! Who is asking, and for which version of the API: the key and the beta header.

use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::types::Refusal;

/// The keys that are let in.
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

    pub(crate) fn judge(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let key = sent(headers).ok_or(Refusal::NoKey)?;
        let known = match self {
            Self::Any => !key.is_empty(),
            Self::Only(keys) => keys.contains(&key),
        };
        if known { Ok(()) } else { Err(Refusal::WrongKey { key }) }
    }
}

/// The key of Bearer, or the password of Basic: `curl -u :KEY`.
pub(super) fn sent(headers: &HeaderMap) -> Option<String> {
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

const HEADER: &str = "openai-beta";

/// Refuses what the service refused after December 2024: no beta header on assistants and threads, that
/// of v1, and others.
pub(crate) fn judge_beta(path: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    let resource = path.strip_prefix("/v1/").and_then(|rest| rest.split('/').next());
    if !matches!(resource, Some("assistants" | "threads")) {
        return Ok(());
    }
    let values = headers.get_all(HEADER).iter().filter_map(|value| value.to_str().ok());
    let betas: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).filter(|beta| !beta.is_empty()).collect();
    if betas.contains(&"assistants=v2") {
        Ok(())
    } else if betas.contains(&"assistants=v1") {
        Err(Refusal::V1Deprecated)
    } else if let Some(beta) = betas.first() {
        let name = beta.split_once('=').filter(|(name, _)| *name != "assistants").map_or(*beta, |(name, _)| name);
        Err(Refusal::UnknownBeta { name: name.to_owned() })
    } else {
        Err(Refusal::NoBeta)
    }
}
