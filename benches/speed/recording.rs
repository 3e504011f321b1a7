//! The delay of an upstream's answer in the server, the cost of a recording, and the speed of
//! imports of old recordings.

use std::{
    convert::Infallible,
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    response::Response,
    routing::post,
    serve::ListenerExt,
};
use serde_json::json;
use tokio::net::TcpListener;

use crate::{common::client::Client, common::processes::Process, load::median};

/// A model that answers with ten words, and the time of its latest first word.
#[derive(Clone, Default)]
struct Model(Arc<Mutex<Option<Instant>>>);

const WORDS: usize = 10;

impl Model {
    /// Starts the model, and returns its address.
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let model = self.clone();
        let routes =
            Router::new().route("/v1/chat/completions", post(async move || model.answer()));
        let listener = listener.tap_io(|connection| _ = connection.set_nodelay(true));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        format!("http://{address}")
    }

    fn answer(&self) -> Response {
        let said = Arc::clone(&self.0);
        let pieces = futures_util::stream::unfold(0, move |number| {
            let said = Arc::clone(&said);
            async move {
                let chunk = match number {
                    0 => json!({"choices": [{"delta": {"role": "assistant"}}]}),
                    number if number <= WORDS => {
                        json!({"choices": [{"delta": {"content": format!("word{number} ")}}]})
                    }
                    _ if number == WORDS + 1 => {
                        json!({"choices": [{"delta": {}, "finish_reason": "stop"}]})
                    }
                    _ => return None,
                };
                if number == 1 {
                    // The answer has begun. This is the time before the first word.
                    tokio::time::sleep(Duration::from_millis(2)).await;
                    *said.lock().expect("nobody panics") = Some(Instant::now());
                }
                Some((Ok::<_, Infallible>(Bytes::from(format!("data: {chunk}\n\n"))), number + 1))
            }
        });
        let response = Response::builder().header("content-type", "text/event-stream");
        response.body(Body::from_stream(pieces)).expect("a response")
    }

    fn said(&self) -> Instant {
        self.0.lock().expect("nobody panics").expect("it was asked")
    }
}

/// The median times of a run that an upstream performs, without and with recording, measured in
/// turn. The last value is the delay of the first token from the model to the client.
pub async fn run_times(count: usize) -> ([Duration; 2], Duration) {
    let (model, folder) = (Model::default(), tempfile::tempdir().expect("a temporary folder"));
    let (url, records) = (model.start().await, folder.path().join("records"));
    let upstream = ["--fixtures", folder.path().to_str().expect("a path"), "--upstream", &url];
    let recorded = [&upstream[..], &["--record", records.to_str().expect("a path")]].concat();
    let servers = [Process::server(&upstream), Process::server(&recorded)];
    let mut clients = Vec::new();
    for server in &servers {
        let mut client = Client::connect(&server.address).await;
        let assistant = client.assistant().await;
        clients.push((client, assistant));
    }
    let (mut times, mut firsts) = ([Vec::new(), Vec::new()], Vec::new());
    for number in 0..count {
        for (which, (client, assistant)) in clients.iter_mut().enumerate() {
            let said = json!([{"role": "user", "content": format!("Question {number}")}]);
            let order =
                json!({"assistant_id": assistant, "stream": true, "thread": {"messages": said}});
            let begun = Instant::now();
            let first = client.until("/v1/threads/runs", &order, b"thread.message.delta").await;
            times[which].push(begun.elapsed());
            firsts.push(first - model.said());
        }
    }
    (times.map(|mut times| median(&mut times)), median(&mut firsts))
}

/// The time to import this number of exchanges: conversations of ten exchanges, each with a run
/// that is polled.
pub fn import_time(exchanges: usize) -> Duration {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("cassette.json");
    std::fs::write(&path, cassette(exchanges)).expect("a cassette");
    let mut times: Vec<_> = (0..5)
        .map(|_| {
            let begun = Instant::now();
            let imported = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
                .arg("import")
                .arg(&path)
                .output()
                .expect("the program");
            assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
            let replies = String::from_utf8_lossy(&imported.stdout).matches("  when:").count();
            assert_eq!(replies, exchanges / 10, "a reply for each run");
            begun.elapsed()
        })
        .collect();
    median(&mut times)
}

fn cassette(exchanges: usize) -> String {
    let base = "https://api.openai.com/v1";
    let mut all = Vec::new();
    let mut exchange =
        |method: &str, path: String, request: serde_json::Value, response: serde_json::Value| {
            let body = if request.is_null() { None } else { Some(request.to_string()) };
            all.push(json!({
                "request": {"method": method, "uri": format!("{base}{path}"), "body": body,
                    "headers": {"OpenAI-Beta": ["assistants=v2"]}},
                "response": {
                    "status": {"code": 200, "message": "OK"},
                    "headers": {"Content-Type": ["application/json"]},
                    "body": {"string": response.to_string()},
                },
            }));
        };
    for number in 0..exchanges / 10 {
        let (thread, run, at) =
            (format!("thread_{number}"), format!("run_{number}"), 1_700_000_000 + number);
        let assistant = json!({"id": "asst_a", "object": "assistant", "created_at": at,
            "model": "gpt-4o", "name": "A", "tools": []});
        exchange("POST", "/assistants".to_owned(), json!({"model": "gpt-4o"}), assistant);
        exchange(
            "POST",
            "/threads".to_owned(),
            json!({}),
            json!({"id": thread, "object": "thread", "created_at": at}),
        );
        let message = |id: String, role: &str, run: Option<&str>, text: String| {
            json!({
                "id": id, "object": "thread.message", "created_at": at, "thread_id": thread,
                "run_id": run, "role": role,
                "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
            })
        };
        let asked = message(
            format!("msg_{number}q"),
            "user",
            None,
            format!("Question {number}, with some more words?"),
        );
        exchange(
            "POST",
            format!("/threads/{thread}/messages"),
            json!({"role": "user", "content": "…"}),
            asked.clone(),
        );
        for status in ["queued", "in_progress", "in_progress", "in_progress", "completed"] {
            let shown = json!({
                "id": run, "object": "thread.run", "created_at": at, "thread_id": thread,
                "assistant_id": "asst_a", "status": status,
                "model": "gpt-4o", "tools": [],
                "usage": {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30},
            });
            let (method, path) = match status {
                "queued" => ("POST", format!("/threads/{thread}/runs")),
                _ => ("GET", format!("/threads/{thread}/runs/{run}")),
            };
            exchange(method, path, serde_json::Value::Null, shown);
        }
        let answer = message(
            format!("msg_{number}a"),
            "assistant",
            Some(&run),
            format!("Answer {number}: {}", "word ".repeat(40)),
        );
        let list = json!({"object": "list", "data": [answer, asked], "has_more": false});
        for _ in 0..2 {
            exchange(
                "GET",
                format!("/threads/{thread}/messages"),
                serde_json::Value::Null,
                list.clone(),
            );
        }
    }
    json!({"version": 1, "interactions": all}).to_string()
}
