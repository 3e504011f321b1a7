//! The dialect of a request: OpenAI's or Azure's, and the version of the beta. It is determined
//! once. After that, every path is spelled as OpenAI spells it.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::{FromRequestParts, Request},
    http::{HeaderMap, Uri, request::Parts},
};

use super::uri::{api_of, is_api, with_path};
use crate::types::{Api, ApiErrorKind, Version};

/// Determines the version for the answer to a request to the API.
pub(crate) fn check(policy: Policy, request: &mut Request) -> Result<(), ApiErrorKind> {
    if is_api(request.uri().path()) {
        let dialect = Dialect::from_request(request).check_request(policy, request)?;
        request.extensions_mut().insert(dialect);
    }
    Ok(())
}

/// The dialect of a request. The request itself carries it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dialect {
    pub api: Api,
    pub version: Version,
    /// Only requests to Azure have it.
    pub azure: Option<Arc<Azure>>,
}

/// A request to Azure, before its path was spelled as OpenAI does.
#[derive(Debug)]
pub(crate) struct Azure {
    /// The path as it was sent, without `/s/NAME`.
    pub path: String,
    /// Paths below `/openai/v1` need none.
    needs_version: bool,
    api_version: Option<String>,
}

/// Which requests the server accepts, by its flags.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Policy {
    /// Whether v1 is refused, as the service did after December 2024.
    pub refuses_v1: bool,
    /// Whether the Assistants API is gone, as it is since August 2026.
    pub is_sunset: bool,
}

/// Where Azure's paths begin.
const AZURE: &str = "/openai/";

/// The first version of Azure's API that had assistants, and the last ones whose assistants were
/// those of v1.
const FIRST: &str = "2024-02-15";
const OF_V1: [&str; 2] = ["2024-02-15-preview", "2024-03-01-preview"];

const BETA: &str = "openai-beta";

impl Dialect {
    /// Spells the path as OpenAI does, if it is one of Azure's.
    pub(crate) fn take(request: &mut Request) {
        if let Some((azure, uri)) = Azure::from_uri(request.uri()) {
            *request.uri_mut() = uri;
            let dialect = Self { azure: Some(Arc::new(azure)), ..Self::default() };
            request.extensions_mut().insert(dialect);
        }
    }

    /// The dialect of a request, as far as it is known.
    pub(crate) fn from_request(request: &Request) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_default()
    }

    pub(super) fn of_parts(parts: &Parts) -> Self {
        parts.extensions.get::<Self>().cloned().unwrap_or_default()
    }

    pub(crate) fn is_azure(&self) -> bool {
        self.azure.is_some()
    }

    /// The error for a path that does not exist.
    pub(crate) fn unknown(&self, method: &str, path: &str) -> ApiErrorKind {
        match self.azure {
            Some(_) => ApiErrorKind::ResourceNotFound,
            None => ApiErrorKind::UnknownUrl { method: method.to_owned(), path: path.to_owned() },
        }
    }

    /// Determines the version that a request asks for, once its key is accepted.
    pub(crate) fn check_request(
        mut self,
        policy: Policy,
        request: &Request,
    ) -> Result<Self, ApiErrorKind> {
        let path = request.uri().path();
        self.api = api_of(path);
        if self.azure.as_ref().is_some_and(|azure| !azure.is_known()) {
            return Err(ApiErrorKind::ResourceNotFound);
        }
        if !is_of_assistants(path) {
            return Ok(self);
        }
        if policy.is_sunset {
            return Err(if self.is_azure() {
                ApiErrorKind::ResourceNotFound
            } else {
                ApiErrorKind::Sunset
            });
        }
        self.version = match (asked_for(request.headers()), &self.azure) {
            (Beta::Assistants(version), _) => version,
            // Azure has its own versions, and needs no header.
            (_, Some(azure)) => azure.beta(policy),
            (Beta::Other(name), None) => return Err(ApiErrorKind::UnknownBeta { name }),
            (Beta::None, None) => return Err(ApiErrorKind::NoBeta),
        };
        if self.version.is_v1() && policy.refuses_v1 {
            return Err(ApiErrorKind::V1Deprecated { in_both: !is_of_v1_only(path) });
        }
        Ok(self)
    }
}

impl<S: Sync> FromRequestParts<S> for Dialect {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of_parts(parts))
    }
}

