//! What people see first who start the server on a terminal: where to go, and which fixtures answer.

use std::{
    io::{self, Write},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use super::output::count;
use crate::fixture::Fixtures;

/// Shows three lines on standard error.
pub(super) fn show(bound: SocketAddr, paths: &[PathBuf], fixtures: &Fixtures) {
    let url = url(bound);
    let text = format!(
        "  server    {url}/v1 (set OPENAI_BASE_URL to this)\n  page      {url}/ (docs: \
         {url}/_rehearsal/openapi.json and rehearsal --help)\n  fixtures  {}\n",
        loaded(paths, fixtures)
    );
    // A terminal that is gone stops nothing.
    _ = io::stderr().write_all(text.as_bytes());
}

/// An address that clients on this machine can use.
fn url(bound: SocketAddr) -> String {
    match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => format!("http://127.0.0.1:{}", bound.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => format!("http://[::1]:{}", bound.port()),
        _ => format!("http://{bound}"),
    }
}

fn loaded(paths: &[PathBuf], fixtures: &Fixtures) -> String {
    let replies = count(fixtures.replies.len(), "reply");
    let names: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    let from = if names.is_empty() { "built in".to_owned() } else { names.join(", ") };
    let mut text = format!("{from}: {replies}");
    if !fixtures.faults.is_empty() {
        text.push_str(&format!(", {}", count(fixtures.faults.len(), "fault")));
    }
    text
}
