//! The output of a server for people and monitoring: the log, the banner, the metrics.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use futures_util::StreamExt;
use rehearsal::Unmatched;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    server::{TestServer, client, config},
    skipped::{Remedy, skip},
    unharmed::{LISTEN, PROGRAM, Program},
};

/// The log lines of a server during some requests.
async fn logged(flags: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut command = Command::new(PROGRAM);
    command.args(LISTEN).args(["--seed", "1"]).args(flags);
    let program = Program::run(command.stderr(fs::File::create(&log).unwrap()));
    let send = async |method: Method, path: &str, body: Option<Value>| {
        let request = client().request(method, format!("{}{path}", program.base));
        let request =
            request.bearer_auth("sk-a-secret-of-mine").header("openai-beta", "assistants=v2");
        let request = body.iter().fold(request, |request, body| request.json(body));
        request.send().await.unwrap().json::<Value>().await.unwrap()
    };
    let assistant = json!({"model": "gpt-4o", "tools": [{"type": "code_interpreter"}]});
    let assistant = send(Method::POST, "/v1/assistants", Some(assistant)).await["id"].clone();
    let message = json!({"role": "user", "content": "Solve 3x + 11 = 14"});
    let order = json!({"assistant_id": assistant, "thread": {"messages": [message]}});
    send(Method::POST, "/s/worker/v1/assistants", Some(json!({"model": "gpt-4o"}))).await;
    send(Method::POST, "/v1/threads/runs", Some(order)).await;
    send(Method::GET, "/v1/files/sk-a-secret-of-mine", None).await;
    send(Method::GET, "/_rehearsal/turns", None).await;
    program.signal("-TERM");
    assert_eq!(program.end(), Some(0));
    fs::read_to_string(log).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_compact_log_has_one_line_for_each_api_request() {
    let lines = logged(&["--log-format", "compact"]).await;
    let words: Vec<Vec<&str>> = lines.iter().map(|line| line.split(' ').collect()).collect();
    let requests = &words[..4];
    let told: Vec<_> = requests.iter().map(|line| (line[0], line[1], line[2], line[4])).collect();
    assert_eq!(
        told,
        [
            ("POST", "/v1/assistants", "200", "ms"),
            ("POST", "/s/worker/v1/assistants", "200", "ms"),
            ("POST", "/v1/threads/runs", "200", "ms"),
            ("GET", "/v1/files/[removed]", "404", "ms"),
        ]
    );
    assert!(requests.iter().all(|line| line[3].parse::<f64>().is_ok()), "{lines:?}");
    let rest: Vec<_> = requests.iter().map(|line| line[5..].to_vec()).collect();
    assert_eq!((rest[0].len(), rest[1].len(), rest[3].len()), (0, 0, 0), "{lines:?}");
    assert!(rest[2][0].starts_with("run_"), "{lines:?}");
    assert_eq!(rest[2][1], "math-tutor-with-code");
    assert!(lines[4].starts_with("INFO stopping"), "{lines:?}");
    assert_eq!(lines.len(), 5, "{lines:?}");
    for flags in [&["--log-format", "compact", "--log", "off"][..], &["--log", "warn"], &[]] {
        let lines = logged(flags).await;
        let requests = lines.iter().filter(|line| line.contains("/v1/"));
        assert_eq!(requests.count(), 0, "{flags:?} {lines:?}");
    }
}

/// The output of the program on a terminal before it is stopped.
fn on_a_terminal(environment: &[(&str, &str)]) -> Option<String> {
    const SPAWN: &str = "
import os, pty, signal, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
said = b''
while b'fixtures    ' not in said or not said.endswith(b'\\n'):
    said += os.read(terminal, 4096)
os.kill(pid, signal.SIGTERM)
try:
    while piece := os.read(terminal, 4096):
        said += piece
except OSError:
    pass
sys.stdout.buffer.write(said)
";
    let mut command = Command::new("python3");
    command.args(["-c", SPAWN, PROGRAM]).args(LISTEN).envs(environment.iter().copied());
    let folder = tempfile::tempdir().unwrap();
    let output = command.env_remove("NO_COLOR").envs(environment.iter().copied());
    let output = output.current_dir(folder.path()).stdin(Stdio::null()).output().ok()?;
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n"))
}

#[test]
fn a_terminal_gets_a_banner_and_colours_unless_it_wants_none() {
    for (environment, colours) in [(&[][..], true), (&[("NO_COLOR", "1")], false)] {
        let said = on_a_terminal(environment).unwrap();
        let lines: Vec<_> = said.lines().collect();
        let url = lines[0].strip_prefix("rehearsal listening on ").expect("the first line");
        assert_eq!(lines[1], format!("  server      {url}/v1 (set OPENAI_BASE_URL to this)"));
        assert_eq!(lines[2], format!("  Playground  {url}/ (open it in a browser)"));
        assert_eq!(lines[3], "  fixtures    5 replies (built in)");
        assert!(lines[4].contains("stopping"), "{said}");
        assert_eq!(said.contains('\u{1b}'), colours, "{said:?}");
    }
}

#[test]
fn a_word_that_is_no_level_is_refused() {
    let run = |level: &str| {
        let command = ["exec", "--log", level, "--", "true"];
        Command::new(PROGRAM).args(command).output().unwrap()
    };
    let refused = run("verbose");
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("--log verbose: expected off, error, warn, info"), "{said}");
    for filter in ["warn,rehearsal=debug", "rehearsal", "warn,hyper", ""] {
        assert!(run(filter).status.success(), "{filter}");
    }
}

