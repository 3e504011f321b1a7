//! Runs that others perform: servers that fail in every way, and another Rehearsal.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rehearsal::{ApiKey, Config, Unmatched, UpstreamKind, UpstreamSettings};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::server::{TestServer, config};

fn settings(url: impl Into<String>, kind: UpstreamKind) -> UpstreamSettings {
    let key = Some(ApiKey::new("sk-upstream-test".to_owned()));
    UpstreamSettings { key, ..UpstreamSettings::new(url, kind) }
}

fn asking(settings: UpstreamSettings) -> Config {
    Config { upstream: Some(settings), unmatched: Unmatched::Upstream, ..config() }
}

/// A server that answers each request with the next of these texts, and the number of its requests.
/// With `None` it sends nothing.
pub async fn answering(answers: Vec<Option<&'static str>>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut silent = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answers[count.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1)];
            let mut request = Vec::new();
            // The head, and a body of the length in the head.
            while !is_whole(&request) {
                let mut piece = [0; 4096];
                match stream.read(&mut piece).await {
                    Ok(read) if read > 0 => request.extend_from_slice(&piece[..read]),
                    _ => break,
                }
            }
            match answer {
                Some(answer) => {
                    _ = stream.write_all(answer.as_bytes()).await;
                    _ = stream.shutdown().await;
                }
                None => silent.push(stream),
            }
        }
    });
    (address, asked)
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).unwrap_or("0");
    body.len() >= length.parse().unwrap()
}

const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

pub fn leaked(text: String) -> &'static str {
    text.leak()
}

pub fn stream(events: &[&str]) -> &'static str {
    leaked(format!(
        "{STREAM}{}",
        events.iter().map(|event| format!("data: {event}\n\n")).collect::<String>()
    ))
}

/// A run on this server, after its end.
async fn performed(server: &TestServer) -> (String, Value) {
    let order = json!({"assistant_id": server.assistant().await,
        "tools": [{"type": "function", "function": {"name": "known"}}]});
    let (thread, run) = server.run_with("Hello", order).await;
    (thread, server.get(&run).await.body)
}

#[tokio::test]
async fn whatever_an_upstream_does_wrong_is_said_by_the_run() {
    let hi = r#"{"choices":[{"delta":{"content":"Hi"}}]}"#;
    let refusal = |status: &str, message: &str| {
        let body = json!({"error": {"message": message}}).to_string();
        let length = body.len();
        leaked(format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: \
             {length}\r\nconnection: close\r\n\r\n{body}"
        ))
    };
    let html = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: \
                close\r\n\r\n<html><title>Hello</title></html>";
    let gone = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/v1\r\ncontent-length: \
                0\r\nconnection: close\r\n\r\n";
    let cut = leaked(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: \
         chunked\r\n\r\n2f\r\ndata: {hi}\n\n"
    ));
    let rate = "rate_limit_exceeded";
    for (answer, code, message) in [
        (
            html,
            "server_error",
            "The upstream answered with text/html where a completion was asked for.",
        ),
        (
            gone,
            "server_error",
            "The upstream answered 302: it redirects elsewhere, which is not followed.",
        ),
        (cut, "server_error", "The upstream broke off in the middle of its answer."),
        (stream(&[hi]), "server_error", "The upstream ended its answer in the middle."),
        (stream(&[hi, "{oops"]), "server_error", "The upstream sent something that is not JSON."),
        (
            stream(&[hi, r#"{"error":{"message":"Overloaded"}}"#]),
            "server_error",
            "The upstream answered with an error: Overloaded",
        ),
        ("HTTP/1.1 200 OK\r\n", "server_error", "The upstream broke off before it answered"),
        ("hello\r\n\r\n", "server_error", "The upstream broke off before it answered"),
        (
            refusal("401 Unauthorized", "Bad key sk-upstream-test"),
            "server_error",
            "The upstream answered 401: Bad key ….",
        ),
        (refusal("429 Too Many Requests", "Slow down."), rate, "Slow down."),
        (
            refusal("400 Bad Request", "Too long."),
            "invalid_prompt",
            "The upstream answered 400: Too long.",
        ),
        (refusal("503 Service Unavailable", ""), "server_error", "The upstream answered 503."),
        (
            stream(&[
                r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"other","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#,
            ]),
            "server_error",
            "The upstream called the function 'other'",
        ),
        (
            stream(&[
                r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"known","arguments":"{a"}}]},"finish_reason":"tool_calls"}]}"#,
            ]),
            "server_error",
            "The upstream called the function 'known' with arguments that are not JSON: {a.",
        ),
    ] {
        let (address, _) = answering(vec![Some(answer)]).await;
        let folder = tempfile::tempdir().unwrap();
        let record = Some(folder.path().to_owned());
        let server = TestServer::with(Config {
            record,
            ..asking(settings(format!("http://{address}"), UpstreamKind::Chat))
        })
        .await;
        let (_, run) = performed(&server).await;
        assert_eq!(
            (&run["status"], &run["last_error"]["code"]),
            (&json!("failed"), &json!(code)),
            "{answer}: {run}"
        );
        let said = run["last_error"]["message"].as_str().unwrap();
        assert!(
            said.starts_with(message) && !said.contains("sk-upstream-test"),
            "{answer}: {said}"
        );
        // The server continues to work.
        assert_eq!(server.get("/v1/assistants").await.status, StatusCode::OK);
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "nobody performed anything: {answer}"
        );
    }
}