impl Azure {
    fn from_uri(uri: &Uri) -> Option<(Self, Uri)> {
        let given = uri.query().into_iter().flat_map(|query| query.split('&'));
        let api_version =
            given.filter_map(|pair| pair.strip_prefix("api-version=")).next_back().map(decoded);
        let (needs_version, rest) = match uri.path().strip_prefix(AZURE) {
            Some(below) => match below.split_once('/') {
                Some(("v1", rest)) => (false, rest),
                _ => (true, below),
            },
            // A client of Azure's with OpenAI's base URL: in Node that wins over the endpoint.
            None if api_version.is_some() => (true, uri.path().strip_prefix("/v1/")?),
            None => return None,
        };
        let inner = with_path(uri, &format!("/v1/{rest}"))?;
        Some((Self { path: uri.path().to_owned(), needs_version, api_version }, inner))
    }

    /// Whether such a version exists: any since the first one with assistants. There is none
    /// without a date.
    fn is_known(&self) -> bool {
        match self.api_version.as_deref() {
            None => !self.needs_version,
            Some("preview" | "v1" | "latest") => !self.needs_version,
            Some(version) => date_of(version).is_some_and(|date| date >= FIRST),
        }
    }

    fn beta(&self, policy: Policy) -> Version {
        let is_v1 = self.api_version.as_deref().is_some_and(|version| OF_V1.contains(&version));
        if is_v1 && !policy.refuses_v1 { Version::V1 } else { Version::V2 }
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The date of a version such as `2024-05-01-preview`.
fn date_of(version: &str) -> Option<&str> {
    let date = version.strip_suffix("-preview").unwrap_or(version);
    let is_date = date.len() == FIRST.len() && date.parse::<jiff::civil::Date>().is_ok();
    is_date.then_some(date)
}

/// Paths that must state their version.
fn is_of_assistants(path: &str) -> bool {
    let resource = path.strip_prefix("/v1/").and_then(|rest| rest.split('/').next());
    matches!(resource, Some("assistants" | "threads"))
}

/// The files of assistants and of messages.
fn is_of_v1_only(path: &str) -> bool {
    path.split('/').any(|segment| segment == "files")
}

/// The beta that a request asks for.
enum Beta {
    None,
    Assistants(Version),
    Other(String),
}

/// A request that names both versions means v2: some clients always send the old one.
fn asked_for(headers: &HeaderMap) -> Beta {
    let values = headers.get_all(BETA).iter().filter_map(|value| value.to_str().ok());
    let betas: Vec<&str> = values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|beta| !beta.is_empty())
        .collect();
    if betas.contains(&"assistants=v2") {
        Beta::Assistants(Version::V2)
    } else if betas.contains(&"assistants=v1") {
        Beta::Assistants(Version::V1)
    } else if let Some(beta) = betas.first() {
        let name = beta
            .split_once('=')
            .filter(|(name, _)| *name != "assistants")
            .map_or(*beta, |(name, _)| name);
        Beta::Other(name.to_owned())
    } else {
        Beta::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether there is such a version, and the path as OpenAI spells it.
    fn azure(uri: &str) -> Option<(bool, String)> {
        let (azure, inner) = Azure::from_uri(&uri.parse().unwrap())?;
        Some((azure.is_known(), inner.to_string()))
    }

    #[test]
    fn paths_of_azure_are_spelled_as_openai_does() {
        let known = |inner: &str| Some((true, inner.to_owned()));
        assert_eq!(
            azure("/openai/threads?api-version=2024-05-01-preview"),
            known("/v1/threads?api-version=2024-05-01-preview")
        );
        assert_eq!(azure("/openai/v1/threads/t/runs"), known("/v1/threads/t/runs"));
        // There are no assistants below a deployment: no route begins so.
        assert_eq!(
            azure("/openai/deployments/mine/assistants?api-version=2025-01-01-preview"),
            known("/v1/deployments/mine/assistants?api-version=2025-01-01-preview")
        );
        assert_eq!(
            azure("/v1/threads?api-version=2025-01-01"),
            known("/v1/threads?api-version=2025-01-01")
        );
        assert_eq!(azure("/v1/threads"), None);
    }

    #[test]
    fn versions_of_azure_are_dates_from_the_first_with_assistants_on() {
        for known in
            ["2024-02-15-preview", "2024-05-01-preview", "2025-04-01-preview", "2024-10-21"]
        {
            assert!(azure(&format!("/openai/threads?api-version={known}")).unwrap().0, "{known}");
        }
        for unknown in [
            "",
            "2023-05-15",
            "2024-13-01-preview",
            "2024-5-1",
            "banana",
            "latest",
            "2024-05-01-prevIew",
        ] {
            assert!(
                !azure(&format!("/openai/threads?api-version={unknown}")).unwrap().0,
                "{unknown}"
            );
        }
        assert!(!azure("/openai/threads").unwrap().0);
    }
}
