//! Keeps web pages out: a page that has been rebound to loopback always sends its own public name as
//! `Host`, and a page of another origin says so when it wants to change something.

use std::net::IpAddr;

use axum::http::{HeaderMap, Method, header};

use crate::types::Refusal;

/// The host names that are answered to, beside those that are always local.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    pub(crate) fn new(allowed: Vec<String>) -> Self {
        Self(allowed.into_iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    /// Refuses a request for a host that is not this one. A target with a host of its own overrules the header.
    pub(crate) fn judge(&self, target: Option<&str>, headers: &HeaderMap) -> Result<(), Refusal> {
        if let Some(host) = target.filter(|host| !self.is_ours(host)) {
            return Err(Refusal::HostRefused { host: name_of(host).to_owned() });
        }
        let mut sent = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (sent.next(), sent.next()) else { return Err(Refusal::HostMissing) };
        let host = String::from_utf8_lossy(host.as_bytes());
        if self.is_ours(&host) { Ok(()) } else { Err(Refusal::HostRefused { host: name_of(&host).to_owned() }) }
    }

    fn is_ours(&self, host: &str) -> bool {
        let name = name_of(host).to_ascii_lowercase();
        let is_address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        // A name without a dot is a compose service or a machine of the local network.
        let is_local = !name.is_empty() && (!name.contains('.') || name.ends_with(".localhost"));
        is_address || is_local || name == "host.docker.internal" || self.0.contains(&name)
    }
}

/// Refuses a change that a page of another origin asks for.
pub(crate) fn judge_origin(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    if method.is_safe() {
        return Ok(());
    }
    let text = |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    if let Some(value) = text("sec-fetch-site").filter(|value| value == "cross-site") {
        return Err(Refusal::ForeignOrigin { what: "Sec-Fetch-Site", value });
    }
    let Some(origin) = text("origin") else { return Ok(()) };
    let host = text("host").unwrap_or_default();
    let own = origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(&host));
    if own { Ok(()) } else { Err(Refusal::ForeignOrigin { what: "Origin", value: origin }) }
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
        for foreign in ["example.com", "evil.example:7357", "localhost.evil.com", "127.0.0.1.nip.io", "", ":80"] {
            assert!(!hosts.is_ours(foreign), "{foreign}");
        }
    }
}
