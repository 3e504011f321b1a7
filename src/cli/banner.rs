//! The first output for a person who starts the server on a terminal: its address and its fixtures.

use std::{
    io::{self, Write},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use super::output::count;
use crate::fixture::Fixtures;

/// Prints three lines on standard error.
pub(super) fn show(bound: SocketAddr, paths: &[PathBuf], fixtures: &Fixtures) {
    let url = url(bound);
    let text = format!(
        "  server      {url}/v1 (set OPENAI_BASE_URL to this)\n  Playground  {url}/ (open it in a \
         browser)\n  fixtures    {}\n",
        loaded(paths, fixtures)
    );
    // A closed terminal must not stop the server.
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
    let mut text = replies;
    if !fixtures.faults.is_empty() {
        text.push_str(&format!(", {}", count(fixtures.faults.len(), "fault")));
    }
    match names.as_slice() {
        [] => text + " (built in)",
        names => format!("{text} ({})", names.join(", ")),
    }
}