#[tokio::test]
async fn an_upstream_that_is_down_or_silent_is_told_apart() {
    // A port that was free before may belong to another test now. No server listens on this one.
    let server = TestServer::with(asking(settings("http://127.0.0.1:1", UpstreamKind::Chat))).await;
    let (_, run) = performed(&server).await;
    let said = run["last_error"]["message"].as_str().unwrap();
    assert!(said.starts_with("The upstream cannot be reached:"), "{said}");

    let (silent, asked) = answering(vec![None]).await;
    let patience = Some(Duration::from_millis(30));
    let server = TestServer::with(asking(UpstreamSettings {
        patience,
        ..settings(format!("http://{silent}"), UpstreamKind::Chat)
    }))
    .await;
    let (_, run) = performed(&server).await;
    assert_eq!(run["last_error"]["message"], "The upstream did not answer in time.");
    assert_eq!(asked.load(Ordering::SeqCst), 1, "what took too long once is not asked again");
}

#[tokio::test]
async fn temporary_errors_are_retried_and_plain_answers_are_accepted() {
    let busy = "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let body = json!({
        "choices": [{"message": {"content": "Here I am."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 4},
    });
    let body = body.to_string();
    let length = body.len();
    let whole = leaked(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: \
         {length}\r\nconnection: close\r\n\r\n{body}"
    ));
    let (address, asked) = answering(vec![Some(busy), Some(whole)]).await;
    let server =
        TestServer::with(asking(settings(format!("http://{address}/v1"), UpstreamKind::Chat)))
            .await;
    let (thread, run) = performed(&server).await;
    assert_eq!(run["status"], "completed", "{run}");
    assert_eq!(
        (&run["usage"]["prompt_tokens"], &run["usage"]["completion_tokens"]),
        (&json!(7), &json!(4))
    );
    assert_eq!(server.said(&thread).await, ["Hello", "Here I am."]);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_run_is_cancelled_while_the_upstream_thinks() {
    let (silent, _) = answering(vec![None]).await;
    let server =
        TestServer::with(asking(settings(format!("http://{silent}"), UpstreamKind::Chat))).await;
    let order = json!({"assistant_id": server.assistant().await});
    let thread = format!("/v1/threads/{}", server.thread("Hello").await);
    let run = server.post(&format!("{thread}/runs"), order).await.id();
    let cancelled = server.post(&format!("{thread}/runs/{run}/cancel"), json!({})).await;
    assert_eq!(cancelled.body["status"], "cancelling");
    server.idle().await;
    assert_eq!(server.get(&format!("{thread}/runs/{run}")).await.body["status"], "cancelled");
}

