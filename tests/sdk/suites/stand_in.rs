//! A proxy in front of the server, for test suites that were written against a mock.
//!
//! The suites name objects that do not exist (`conv_123`) and send values that the real service
//! rejects (`limit=0`). For each request the proxy creates the objects, inserts their ids, and
//! corrects those values. Everything else passes unchanged. Answers always pass unchanged.

use std::net::Ipv4Addr;

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderName, header},
    response::Response,
};
use reqwest::{
    RequestBuilder,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::running::{KEY, Running};

/// For this message, a run waits for tool outputs, and a background response stays in progress.
const WAIT: &str = "wait";

/// The operations of a run or response that waits.
const ON_WAITING: [&str; 2] = ["/cancel", "/submit_tool_outputs"];

/// The content of every file.
const DATA: &[u8] = b"Example data";

pub const FIXTURES: &str = r#"
replies:
  - name: waits
    when: {api: assistants, message: wait}
    steps: [{tool_calls: [{function: {name: look_up, arguments: {}}}]}, {message: Done.}]
  - name: goes on
    when: {api: responses, message: wait}
    pace: {first_token: 1h}
    steps: [{message: Done.}]
  - {name: answers, steps: [{message: Hello.}]}
"#;

/// Words in paths at a place where other paths have an id.
const OPERATIONS: [&str; 3] = ["runs", "compact", "input_tokens"];

/// Fields that exclude each other. The suites send both.
const EXCLUSIVE: [(&str, &str); 2] = [("vector_store_ids", "vector_stores"), ("file_ids", "files")];

/// Headers of the client's own connection.
const OF_THE_CONNECTION: [HeaderName; 4] =
    [header::HOST, header::CONTENT_LENGTH, header::CONNECTION, header::AUTHORIZATION];

pub struct StandIn {
    /// The base URL for the suite. Its path has no version, like that of the mock.
    pub base: String,
    serving: JoinHandle<()>,
}

impl StandIn {
    pub async fn start(server: &Running) -> Self {
        rehearsal::internals::prepare_tls();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let service = Service { base: server.base.clone(), http: reqwest::Client::new() };
        let router = Router::new().fallback(pass).with_state(service);
        let serving = tokio::spawn(async { axum::serve(listener, router).await.expect("serving") });
        Self { base, serving }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(State(service): State<Service>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    let waits = ON_WAITING.iter().any(|it| parts.uri.path().ends_with(it));
    let objects = Objects::make(&service, if waits { WAIT } else { "Hello" }).await;
    let path = objects.path(parts.uri.path()).await;
    let query = corrected_query(parts.uri.query().unwrap_or_default());
    let mut headers = parts.headers;
    OF_THE_CONNECTION.iter().for_each(|name| _ = headers.remove(name));
    let request = service.request(parts.method, &format!("{path}{query}"));
    let request = match objects.body(&path, &body).await {
        Some(value) => {
            headers.remove(header::CONTENT_TYPE);
            request.headers(headers).json(&value)
        }
        None => request.headers(headers).body(body),
    };
    let answer = request.send().await.expect("an answer");
    let (status, mut response) = (answer.status(), Response::builder().status(answer.status()));
    *response.headers_mut().expect("headers") = answer.headers().clone();
    let body = if status.is_success() {
        Body::from_stream(answer.bytes_stream())
    } else {
        let refusal = answer.text().await.expect("a refusal");
        println!("{path}{query}: {refusal}");
        Body::from(refusal)
    };
    response.body(body).expect("a response")
}

/// The query without ids of objects, and with a limit that is not too small.
fn corrected_query(query: &str) -> String {
    let ids = ["after=", "before=", "run_id="];
    let kept = query.split('&').filter(|pair| !ids.iter().any(|id| pair.starts_with(id)));
    let corrected: Vec<_> =
        kept.map(|pair| if pair == "limit=0" { "limit=1" } else { pair }).collect();
    format!("?{}", corrected.join("&"))
}

/// The server behind the proxy.
#[derive(Clone)]
struct Service {
    base: String,
    http: reqwest::Client,
}

impl Service {
    fn request(&self, method: reqwest::Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(KEY)
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.request(reqwest::Method::POST, path).header("OpenAI-Beta", "assistants=v2")
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.request(reqwest::Method::GET, path).header("OpenAI-Beta", "assistants=v2")
    }
}

async fn object(request: RequestBuilder) -> Value {
    let answer = request.send().await.expect("an answer");
    let refused = answer.error_for_status_ref().err();
    let text = answer.text().await.expect("an answer");
    assert!(refused.is_none(), "{refused:?}: {text}");
    serde_json::from_str(&text).expect("an object")
}

async fn id(request: RequestBuilder) -> String {
    object(request).await["id"].as_str().expect("an id").to_owned()
}

/// The objects that a request can name. They are created for this request only.
struct Objects<'a> {
    service: &'a Service,
    question: &'static str,
    assistant: String,
    file: String,
    vector_store: String,
    conversation: String,
}

impl<'a> Objects<'a> {
    async fn make(service: &'a Service, question: &'static str) -> Self {
        let make = async |path: &str, body: Value| id(service.post(path).json(&body)).await;
        let part = Part::bytes(DATA).file_name("example.txt");
        let form = Form::new().text("purpose", "assistants").part("file", part);
        Self {
            service,
            question,
            assistant: make("/assistants", json!({"model": "gpt-4o"})).await,
            file: id(service.post("/files").multipart(form)).await,
            vector_store: make("/vector_stores", json!({})).await,
            conversation: make("/conversations", json!({})).await,
        }
    }

    /// The path with ids of objects that exist.
    async fn path(&self, path: &str) -> String {
        let mut real = String::new();
        let mut segments = path.split('/').skip(1);
        while let Some(collection) = segments.next() {
            real = format!("{real}/{collection}");
            let Some(placeholder) = segments.next() else { break };
            let is_operation = OPERATIONS.contains(&placeholder);
            let id = if is_operation { placeholder.to_owned() } else { self.member(&real).await };
            real = format!("{real}/{id}");
        }
        real
    }

    /// The id of a new member of a collection, or that of the first step of a run.
    async fn member(&self, collection: &str) -> String {
        let question = json!({"role": "user", "content": self.question});
        let (parent, kind) = collection.rsplit_once('/').expect("a path");
        let body = match kind {
            "assistants" => return self.assistant.clone(),
            "vector_stores" => return self.vector_store.clone(),
            "conversations" => return self.conversation.clone(),
            "files" if parent.is_empty() => return self.file.clone(),
            "files" => json!({"file_id": self.file}),
            "file_batches" => json!({"file_ids": [self.file]}),
            "threads" => json!({"messages": [question]}),
            "messages" => question,
            "runs" => return self.run(collection).await,
            "steps" => {
                let steps = object(self.service.get(collection)).await;
                return steps["data"][0]["id"].as_str().expect("a step").to_owned();
            }
            "items" => {
                let added = self.service.post(collection).json(&json!({"items": [question]}));
                let added = object(added).await;
                return added["data"][0]["id"].as_str().expect("an item").to_owned();
            }
            "responses" => return self.response().await,
            "containers" => json!({"name": "name"}),
            "uploads" => {
                json!({"bytes": DATA.len(), "filename": "a.txt", "mime_type": "text/plain",
                    "purpose": "assistants"})
            }
            other => panic!("no member of {other} can be made"),
        };
        id(self.service.post(collection).json(&body)).await
    }

    /// The id of a run that ended, or that waits for tool outputs.
    async fn run(&self, runs: &str) -> String {
        let body = json!({"assistant_id": self.assistant, "stream": true});
        let events = self.service.post(runs).json(&body).send().await.expect("events");
        let run = first_data(&events.text().await.expect("events"));
        run["id"].as_str().expect("an id").to_owned()
    }

    /// The id of a response in the background, which can be streamed again.
    async fn response(&self) -> String {
        let body = json!({"model": "gpt-4o", "input": self.question, "background": true,
            "stream": true});
        let mut events = self.service.post("/responses").json(&body).send().await.expect("events");
        let first = events.chunk().await.expect("an event").expect("an event");
        let created = first_data(&String::from_utf8_lossy(&first));
        created["response"]["id"].as_str().expect("an id").to_owned()
    }

    /// The JSON that replaces a body, if the body has to change.
    async fn body(&self, path: &str, body: &Bytes) -> Option<Value> {
        let (parent, operation) = path.rsplit_once('/').expect("a path");
        if operation == "files" && parent.starts_with("/containers/") && !body.is_empty() {
            return Some(json!({"file_id": self.file}));
        }
        let mut value: Value = serde_json::from_slice(body).ok()?;
        match operation {
            "submit_tool_outputs" => value["tool_outputs"] = self.outputs(parent).await,
            "complete" => value = json!({"part_ids": [self.part(parent).await]}),
            "responses" | "compact" | "input_tokens" => ask(&mut value),
            _ => {}
        }
        self.correct(&mut value);
        Some(value)
    }

    /// The outputs that a run waits for.
    async fn outputs(&self, run: &str) -> Value {
        let run = object(self.service.get(run)).await;
        let call = &run["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"];
        json!([{"tool_call_id": call, "output": "output"}])
    }

    /// The id of the only part of an upload.
    async fn part(&self, upload: &str) -> String {
        let form = Form::new().part("data", Part::bytes(DATA).file_name("data"));
        id(self.service.post(&format!("{upload}/parts")).multipart(form)).await
    }

    /// Puts ids of existing objects into a body, and corrects values that are out of range.
    fn correct(&self, value: &mut Value) {
        let Value::Object(fields) = value else {
            let items = value.as_array_mut().into_iter().flatten();
            return items.for_each(|it| self.correct(it));
        };
        // The models that the suites name do not support it.
        fields.remove("reasoning_effort");
        for (one, other) in EXCLUSIVE {
            if fields.contains_key(one) {
                fields.remove(other);
            }
        }
        for (name, value) in fields {
            match name.as_str() {
                "assistant_id" => *value = json!(self.assistant),
                "conversation" => *value = json!(self.conversation),
                "file_id" => *value = json!(self.file),
                "file_ids" => *value = json!([self.file]),
                "vector_store_ids" => *value = json!([self.vector_store]),
                "minutes" | "max_tool_calls" if *value == 0 => *value = json!(1),
                "bytes" => *value = json!(DATA.len()),
                "mime_type" => *value = json!("text/plain"),
                "parameters" => *value = json!({"type": "object", "additionalProperties": false}),
                _ => self.correct(value),
            }
        }
    }
}

/// The data of the first event.
fn first_data(events: &str) -> Value {
    let data = events.lines().find_map(|line| line.strip_prefix("data: "));
    serde_json::from_str(data.expect("the data of an event")).expect("JSON")
}

/// Adds the fields that a response needs, and removes the fields that exclude another one.
fn ask(body: &mut Value) {
    let body = body.as_object_mut().expect("an object");
    body.entry("model").or_insert_with(|| json!("gpt-4o"));
    body.entry("input").or_insert_with(|| json!("Hello"));
    body.remove("previous_response_id");
    body.remove("prompt");
}
