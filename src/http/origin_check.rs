//! Keeps web pages out. A page that has been rebound to loopback always sends its own public name
//! as `Host`. A page of another origin sends that origin with each change.

use std::net::{IpAddr, Ipv6Addr};

use axum::{
    extract::Request,
    http::{HeaderMap, Method, header, uri::Authority},
};

use crate::types::ApiErrorKind;

/// The path that accepts any host, so that a container's health check needs no name.
pub(super) const HEALTH: &str = "/_rehearsal/health";

/// The accepted host names, beside those that are always local.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    pub(crate) fn new(allowed: Vec<String>) -> Self {
        Self(allowed.into_iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    pub(crate) fn check_request(&self, request: &Request) -> Result<(), ApiErrorKind> {
        if request.uri().path() == HEALTH {
            return Ok(());
        }
        let target = request.uri().authority().map(Authority::as_str);
        self.check(target, request.headers())?;
        check_origin(request.method(), request.headers())
    }

    /// Rejects a request for another host. If the target has a host, that one must match too.
    pub(crate) fn check(
        &self,
        target: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<(), ApiErrorKind> {
        if let Some(target) = target {
            self.check_host(target)?;
        }
        let mut sent = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (sent.next(), sent.next()) else {
            return Err(ApiErrorKind::HostMissing);
        };
        self.check_host(&String::from_utf8_lossy(host.as_bytes()))
    }

    fn check_host(&self, host: &str) -> Result<(), ApiErrorKind> {
        if !is_host(host) {
            return Err(ApiErrorKind::HostInvalid { host: host.to_owned() });
        }
        if self.is_ours(host) {
            Ok(())
        } else {
            Err(ApiErrorKind::HostRefused { host: name_of(host).to_owned() })
        }
    }

    fn is_ours(&self, host: &str) -> bool {
        let name = name_of(host).to_ascii_lowercase();
        let is_address =
            name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        // A name without a dot is a compose service or a machine of the local network.
        let is_local = !name.is_empty() && (!name.contains('.') || name.ends_with(".localhost"));
        is_address || is_local || name == "host.docker.internal" || self.0.contains(&name)
    }
}

/// Rejects a change from a page of another origin.
pub(crate) fn check_origin(method: &Method, headers: &HeaderMap) -> Result<(), ApiErrorKind> {
    if method.is_safe() {
        return Ok(());
    }
    let text = |name: &str| {
        headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    if let Some(value) =
        text("sec-fetch-site").filter(|value| value.trim().eq_ignore_ascii_case("cross-site"))
    {
        return Err(ApiErrorKind::ForeignOrigin { what: "Sec-Fetch-Site", value });
    }
    let Some(origin) = text("origin") else { return Ok(()) };
    let host = text("host").unwrap_or_default();
    let own = origin
        .split_once("://")
        .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(&host));
    if own { Ok(()) } else { Err(ApiErrorKind::ForeignOrigin { what: "Origin", value: origin }) }
}

/// Whether it can be a host: an address in brackets or a name, and perhaps a port.
fn is_host(host: &str) -> bool {
    let name = name_of(host);
    let port = host[name.len()..].trim_start_matches(':');
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit())
        && (port.is_empty() || port.parse::<u16>().is_ok());
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
    };
    let bracketed = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    is_port
        && bracketed.map_or_else(|| is_name(name), |address| address.parse::<Ipv6Addr>().is_ok())
}

/// A host without its port.
fn name_of(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => &host[..colon],
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_names_are_ours_and_public_ones_are_not() {
        let hosts = Hosts::new(vec!["ci.example.com".to_owned()]);
        for ours in [
            "127.0.0.1",
            "127.0.0.1:7357",
            "[::1]:7357",
            "localhost",
            "LOCALHOST:1",
            "a.localhost",
            "rehearsal:7357",
            "host.docker.internal:7357",
            "10.0.0.7",
            "ci.example.com:80",
        ] {
            assert!(hosts.is_ours(ours), "{ours}");
        }
        for foreign in [
            "example.com",
            "evil.example:7357",
            "localhost.evil.com",
            "127.0.0.1.nip.io",
            "",
            ":80",
        ] {
            assert!(!hosts.is_ours(foreign), "{foreign}");
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address_and_perhaps_a_port() {
        for host in ["a", "a_b-c.d:1", "127.0.0.1:65535", "localhost:", "[::1]", "[::1]:7357"] {
            assert!(is_host(host), "{host}");
        }
        for other in [
            "", ":80", "a b", "a:b", "a:65536", "a:1:2", "::1", "[::1", "[]", "[a]", "ä", "a/b",
            "u@a", "a%20b", "a,b",
        ] {
            assert!(!is_host(other), "{other}");
        }
    }
}
