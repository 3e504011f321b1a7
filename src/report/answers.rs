//! The answers of a server to the requests of the Playground, collected in advance. A page that
//! contains them needs no server. Each request is the same as that of the page, so the page finds
//! each answer by its path.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use axum::{
    body::{self, Body},
    http::{Request, StatusCode, header},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    app::App,
    session::{DEFAULT_SESSION, OpenSession},
};

/// The maximum number of pages of one list, with a hundred entries each.
const PAGES: usize = 10;
/// The maximum size of all answers together, and of a single image, in bytes.
const BYTES: usize = 48 << 20;
const IMAGE: usize = 1 << 20;
/// The answer is the same in all sessions, so only one session is asked.
const SESSIONS: &str = "_rehearsal/sessions";
/// The query that the page uses for steps.
const CONTENT: &str = "include[]=step_details.tool_calls[*].file_search.results[*].content";

/// The answers, by their paths.
#[derive(Default)]
pub(crate) struct Answers {
    by_path: BTreeMap<String, Value>,
    bytes: usize,
    /// Whether some answers had no room.
    is_full: bool,
}

impl Answers {
    /// Requests all data that the page shows of these sessions, as far as there is room.
    pub(crate) async fn collect(app: &App, key: &str, sessions: &[Arc<OpenSession>]) -> Self {
        let mut answers = Self::default();
        // If there is no room for all sessions, those with unmatched runs have priority.
        let mut sessions = sessions.to_vec();
        sessions.sort_by_key(|it| it.state().reply_usage.unmatched().is_empty());
        let mut found = Vec::new();
        // The lists come first, so that an object without room has at least an entry.
        for session in &sessions {
            let mut reader = SessionReader { app, key, session, answers: &mut answers };
            if session.name == DEFAULT_SESSION {
                reader.ask(SESSIONS).await;
            }
            let runs = reader.list("_rehearsal/runs?limit=100", "run").await;
            // Test suites have thousands of sessions, most of them without a run.
            if !runs.is_empty() || session.name == DEFAULT_SESSION {
                found.push((session, runs));
            }
        }
        for (session, runs) in found {
            SessionReader { app, key, session, answers: &mut answers }.read(runs).await;
        }
        answers
    }

    fn has(&self, path: &str) -> bool {
        self.by_path.contains_key(path)
    }

    pub(super) fn to_json(&self) -> String {
        let answers = json!({"is_full": self.is_full, "by_path": self.by_path});
        serde_json::to_string(&answers).expect("answers are JSON")
    }
}

struct SessionReader<'a> {
    app: &'a App,
    key: &'a str,
    session: &'a OpenSession,
    answers: &'a mut Answers,
}

