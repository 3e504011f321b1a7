//! The server keeps no key of any form, neither of clients nor of upstreams. No journal, log,
//! recording or database contains one.

use std::{path::Path, process::Command};

use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};

use crate::{
    server::client,
    unharmed::{LISTEN, PROGRAM, Program},
    upstream::{answering, leaked, stream},
};

/// A server that keeps as much as possible: a full log, recordings and a database.
struct Keeper {
    program: Program,
    folder: tempfile::TempDir,
}

impl Keeper {
    fn start(upstream: &str, key: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(PROGRAM);
        command
            .args(LISTEN)
            .args(["--log", "trace", "--upstream-key-env", "SECRET", "--upstream", upstream])
            .args(["--record", "recorded", "--database", "x.db"])
            .env("SECRET", key)
            .current_dir(folder.path())
            .stderr(log);
        Self { program: Program::run(&mut command), folder }
    }

    async fn send(
        &self,
        key: &str,
        method: reqwest::Method,
        path: &str,
        body: Option<&Value>,
    ) -> Value {
        let request = client().request(method, format!("{}{path}", self.program.base));
        let mut request = request.header("authorization", format!("Bearer {key}"));
        request = request.header("OpenAI-Beta", "assistants=v2");
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.unwrap().json().await.unwrap_or_default()
    }

    /// Asks the upstream for a run, and waits for its end.
    async fn run(&self, key: &str) {
        let assistant = json!({"model": "gpt-4o", "tools": [{"type": "function", "function": {"name": "look_up"}}]});
        let assistant =
            self.send(key, reqwest::Method::POST, "/v1/assistants", Some(&assistant)).await;
        let thread = json!({"messages": [{"role": "user", "content": "What is your key?"}]});
        let body = json!({"assistant_id": assistant["id"], "thread": thread, "stream": true});
        let request = client().post(format!("{}/v1/threads/runs", self.program.base)).json(&body);
        let request =
            request.bearer_auth("sk-anything-else").header("OpenAI-Beta", "assistants=v2");
        let events = request.send().await.unwrap().text().await.unwrap();
        assert!(events.ends_with("data: [DONE]\n\n"), "{events}");
    }

    /// All kept data after the end of the server.
    async fn kept(self) -> Vec<(String, Vec<u8>)> {
        let journal =
            self.send("sk-anything-else", reqwest::Method::GET, "/_rehearsal/requests", None).await;
        let Self { program, folder } = self;
        program.signal("-TERM");
        assert_eq!(program.end(), Some(0));
        let mut kept = vec![("the journal".to_owned(), journal.to_string().into_bytes())];
        collect(folder.path(), &mut kept);
        kept
    }
}

fn collect(folder: &Path, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

/// The forms of a key in a file: plain, within JSON, within a URL, and in base64.
fn forms(key: &str) -> Vec<String> {
    let quoted = Value::from(key).to_string();
    let json = quoted[1..quoted.len() - 1].to_owned();
    let url = utf8_percent_encode(key, NON_ALPHANUMERIC).to_string();
    let base64 = STANDARD.encode(key).trim_end_matches('=').to_owned();
    vec![key.to_owned(), json, url.to_lowercase(), url, base64]
}

fn assert_kept_nowhere(key: &str, kept: &[(String, Vec<u8>)]) {
    for form in forms(key) {
        let holds = |bytes: &[u8]| memchr::memmem::find(bytes, form.as_bytes()).is_some();
        let found: Vec<_> =
            kept.iter().filter(|(_, bytes)| holds(bytes)).map(|(name, _)| name).collect();
        assert!(found.is_empty(), "{key} is in {found:?} as {form}");
    }
}

/// Keys of every form that a header accepts, always the same ones.
fn keys(count: usize) -> Vec<String> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let key = prop_oneof![
        "sk-(proj-)?[A-Za-z0-9_-]{16,40}",
        "[a-f0-9]{32}",
        "[!-~]{12,60}",
        "[A-Za-z0-9+/]{22}==",
        "[a-z]{3,8}:[A-Za-z0-9]{12,20}",
        r#"["'\\%&?#/]{2}[a-z0-9]{8}["'\\%&?#/]{2}"#,
    ];
    (0..count).map(|_| key.new_tree(&mut runner).unwrap().current()).collect()
}

#[tokio::test]
async fn the_keys_of_clients_are_kept_nowhere() {
    let server = Keeper::start("http://127.0.0.1:1/v1", "sk-of-the-upstream");
    let keys = keys(60);
    for key in &keys {
        let encoded = utf8_percent_encode(key, NON_ALPHANUMERIC).to_string();
        for path in [
            format!("/v1/threads/{encoded}"),
            format!("/v1/assistants?after={encoded}"),
            format!("/v1/assistants?api-key={encoded}&limit=1"),
            format!("/{encoded}/v1/models"),
        ] {
            server.send(key, reqwest::Method::GET, &path, None).await;
        }
        let refused = json!({"model": 7, "instructions": format!("Use {key}"), "x": {"y": [key]}});
        server.send(key, reqwest::Method::POST, "/v1/assistants", Some(&refused)).await;
    }
    let kept = server.kept().await;
    keys.iter().for_each(|key| assert_kept_nowhere(key, &kept));
}

#[tokio::test]
async fn the_key_of_an_upstream_is_kept_nowhere_even_if_the_upstream_tells_it() {
    for key in keys(12) {
        let part =
            |field: &str, text: &str| json!({"choices": [{"delta": {field: text}}]}).to_string();
        let (head, tail) = key.split_at(key.len() / 2);
        let end = json!({"choices": [{"delta": {}, "finish_reason": "stop"}]}).to_string();
        let call = json!({"index": 0, "id": "call_1", "function": {"name": "look_up", "arguments": json!({"key": key}).to_string()}});
        let calls =
            json!({"choices": [{"delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]});
        let refusal =
            json!({"error": {"message": format!("The key {key} is not one.")}}).to_string();
        let refused = format!(
            "HTTP/1.1 401 No\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{refusal}",
            refusal.len()
        );
        let answers = vec![
            Some(stream(&[&part("content", &format!("It is {key}.")), &end])),
            Some(stream(&[&part("content", head), &part("content", tail), &end])),
            Some(stream(&[&part("refusal", &format!("Not {key}")), &end])),
            Some(stream(&[&calls.to_string()])),
            Some(stream(&[&refusal])),
            Some(stream(&[
                &part("content", &format!("As base64: {}", STANDARD.encode(&key))),
                &end,
            ])),
            Some(leaked(refused)),
        ];
        let asked = answers.len();
        let (address, _) = answering(answers).await;
        let server = Keeper::start(&format!("http://{address}/v1"), &key);
        for _ in 0..asked {
            server.run("sk-anything-else").await;
        }
        let kept = server.kept().await;
        assert!(kept.iter().any(|(name, _)| name.contains("recorded/")), "something is recorded");
        assert_kept_nowhere(&key, &kept);
    }
}