#[tokio::test]
async fn a_runaway_loop_is_stopped() {
    let calls = r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"known","arguments":""}}]},"finish_reason":"tool_calls"}]}"#;
    let (address, asked) = answering(vec![Some(stream(&[calls, "[DONE]"]))]).await;
    let server = TestServer::with(asking(UpstreamSettings {
        limit: 3,
        ..settings(format!("http://{address}"), UpstreamKind::Chat)
    }))
    .await;
    let (thread, mut run) = performed(&server).await;
    while run["status"] == "requires_action" {
        let call = &run["required_action"]["submit_tool_outputs"]["tool_calls"][0];
        assert_eq!(call["function"]["arguments"], "{}", "no arguments at all are an empty object");
        let path = format!("{thread}/runs/{}", run["id"].as_str().unwrap());
        let outputs = json!({"tool_outputs": [{"tool_call_id": call["id"], "output": "again"}]});
        server.post(&format!("{path}/submit_tool_outputs"), outputs).await;
        server.idle().await;
        run = server.get(&path).await.body;
    }
    let said = run["last_error"]["message"].as_str().unwrap();
    assert!(said.starts_with("The run asked the upstream 3 times"), "{said}");
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_restart_takes_a_run_up_that_waits_and_ends_one_that_was_being_answered() {
    let folder = tempfile::tempdir().unwrap();
    let calls = r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"known","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":9,"completion_tokens":3}}"#;
    let done = r#"{"choices":[{"delta":{"content":"Done."},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":2}}"#;
    let (address, _) = answering(vec![Some(stream(&[calls])), Some(stream(&[done])), None]).await;
    let configured = || {
        let database = Some(folder.path().join("r.db"));
        Config { database, ..asking(settings(format!("http://{address}"), UpstreamKind::Chat)) }
    };
    let server = TestServer::with(configured()).await;
    let (thread, run) = performed(&server).await;
    assert_eq!(run["status"], "requires_action");
    server.stop().await;

    let server = TestServer::with(configured()).await;
    let path = format!("{thread}/runs/{}", run["id"].as_str().unwrap());
    let call = &run["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"];
    let outputs = json!({"tool_outputs": [{"tool_call_id": call, "output": "x"}]});
    server.post(&format!("{path}/submit_tool_outputs"), outputs).await;
    server.idle().await;
    let run = server.get(&path).await.body;
    assert_eq!(
        (&run["status"], &run["usage"]["total_tokens"]),
        (&json!("completed"), &json!(34)),
        "{run}"
    );

    let thread = format!("/v1/threads/{}", server.thread("Hello").await);
    let run = server
        .post(&format!("{thread}/runs"), json!({"assistant_id": server.assistant().await}))
        .await
        .id();
    while server.get(&format!("{thread}/runs/{run}")).await.body["status"] != "in_progress" {
        tokio::task::yield_now().await;
    }
    server.stop().await;
    let server = TestServer::with(configured()).await;
    server.idle().await;
    let run = server.get(&format!("{thread}/runs/{run}")).await.body;
    assert_eq!(run["last_error"]["message"], "The server restarted while the upstream answered.");
}

const AFAR: &str = r#"
replies:
  - name: first
    when: {assistant: Helper, message: Hello, turn: 1}
    steps:
      - tool_calls: [{code_interpreter: {input: "print(2)", outputs: [{logs: "2"}]}}]
      - message: Two.
    usage: {prompt_tokens: 11, completion_tokens: 5}
  - name: calls
    when: {message: {contains: weather}, turn: 2}
    steps:
      - message: Let me see.
      - tool_calls: [{function: {name: weather, arguments: {city: Oslo}}}, {function: {name: weather, arguments: {city: Rome}}}]
      - message: "Oslo {{ outputs.weather[0] }}, Rome {{ outputs.weather[1] }}."
  - name: fails
    when: {message: {contains: fail}}
    outcome: {failed: {code: rate_limit_exceeded, message: Too much.}}
  - name: incomplete
    when: {message: {contains: short}}
    steps: [{message: "A long text"}]
    outcome: {incomplete: max_completion_tokens}
"#;