async fn metrics(server: &TestServer) -> Vec<String> {
    let answer = server.bare(Method::GET, "/metrics").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    answer.text().await.unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn metrics_count_with_bounded_labels() {
    let yaml = "replies:\n  - {name: hi, when: {message: Hi}, steps: [{message: Hi}]}\n  - {name: \
                slow, when: {message: Slow}, outcome: hang}\n";
    let server = TestServer::with_fixtures_and(
        yaml,
        rehearsal::Config { unmatched: Unmatched::Fail, ..config() },
    )
    .await;
    server.run("Hi").await;
    server.run("Nobody knows").await;
    for path in ["/v1/nothing/at/all", "/v1/nothing/else", "/wrong", "/v1/threads/thread_none"] {
        server.bare(Method::GET, path).bearer_auth("k").send().await.unwrap();
    }
    let order = json!({"assistant_id": server.assistant().await, "stream": true,
        "thread": {"messages": [{"role": "user", "content": "Slow"}]}});
    let request = server.request(Method::POST, "/v1/threads/runs").json(&order);
    let mut stream = request.send().await.unwrap().bytes_stream();
    stream.next().await.unwrap().unwrap();
    let has = |lines: &[String], wanted: &str| {
        assert!(lines.iter().any(|line| line == wanted), "{wanted} in {lines:#?}");
    };
    let lines = metrics(&server).await;
    for wanted in [
        r#"rehearsal_http_requests_total{method="POST",route="/v1/threads/{id}/runs",status="200"} 2"#,
        r#"rehearsal_http_requests_total{method="GET",route="other",status="404"} 3"#,
        r#"rehearsal_http_requests_total{method="GET",route="/v1/threads/{id}",status="400"} 1"#,
        r#"rehearsal_http_request_duration_seconds_count{route="/v1/threads/runs"} 1"#,
        r#"rehearsal_runs_total{status="completed",reply="hi"} 1"#,
        r#"rehearsal_runs_total{status="failed",reply=""} 1"#,
        "rehearsal_unmatched_runs_total 1",
        "rehearsal_open_streams 1",
        "rehearsal_sessions 1",
    ] {
        has(&lines, wanted);
    }
    assert!(!lines.iter().any(|line| line.contains("thread_")), "{lines:#?}");
    // The stream ends with its run.
    let turn = server.get("/_rehearsal/turns?reply=slow").await.body["data"][0].clone();
    let id = |key: &str| turn[key].as_str().unwrap().to_owned();
    let cancel = format!("/v1/threads/{}/runs/{}/cancel", id("thread"), id("run"));
    server.post(&cancel, json!({})).await;
    while stream.next().await.is_some() {}
    // The client may see the end slightly before the server releases the stream.
    let mut open = 0..1_000;
    while !metrics(&server).await.contains(&"rehearsal_open_streams 0".to_owned()) {
        assert!(open.next().is_some(), "the stream stays open");
    }
    server.get("/s/worker/v1/models").await;
    has(&metrics(&server).await, "rehearsal_sessions 2");
}

#[tokio::test]
async fn the_tool_of_prometheus_finds_nothing_wrong() {
    let server = TestServer::start().await;
    server.run("Hello").await;
    let text = metrics(&server).await.join("\n") + "\n";
    let mut check = Command::new("promtool");
    check.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut check) = check.stderr(Stdio::piped()).spawn() else {
        return skip("promtool is not here", Remedy::Install);
    };
    check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
