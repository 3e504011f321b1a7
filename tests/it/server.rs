//! A server for one test, and a client that checks every response against the contract.

use std::{io::Write, path::Path, time::Duration};

use rehearsal::{Config, Moment, Server, Session, Unmatched};
use reqwest::{
    Method, RequestBuilder, StatusCode,
    header::HeaderMap,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::contract::{self, Version};

/// The start time of every test: 2025-01-01T00:00:00Z.
pub const START: i64 = 1_735_689_600;

/// Prints a line for the person who runs the tests, even if they pass. The output of `println!` in
/// a test that passes is not shown.
pub fn say(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// An HTTP client. It needs the TLS setup even if it does not use TLS.
pub fn client() -> reqwest::Client {
    rehearsal::internals::prepare_tls();
    reqwest::Client::new()
}

pub struct TestServer {
    pub base: String,
    server: Server,
    client: reqwest::Client,
    // The fixtures of the server are in it, so it lives as long as the server.
    _folder: Option<tempfile::TempDir>,
}

/// A stopped clock and a fixed seed, so that two servers give equal responses.
pub fn config() -> Config {
    let program = Some(env!("CARGO_BIN_EXE_rehearsal").into());
    Config {
        seed: Some(7),
        clock: Some(Moment::from_unix_seconds(START)),
        extractor_program: program,
        ..Config::default()
    }
}

/// Panics if a file in this folder contains this text.
pub fn assert_not_kept(folder: &Path, secret: &str) {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    for file in files.filter(|path| path.is_file()) {
        let kept = std::fs::read(&file).unwrap();
        let has_it = kept.windows(secret.len()).any(|it| it == secret.as_bytes());
        assert!(!has_it, "{}", file.display());
    }
}

/// The number of contents on disk next to the database `r.db` in a folder.
pub fn blobs(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder.join("r.db-files")).unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().file_name() != "lock").count()
}

impl TestServer {
    /// With the built-in fixtures.
    pub async fn start() -> Self {
        Self::with(config()).await
    }

    /// With one fixture file.
    pub async fn with_fixtures(yaml: &str) -> Self {
        Self::with_fixtures_and(yaml, config()).await
    }

    pub async fn with_fixtures_and(yaml: &str, config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.yaml");
        std::fs::write(&path, yaml).unwrap();
        let mut server =
            Self::with(Config { fixtures: vec![path], unmatched: Unmatched::Fail, ..config }).await;
        server._folder = Some(folder);
        server
    }

    /// On a database file that may be used already.
    pub async fn on(database: &Path, yaml: &str) -> Self {
        Self::with_fixtures_and(yaml, Config { database: Some(database.to_owned()), ..config() })
            .await
    }

    pub async fn with(config: Config) -> Self {
        let server = Server::start(config).await.unwrap();
        Self { base: server.url(), server, client: client(), _folder: None }
    }

    /// Stops the server and waits until it has released its database.
    pub async fn stop(self) {
        drop(self.client);
        self.server.stop().await;
    }

    pub async fn session(&self) -> Session {
        self.server.session("default").await.unwrap()
    }

    /// Loads other fixtures, as `--watch` does.
    pub async fn reload(&self, yaml: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.yaml");
        std::fs::write(&path, yaml).unwrap();
        self.server.load_fixtures(vec![path]).await.unwrap();
    }

    /// Advances the clock of the default session.
    pub async fn advance(&self, by: Duration) {
        self.session().await.advance(by).await;
    }

    /// Waits until no run has anything to do at this moment.
    pub async fn idle(&self) {
        self.session().await.idle().await;
    }