/// The parts of a conversation with a server that must not depend on the performer.
async fn converse(server: &TestServer) -> Vec<Value> {
    let function = json!({"type": "function", "function": {"name": "weather"}});
    let assistant = json!({"model": "gpt-4o", "name": "Helper",
        "tools": [function, {"type": "code_interpreter"}]});
    let assistant = server.post("/v1/assistants", assistant).await.id();
    let order = json!({"assistant_id": assistant});
    let mut told = Vec::new();
    let (thread, first) = server.run_with("Hello", order.clone()).await;
    for said in ["How is the weather?", "Now fail", "Be short"] {
        server.post(&format!("{thread}/messages"), json!({"role": "user", "content": said})).await;
        let run = server.post(&format!("{thread}/runs"), order.clone()).await.id();
        server.idle().await;
        let path = format!("{thread}/runs/{run}");
        let mut run = server.get(&path).await.body;
        if run["status"] == "requires_action" {
            let calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
                .as_array()
                .unwrap()
                .clone();
            told.extend(calls.iter().map(|call| call["function"].clone()));
            let outputs = calls.iter().zip(["18", "31"]);
            let outputs: Vec<_> = outputs
                .map(|(call, output)| json!({"tool_call_id": call["id"], "output": output}))
                .collect();
            server
                .post(&format!("{path}/submit_tool_outputs"), json!({"tool_outputs": outputs}))
                .await;
            server.idle().await;
            run = server.get(&path).await.body;
        }
        told.extend([
            run["status"].clone(),
            run["last_error"].clone(),
            run["incomplete_details"].clone(),
        ]);
    }
    let steps = server.get(&format!("{first}/steps?order=asc")).await.body;
    let interpreted = &steps["data"][0]["step_details"]["tool_calls"][0]["code_interpreter"];
    told.extend([interpreted.clone(), server.get(&first).await.body["usage"].clone()]);
    told.extend(server.said(&thread).await.into_iter().map(Value::from));
    told
}

#[tokio::test]
async fn another_server_of_the_api_performs_runs_which_are_recorded_and_replayed() {
    let (afar, folder) = (TestServer::with_fixtures(AFAR).await, tempfile::tempdir().unwrap());
    let record = Some(folder.path().to_owned());
    let near = TestServer::with(Config {
        record,
        ..asking(settings(afar.base.clone(), UpstreamKind::Assistants))
    })
    .await;
    let told = converse(&near).await;
    assert_eq!(told[0], json!({"name": "weather", "arguments": "{\"city\":\"Oslo\"}"}));
    assert_eq!(
        told[5..8],
        [
            json!("failed"),
            json!({"code": "rate_limit_exceeded", "message": "Too much."}),
            Value::Null
        ]
    );
    assert_eq!(
        (&told[8], &told[10]),
        (&json!("incomplete"), &json!({"reason": "max_completion_tokens"}))
    );
    assert_eq!(told[11], json!({"input": "print(2)", "outputs": [{"type": "logs", "logs": "2"}]}));
    assert_eq!(told[12]["prompt_tokens"], 11);
    assert!(told.contains(&json!("Oslo 18, Rome 31.")), "{told:?}");
    // The upstream has one thread with the whole conversation.
    let threads = afar.get("/_rehearsal/requests").await;
    assert_eq!(threads.text.matches("\"path\": \"/v1/threads\",").count(), 1, "{}", threads.text);
    afar.stop().await;
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 1);
    let replay = TestServer::with(Config {
        fixtures: vec![folder.path().to_owned()],
        unmatched: Unmatched::Fail,
        ..config()
    })
    .await;
    assert_eq!(converse(&replay).await, told);
}

#[tokio::test]
async fn only_what_no_fixture_answers_is_asked_and_recorded() {
    let afar = TestServer::with_fixtures("replies: [{steps: [{message: From afar.}]}]").await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("known.yaml"),
        "replies: [{when: {message: Known}, steps: [{message: From here.}]}]",
    )
    .unwrap();
    let path = folder.path().to_owned();
    let asking = asking(settings(afar.base.clone(), UpstreamKind::Assistants));
    let server = TestServer::with(Config {
        fixtures: vec![path.clone()],
        record: Some(path.clone()),
        ..asking
    })
    .await;
    let assistant = server.assistant().await;
    let order = json!({ "assistant_id": assistant });
    let (thread, _) = server.run_with("Known", order.clone()).await;
    server.post(&format!("{thread}/messages"), json!({"role": "user", "content": "New"})).await;
    server.post(&format!("{thread}/runs"), order.clone()).await;
    server.idle().await;
    assert_eq!(server.said(&thread).await, ["Known", "From here.", "New", "From afar."]);
    let recorded: Vec<_> =
        yaml_files(&path).into_iter().filter(|name| name != "known.yaml").collect();
    assert_eq!(recorded.len(), 1, "{recorded:?}");
    let text = std::fs::read_to_string(path.join(&recorded[0])).unwrap();
    assert!(
        text.contains("message: New")
            && !text.contains("message: Known")
            && text.contains("turn: 2"),
        "{text}"
    );

    // A reset sends nothing to the upstream and does not change recordings. Other sessions have
    // their own folders.
    server.post("/_rehearsal/reset", json!({})).await;
    assert_eq!(std::fs::read_to_string(path.join(&recorded[0])).unwrap(), text);
    let other = server.post("/s/other/v1/assistants", json!({"model": "gpt-4o"})).await.id();
    let messages = json!({"messages": [{"role": "user", "content": "Elsewhere"}]});
    let order = json!({"assistant_id": other, "thread": messages, "stream": true});
    server.stream("/s/other/v1/threads/runs", order).await;
    assert_eq!(yaml_files(&path.join("other")).len(), 1);
}