impl SessionReader<'_> {
    async fn read(&mut self, runs: Vec<Value>) {
        for path in [
            "_rehearsal/fixtures",
            "_rehearsal/clock",
            "_rehearsal/turns?order=desc&limit=100",
            "_rehearsal/requests?order=desc&limit=200&",
            "v1/assistants?order=desc&limit=100",
            "v1/files?order=desc&limit=100",
        ] {
            self.ask(path).await;
        }
        for store in self.list("v1/vector_stores?order=desc&limit=100", "id").await {
            let path = format!("v1/vector_stores/{}/files?order=asc&limit=100", id(&store, "id"));
            for file in self.list(&path, "id").await {
                let path =
                    format!("v1/vector_stores/{}/files/{}", id(&store, "id"), id(&file, "id"));
                self.ask(&format!("{path}/content")).await;
            }
        }
        let mut threads = HashSet::new();
        for thread in self.list("_rehearsal/threads?limit=50", "id").await {
            let thread = id(&thread, "id");
            self.thread(&thread).await;
            threads.insert(thread);
        }
        for run in runs {
            if run["unmatched"] == true {
                let path = format!("_rehearsal/unmatched?run={}", id(&run, "run"));
                self.ask(&path).await;
            }
            let thread = id(&run, "thread");
            if threads.insert(thread.clone()) {
                self.thread(&thread).await;
            }
        }
    }

    async fn thread(&mut self, thread: &str) {
        let path = format!("v1/threads/{thread}");
        self.ask(&path).await;
        let page = "order=desc&limit=100";
        for message in self.list(&format!("{path}/messages?{page}"), "id").await {
            self.images(&message["content"]).await;
        }
        self.list(&format!("_rehearsal/runs?thread={thread}&{page}"), "run").await;
        for run in self.list(&format!("{path}/runs?{page}"), "id").await {
            let steps =
                format!("{path}/runs/{}/steps?order=asc&{CONTENT}&limit=100", id(&run, "id"));
            for step in self.list(&steps, "id").await {
                self.images(&step["step_details"]).await;
            }
        }
    }

    /// The images in a message or a step.
    async fn images(&mut self, part: &Value) {
        let mut files = Vec::new();
        collect_files(part, &mut files);
        for file in files {
            let path = format!("v1/files/{file}");
            if self.ask(&path).await.is_none() {
                continue;
            }
            let content = format!("{path}/content");
            if self.answers.has(&self.named(&content)) {
                continue;
            }
            let Some(bytes) = self.bytes(&content).await.filter(|it| it.len() <= IMAGE) else {
                continue;
            };
            self.keep(&content, json!({"base64": STANDARD.encode(bytes)}));
        }
    }

    /// All entries of a list, page by page. `cursor` is the key with their ids.
    async fn list(&mut self, path: &str, cursor: &str) -> Vec<Value> {
        let (mut entries, mut next) = (Vec::new(), path.to_owned());
        for _ in 0..PAGES {
            let Some(mut page) = self.ask(&next).await else { break };
            let Some(data) = page["data"].as_array_mut() else { break };
            entries.append(data);
            match entries.last() {
                Some(last) if page["has_more"] == true => {
                    next = format!("{path}&after={}", id(last, cursor));
                }
                _ => break,
            }
        }
        entries
    }

    /// The answer for a path. It is kept if there is room.
    async fn ask(&mut self, path: &str) -> Option<Value> {
        if self.answers.is_full {
            return None;
        }
        let bytes = self.bytes(path).await?;
        let mut answer: Value = serde_json::from_slice(&bytes).ok()?;
        self.session.keys.now().clean(&mut answer);
        self.keep(path, answer.clone()).then_some(answer)
    }

    fn keep(&mut self, path: &str, answer: Value) -> bool {
        let (named, size) = (self.named(path), answer.to_string().len());
        if self.answers.has(&named) {
            return true;
        }
        if self.answers.bytes + size > BYTES {
            self.answers.is_full = true;
            return false;
        }
        self.answers.bytes += size;
        self.answers.by_path.insert(named, answer);
        true
    }

    fn named(&self, path: &str) -> String {
        format!("s/{}/{path}", self.session.name)
    }

    async fn bytes(&self, path: &str) -> Option<body::Bytes> {
        let path = path.replace('[', "%5B").replace(']', "%5D").replace('*', "%2A");
        let request = Request::get(format!("/s/{}/{path}", self.session.name))
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key))
            .header("openai-beta", "assistants=v2")
            .header("x-rehearsal-observer", "1")
            .body(Body::empty())
            .ok()?;
        let response = self.app.clone().answer(request).await;
        if response.status() != StatusCode::OK {
            return None;
        }
        body::to_bytes(response.into_body(), BYTES).await.ok()
    }
}

fn id(object: &Value, key: &str) -> String {
    object[key].as_str().unwrap_or_default().to_owned()
}

/// The ids of images at any place in a value.
fn collect_files(value: &Value, files: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_files(item, files)),
        Value::Object(map) => {
            for (key, inner) in map {
                if matches!(key.as_str(), "image_file" | "image")
                    && let Some(file) = inner["file_id"].as_str()
                {
                    files.push(file.to_owned());
                }
                collect_files(inner, files);
            }
        }
        _ => {}
    }
}
