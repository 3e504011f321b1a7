//! The common parts of the measurements: conversations, fixtures in a file, and times as text.

use std::time::Duration;

use serde_json::{Value, json};

use crate::common::client::Client;

/// A request for a run on a new thread.
pub fn run(assistant: &str, said: &str, stream: bool) -> Value {
    let messages = json!([{"role": "user", "content": said}]);
    json!({"assistant_id": assistant, "stream": stream, "thread": {"messages": messages}})
}

pub const RUNS: &str = "/v1/threads/runs";

/// A conversation that is streamed to its end.
pub async fn converse(client: &mut Client, assistant: &str, said: &str) {
    let events = client.post(RUNS, &run(assistant, said, true)).await;
    assert!(events.ends_with(b"data: [DONE]\n\n"), "a whole stream");
}

/// A file with fixtures. It exists as long as the folder value.
pub fn fixtures(yaml: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("bench.yaml");
    std::fs::write(&path, yaml).expect("a file");
    let path = path.to_str().expect("a path").to_owned();
    (folder, path)
}

pub fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}

/// The median, the 99th percentile and the maximum.
pub fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    format!("p50 {}, p99 {}, max {}", millis(at(0.5)), millis(at(0.99)), millis(at(1.0)))
}