fn yaml_files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.filter(|name| name.ends_with(".yaml")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_pace_recorded_keeps_the_time_that_the_upstream_took() {
    let yaml = "replies: [{steps: [{message: Hello to you}], timing: {first_token: 3s, per_token: \
                1s}}, {name: none}]";
    let paced = Config { pace: rehearsal::Pace::Recorded, ..config() };
    let server = TestServer::with_fixtures_and(yaml, paced).await;
    let (_, run) = server.run("Hello").await;
    assert_eq!(server.get(&run).await.body["status"], "in_progress");
    server.post("/_rehearsal/clock", json!({"advance": "4s"})).await;
    assert_eq!(server.get(&run).await.body["status"], "in_progress");
    server.post("/_rehearsal/clock", json!({"advance": "1s"})).await;
    assert_eq!(server.get(&run).await.body["status"], "completed");
}

/// A server that records another one. The other server numbers its answers in the order of the
/// questions.
async fn counting(folder: &Path, more: Config) -> (TestServer, TestServer) {
    let answers: Vec<_> = (1..10)
        .map(|number| format!("{{times: 1, steps: [{{message: Answer {number}}}]}}"))
        .collect();
    let afar = TestServer::with_fixtures(&format!("replies: [{}]", answers.join(", "))).await;
    let record = Some(folder.to_owned());
    let upstream = Some(UpstreamSettings {
        key: None,
        ..settings(afar.base.clone(), UpstreamKind::Assistants)
    });
    let server =
        TestServer::with(Config { record, upstream, unmatched: Unmatched::Upstream, ..more }).await;
    (afar, server)
}

/// Adds a message to a thread, runs it, and returns the answer.
async fn ask(
    server: &TestServer,
    session: &str,
    thread: &str,
    assistant: &str,
    said: &str,
) -> String {
    let thread = format!("{session}/v1/threads/{thread}");
    server.post(&format!("{thread}/messages"), json!({"role": "user", "content": said})).await;
    server
        .stream(&format!("{thread}/runs"), json!({"assistant_id": assistant, "stream": true}))
        .await;
    server.said(&thread).await.pop().unwrap()
}

async fn begin(server: &TestServer, session: &str) -> (String, String) {
    let assistant =
        server.post(&format!("{session}/v1/assistants"), json!({"model": "gpt-4o"})).await.id();
    (server.post(&format!("{session}/v1/threads"), json!({})).await.id(), assistant)
}

async fn replaying(folder: &Path) -> TestServer {
    TestServer::with(Config {
        fixtures: vec![folder.to_owned()],
        unmatched: Unmatched::Fail,
        ..config()
    })
    .await
}

#[tokio::test]
async fn threads_with_the_same_words_go_on_as_they_did() {
    let folder = tempfile::tempdir().unwrap();
    // The ids are different from those in a replay.
    let (_afar, server) = counting(folder.path(), Config { seed: Some(1), ..config() }).await;
    let talk = async |server: &TestServer| {
        let ((one, assistant), (two, _)) = (begin(server, "").await, begin(server, "").await);
        let mut told = Vec::new();
        for (thread, said) in
            [(&one, "Hello"), (&two, "Hello"), (&one, "More"), (&two, "More"), (&one, "Hello")]
        {
            told.push(ask(server, "", thread, &assistant, said).await);
        }
        told
    };
    let told = talk(&server).await;
    assert_eq!(told, ["Answer 1", "Answer 2", "Answer 3", "Answer 4", "Answer 5"]);
    assert_eq!(talk(&replaying(folder.path()).await).await, told);
}

#[tokio::test]
async fn ids_that_come_again_neither_mix_threads_up_nor_lose_recordings() {
    let folder = tempfile::tempdir().unwrap();
    let (afar, server) = counting(folder.path(), config()).await;
    let talk = async |server: &TestServer, session: &str, said: &str| {
        let (thread, assistant) = begin(server, session).await;
        ask(server, session, &thread, &assistant, said).await
    };
    assert_eq!(talk(&server, "", "First").await, "Answer 1");
    server.post("/_rehearsal/reset", json!({})).await;
    // The same ids here, but another thread on the upstream.
    assert_eq!(talk(&server, "", "Second").await, "Answer 2");
    assert_eq!(talk(&server, "/s/a", "In a").await, "Answer 3");
    assert_eq!(talk(&server, "/s/b", "In b").await, "Answer 4");
    server.stop().await;
    let heard = afar.get("/_rehearsal/requests").await.text;
    assert!(["First", "Second", "In a", "In b"].iter().all(|said| heard.contains(said)));

    // A restart with the same seed.
    let (_afar, server) = counting(folder.path(), config()).await;
    assert_eq!(talk(&server, "", "First").await, "Answer 1");
    assert_eq!(talk(&server, "", "Third").await, "Answer 2");
    assert_eq!(yaml_files(folder.path()).len(), 4, "{:?}", yaml_files(folder.path()));
    let replay = replaying(folder.path()).await;
    for (said, answer) in
        [("First", "Answer 1"), ("Second", "Answer 2"), ("In b", "Answer 4"), ("Third", "Answer 2")]
    {
        assert_eq!(talk(&replay, "", said).await, answer, "{said}");
    }
}

#[tokio::test]
async fn a_thread_that_goes_on_after_a_restart_goes_on_in_its_file_and_edits_stay() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let on_disk = || Config { database: Some(data.path().join("r.db")), ..config() };
    let (_afar, server) = counting(folder.path(), on_disk()).await;
    let (thread, assistant) = begin(&server, "").await;
    ask(&server, "", &thread, &assistant, "Hello").await;
    server.stop().await;
    let (_afar, server) = counting(folder.path(), on_disk()).await;
    ask(&server, "", &thread, &assistant, "More").await;
    let files = yaml_files(folder.path());
    assert_eq!(files, ["0001-hello.yaml"]);
    server.stop().await;
    let path = folder.path().join(&files[0]);
    let edited = std::fs::read_to_string(&path).unwrap().replace("Answer 1", "Edited");
    std::fs::write(&path, &edited).unwrap();
    let (_afar, server) = counting(folder.path(), on_disk()).await;
    ask(&server, "", &thread, &assistant, "Again").await;
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(kept.contains("Edited") && !kept.contains("Again"), "{kept}");
    assert_eq!(yaml_files(folder.path()).len(), 2);
    rehearsal::internals::load_fixtures(&[folder.path().to_owned()]).unwrap();
}