    /// A request without any headers.
    pub fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// A request with the headers of a correct client.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).bearer_auth("sk-test").header("openai-beta", "assistants=v2")
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let request = request.build().unwrap();
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let version = version_of(request.headers());
        let response = self.client.execute(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        contract::check(version, &method, &path, status, &body);
        if headers
            .get("content-type")
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
            && text.ends_with("[DONE]\n\n")
        {
            contract::check_events(version, &Events::parse(&text));
        }
        Answer { status, headers, text, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// All events of a stream.
    pub async fn stream(&self, path: &str, body: Value) -> Events {
        let answer = self.post(path, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        Events::parse(&answer.text)
    }

    /// Uploads a file.
    pub async fn upload(
        &self,
        purpose: &str,
        filename: &str,
        content: impl Into<Vec<u8>>,
    ) -> Answer {
        let file = Part::bytes(content.into()).file_name(filename.to_owned());
        let form = Form::new().text("purpose", purpose.to_owned()).part("file", file);
        self.send(self.request(Method::POST, "/v1/files").multipart(form)).await
    }

    /// A file for searches. Returns its id.
    pub async fn document(&self, filename: &str, content: impl Into<Vec<u8>>) -> String {
        self.upload("assistants", filename, content).await.id()
    }

    /// A vector store with these files, ready. Returns its id.
    pub async fn store(&self, files: &[&str]) -> String {
        let id = self.post("/v1/vector_stores", json!({"file_ids": files})).await.id();
        self.idle().await;
        id
    }

    /// The results of a search in a store: names of files and texts.
    pub async fn search(&self, store: &str, query: Value) -> Vec<(String, String)> {
        let body = if query.is_string() { json!({ "query": query }) } else { query };
        let found = self.post(&format!("/v1/vector_stores/{store}/search"), body).await;
        assert_eq!(found.status, StatusCode::OK, "{}", found.text);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let items = found.body["data"].as_array().unwrap().iter();
        items.map(|item| (text(&item["filename"]), text(&item["content"][0]["text"]))).collect()
    }

    /// An assistant. Returns its id.
    pub async fn assistant(&self) -> String {
        self.post("/v1/assistants", json!({"model": "gpt-4o"})).await.id()
    }

    /// A thread with a message of a user.
    pub async fn thread(&self, said: &str) -> String {
        self.post("/v1/threads", json!({"messages": [{"role": "user", "content": said}]}))
            .await
            .id()
    }

    /// A run on a new thread. Returns the paths of the thread and of the run. The run has advanced
    /// as far as possible at this moment.
    pub async fn run(&self, said: &str) -> (String, String) {
        let assistant = self.assistant().await;
        self.run_with(said, json!({"assistant_id": assistant})).await
    }

    pub async fn run_with(&self, said: &str, order: Value) -> (String, String) {
        let thread = format!("/v1/threads/{}", self.thread(said).await);
        let created = self.post(&format!("{thread}/runs"), order).await;
        assert_eq!(created.status, StatusCode::OK, "{}", created.text);
        self.idle().await;
        (thread.clone(), format!("{thread}/runs/{}", created.id()))
    }

    /// The texts of a thread's messages, oldest first.
    pub async fn said(&self, thread: &str) -> Vec<String> {
        let list = self.get(&format!("{thread}/messages?order=asc&limit=100")).await.body;
        let messages = list["data"].as_array().unwrap().iter();
        messages
            .map(|message| {
                message["content"][0]["text"]["value"].as_str().unwrap_or_default().to_owned()
            })
            .collect()
    }
}

/// The API version of a request, from its header.
fn version_of(headers: &HeaderMap) -> Version {
    let betas = headers
        .get_all("openai-beta")
        .iter()
        .filter_map(|beta| beta.to_str().ok())
        .collect::<Vec<_>>()
        .join(",");
    if betas.contains("assistants=v1") && !betas.contains("assistants=v2") {
        Version::V1
    } else {
        Version::V2
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Answer {
    pub fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {}", self.text)).to_owned()
    }

    /// The status, message, param and code of an error, on one line.
    pub fn refusal(&self) -> String {
        let error = &self.body["error"];
        let message = error["message"].as_str().unwrap_or(&self.text);
        format!("{} {message} [{} {}]", self.status.as_u16(), error["param"], error["code"])
    }
}

/// The events of a stream, with their data.
pub struct Events(pub Vec<(String, Value)>);

impl Events {
    /// Parses frames in their exact form: name, data in one line, blank line.
    pub fn parse(text: &str) -> Self {
        let frames = text.strip_suffix("\n\n").unwrap_or(text).split("\n\n");
        Self(
            frames
                .map(|frame| {
                    let (name, data) = frame
                        .split_once("\ndata: ")
                        .unwrap_or_else(|| panic!("no frame: {frame:?}"));
                    let name = name
                        .strip_prefix("event: ")
                        .unwrap_or_else(|| panic!("no name: {frame:?}"));
                    assert!(!data.contains('\n'), "data in one line: {data:?}");
                    let data = if data == "[DONE]" {
                        json!(data)
                    } else {
                        serde_json::from_str(data).unwrap()
                    };
                    (name.to_owned(), data)
                })
                .collect(),
        )
    }

    /// The names of the events. Adjacent equal names count once.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        names.dedup();
        names
    }

    /// The data of the last event with this name.
    pub fn last(&self, name: &str) -> &Value {
        let found = self.0.iter().rev().find(|(event, _)| event == name);
        &found.unwrap_or_else(|| panic!("no {name} in {:?}", self.names())).1
    }

    pub fn all(&self, name: &str) -> Vec<&Value> {
        self.0.iter().filter(|(event, _)| event == name).map(|(_, data)| data).collect()
    }
}