#[tokio::test]
async fn a_redacted_recording_is_still_a_valid_fixture() {
    let folder = tempfile::tempdir().unwrap();
    let redact = vec!["[0-9]+".parse().unwrap()];
    let (_afar, server) = counting(folder.path(), Config { redact, ..config() }).await;
    let (thread, assistant) = begin(&server, "").await;
    ask(&server, "", &thread, &assistant, "Is it 4711?").await;
    let path = folder.path().join(&yaml_files(folder.path())[0]);
    let text = std::fs::read_to_string(path).unwrap();
    assert!(!text.contains("4711") && text.contains("Answer [redacted]"), "{text}");
    let replay = replaying(folder.path()).await;
    let (thread, assistant) = begin(&replay, "").await;
    assert_eq!(ask(&replay, "", &thread, &assistant, "Is it 12?").await, "Answer [redacted]");
}

#[tokio::test]
async fn calls_are_told_apart_whatever_index_they_have() {
    let call = |index: Value, id: &str, name: &str, arguments: &str| {
        let mut call = json!({"id": id, "type": "function",
            "function": {"name": name, "arguments": arguments}});
        if !index.is_null() {
            call["index"] = index;
        }
        json!({"choices": [{"delta": {"tool_calls": [call]}}]}).to_string()
    };
    let end = json!({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}).to_string();
    for index in [Value::Null, json!(0)] {
        let pieces = [
            call(index.clone(), "a", "known", "{\"x\":"),
            call(index.clone(), "a", "known", "1}"),
            call(index.clone(), "b", "known", "{\"x\":2}"),
            end.clone(),
        ];
        let pieces: Vec<_> = pieces.iter().map(String::as_str).collect();
        let (address, _) = answering(vec![Some(stream(&pieces))]).await;
        let server =
            TestServer::with(asking(settings(format!("http://{address}"), UpstreamKind::Chat)))
                .await;
        let (_, run) = performed(&server).await;
        let calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
            .as_array()
            .unwrap_or_else(|| panic!("{run}"));
        let told: Vec<_> =
            calls.iter().map(|call| call["function"]["arguments"].as_str().unwrap()).collect();
        assert_eq!(told, ["{\"x\":1}", "{\"x\":2}"], "{index}");
    }
}

#[tokio::test]
async fn an_upstreams_answer_is_bounded_and_never_shows_the_key() {
    let long = "x".repeat(990);
    let body = json!({"error": {"message": format!("{long} sk-upstream-test")}}).to_string();
    let head =
        format!("HTTP/1.1 403 No\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let named = r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"sk-upstream-test","arguments":"sk-upstream-test"}}]},"finish_reason":"tool_calls"}]}"#;
    let endless =
        leaked(format!("{STREAM}{}", format!("data: {}\n", "x".repeat(1 << 20)).repeat(20)));
    let kind = "HTTP/1.1 200 OK\r\ncontent-type: sk-upstream-test\r\nconnection: close\r\n\r\n";
    for (answer, said) in [
        (leaked(format!("{head}{body}")), "The upstream answered 403: xxx"),
        (
            stream(&[named]),
            "The upstream called the function '…' with arguments that are not JSON: …",
        ),
        (endless, "The upstream answered with more than 16 MiB."),
        (kind, "The upstream answered with … where"),
    ] {
        let (address, _) = answering(vec![Some(answer)]).await;
        let server =
            TestServer::with(asking(settings(format!("http://{address}"), UpstreamKind::Chat)))
                .await;
        let (_, run) = performed(&server).await;
        let message = run["last_error"]["message"].as_str().unwrap();
        assert!(message.starts_with(said), "{message}");
        assert!(!message.contains("sk-up") && message.chars().count() <= 1_001, "{message}");
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_off_or_refused_is_told_with_the_upstreams_usage() {
    let said = r#"{"choices":[{"delta":{"content":"Half of"}}]}"#;
    let end = |reason: &str| {
        json!({"choices": [{"delta": {}, "finish_reason": reason}],
            "usage": {"prompt_tokens": 111, "completion_tokens": 22}})
        .to_string()
    };
    let refused = r#"{"choices":[{"delta":{"refusal":"I cannot do that."}}]}"#;
    for (first, reason, status, details) in [
        (said, "length", "incomplete", json!({"reason": "max_completion_tokens"})),
        (said, "content_filter", "incomplete", json!({"reason": "content_filter"})),
        (refused, "stop", "completed", Value::Null),
    ] {
        let (address, _) = answering(vec![Some(stream(&[first, &end(reason)]))]).await;
        let server =
            TestServer::with(asking(settings(format!("http://{address}"), UpstreamKind::Chat)))
                .await;
        let (thread, run) = performed(&server).await;
        assert_eq!(
            (&run["status"], &run["incomplete_details"]),
            (&json!(status), &details),
            "{run}"
        );
        assert_eq!(
            (&run["usage"]["prompt_tokens"], &run["usage"]["completion_tokens"]),
            (&json!(111), &json!(22)),
            "{reason}"
        );
        let message =
            server.get(&format!("{thread}/messages")).await.body["data"][0]["content"][0].clone();
        let told = if reason == "stop" { &message["refusal"] } else { &message["text"]["value"] };
        assert_eq!(told, if reason == "stop" { "I cannot do that." } else { "Half of" });
    }
}
