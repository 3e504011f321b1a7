//! Runs that a chat completions server of another project performs. They are recorded, and replayed
//! without that server.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    clients::{node, succeed},
    frameworks::FRAMEWORKS,
    running::{KEY, Running, root},
};

/// A folder with the mock of a model in it.
static MOCK: LazyLock<PathBuf> = LazyLock::new(|| node("mock", "tests/sdk/mock/package.json"));

/// The key of the upstream, and the same key in base64.
const SECRET: &str = "sk-upstream-0123456789abcdef";
const ENCODED: &str = "c2stdXBzdHJlYW0tMDEyMzQ1Njc4OWFiY2RlZg";

struct Mock {
    child: Child,
    base: String,
}

impl Mock {
    fn start() -> Self {
        let mut child = Command::new("node")
            .arg(MOCK.join("node_modules/@copilotkit/aimock/dist/cli.js"))
            .args([
                "--port",
                "0",
                "--fixtures",
                "tests/sdk/mock/fixtures.json",
                "--chunk-size",
                "7",
                "--log-level",
                "info",
            ])
            .current_dir(root())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the mock starts");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut lines = lines.map_while(Result::ok);
        let line = lines.find(|line| line.contains("listening on")).expect("where it listens");
        let base = line.split("listening on ").nth(1).expect("an address").trim().to_owned();
        // It prints a line for each request.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, base }
    }

    /// The body of its latest request.
    async fn last_request(&self) -> Value {
        let journal = reqwest::get(format!("{}/__aimock/journal", self.base))
            .await
            .unwrap()
            .json::<Value>()
            .await
            .unwrap();
        journal.as_array().unwrap().last().unwrap()["body"].clone()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A client of one server.
struct Client {
    base: String,
    http: reqwest::Client,
}

impl Client {
    fn of(server: &Running) -> Self {
        rehearsal::internals::prepare_tls();
        Self { base: server.base.clone(), http: reqwest::Client::new() }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(KEY);
        let request = request.header("openai-beta", "assistants=v2");
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let text = request.send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text))
    }

    async fn get(&self, path: &str) -> Value {
        self.send(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn upload(&self, purpose: &str, name: &str, content: Vec<u8>) -> String {
        let file = reqwest::multipart::Part::bytes(content).file_name(name.to_owned());
        let form =
            reqwest::multipart::Form::new().text("purpose", purpose.to_owned()).part("file", file);
        let request =
            self.http.post(format!("{}/files", self.base)).bearer_auth(KEY).multipart(form);
        id(&request.send().await.unwrap().json().await.unwrap())
    }

    /// Streams a run until it ends or waits.
    async fn run(&self, thread: &str, order: Value) -> Value {
        let mut order = order;
        order["stream"] = Value::Bool(true);
        self.last_of(self.post(&format!("/threads/{thread}/runs"), order).await)
    }

    fn last_of(&self, stream: Value) -> Value {
        let stream = stream.as_str().unwrap_or_else(|| panic!("{stream}")).to_owned();
        let runs = stream.lines().filter_map(|line| line.strip_prefix("data: "));
        let mut runs = runs
            .filter_map(|data| serde_json::from_str::<Value>(data).ok())
            .filter(|it| it["object"] == "thread.run");
        runs.next_back().unwrap_or_else(|| panic!("{stream}"))
    }

    async fn say(&self, thread: &str, content: Value) {
        self.post(
            &format!("/threads/{thread}/messages"),
            json!({"role": "user", "content": content}),
        )
        .await;
    }
}

fn id(object: &Value) -> String {
    object["id"].as_str().unwrap_or_else(|| panic!("{object}")).to_owned()
}

fn weather() -> Value {
    let city = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    json!({"type": "function",
        "function": {"name": "get_weather", "description": "Tells the weather.",
            "parameters": city}})
}

/// A conversation of several turns. Returns the parts that must not depend on the performer.
async fn converse(client: &Client) -> Vec<Value> {
    let mut told = Vec::new();
    let file = client
        .upload(
            "assistants",
            "policy.txt",
            b"Refunds are paid within 14 days. Shipping is free.".to_vec(),
        )
        .await;
    let store = id(&client.post("/vector_stores", json!({"file_ids": [file]})).await);
    let assistant = json!({
        "model": "gpt-4o",
        "name": "Helper",
        "instructions": "Be brief.",
        "temperature": 0.2,
        "tools": [weather(), {"type": "file_search"}],
        "tool_resources": {"file_search": {"vector_store_ids": [store]}},
    });
    let assistant = id(&client.post("/assistants", assistant).await);
    let order = json!({"assistant_id": assistant});
    let thread = id(&client
        .post("/threads", json!({"messages": [{"role": "user", "content": "Say hello"}]}))
        .await);
    told.push(client.run(&thread, order.clone()).await["status"].clone());

    client.say(&thread, json!("And the refunds?")).await;
    told.push(client.run(&thread, order.clone()).await["status"].clone());

    client.say(&thread, json!("How is the weather?")).await;
    let run = client.run(&thread, order.clone()).await;
    let calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        .as_array()
        .unwrap_or_else(|| panic!("{run}"));
    told.extend(calls.iter().map(|call| call["function"].clone()));
    let outputs: Vec<_> =
        calls.iter().map(|call| json!({"tool_call_id": call["id"], "output": "18"})).collect();
    let path = format!("/threads/{thread}/runs/{}/submit_tool_outputs", id(&run));
    let stream = client.post(&path, json!({"tool_outputs": outputs, "stream": true})).await;
    let run = client.last_of(stream);
    told.extend([run["status"].clone(), run["usage"].clone()]);
    for step in
        client.get(&format!("/threads/{thread}/runs/{}/steps?order=asc", id(&run))).await["data"]
            .as_array()
            .unwrap()
    {
        told.push(step["type"].clone());
    }
    for message in client.get(&format!("/threads/{thread}/messages?order=asc")).await["data"]
        .as_array()
        .unwrap()
    {
        let text = &message["content"][0]["text"];
        let cited = text["annotations"].as_array().unwrap().iter();
        let cited: Vec<_> = cited
            .map(|it| {
                json!([it["text"], it["start_index"], it["file_citation"]["file_id"] == file])
            })
            .collect();
        told.push(json!([message["role"], text["value"], cited]));
    }
    // The same question in two threads, with another answer in each.
    for _ in 0..2 {
        let thread = id(&client
            .post("/threads", json!({"messages": [{"role": "user", "content": "Say it again"}]}))
            .await);
        client.run(&thread, order.clone()).await;
        told.push(
            client.get(&format!("/threads/{thread}/messages")).await["data"][0]["content"].clone(),
        );
    }
    told
}

fn recording(mock: &Mock, folder: &Path) -> Running {
    recording_of("chat", mock, folder)
}

/// The APIs of the mock.
const KINDS: [&str; 2] = ["chat", "responses"];

fn recording_of(kind: &str, mock: &Mock, folder: &Path) -> Running {
    let folder = folder.display().to_string();
    let arguments = [
        "--upstream",
        &mock.base,
        "--upstream-kind",
        kind,
        "--upstream-key-env",
        "UPSTREAM_SECRET",
        "--upstream-model",
        "gpt-4o=tiny-model",
        "--record",
        &folder,
        "--fixtures",
        &folder,
        "--redact",
        r"\d{4}-\d{4}",
    ];
    Running::with_environment(&arguments, &[("UPSTREAM_SECRET", SECRET)])
}

fn replaying(folder: &Path) -> Running {
    Running::with(&["--fixtures", &folder.display().to_string(), "--unmatched", "fail"])
}

#[tokio::test]
async fn a_conversation_is_recorded_and_replayed_without_the_upstream() {
    for kind in KINDS {
        let (mock, folder) = (Mock::start(), tempfile::tempdir().unwrap());
        let recorded = converse(&Client::of(&recording_of(kind, &mock, folder.path()))).await;
        assert_eq!(recorded[0], "completed");
        assert_eq!(recorded[2], json!({"name": "get_weather", "arguments": "{\"city\":\"Oslo\"}"}));
        let texts: Vec<_> =
            recorded.iter().filter_map(|it| it.get(1).and_then(Value::as_str)).collect();
        assert_eq!(texts[1], "Hello! {{ this is no template }} How can I help?");
        assert_eq!(
            texts[3],
            "Refunds are paid within 14 days【8:0†policy.txt】, as the policy says."
        );
        let cited = recorded.iter().find(|it| it[1] == texts[3]).unwrap();
        assert_eq!(cited[2], json!([["【8:0†policy.txt】", 31, true]]));
        drop(mock);
        let files = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, 3, "a file for each thread");
        assert_eq!(converse(&Client::of(&replaying(folder.path()))).await, recorded);
    }
}

/// Runs an agent of the Agents SDK, and checks its final answer.
fn run_agent(server: &Running) {
    let mut agent = Command::new(&*FRAMEWORKS);
    agent
        .arg(root().join("tests/sdk/frameworks/weather.py"))
        .env("OPENAI_BASE_URL", &server.base)
        .env("OPENAI_API_KEY", KEY)
        .env("OPENAI_AGENTS_DISABLE_TRACING", "1");
    assert_eq!(succeed(&mut agent).trim(), "Oslo has 18 degrees, Rome 31.");
}

#[tokio::test]
async fn what_a_model_says_to_an_agent_is_recorded_and_answers_runs_too() {
    for kind in KINDS {
        let (mock, folder) = (Mock::start(), tempfile::tempdir().unwrap());
        run_agent(&recording_of(kind, &mock, folder.path()));
        drop(mock);
        let replay = replaying(folder.path());
        run_agent(&replay);
        let client = Client::of(&replay);
        let assistant = json!({"model": "gpt-4o", "tools": [weather()]});
        let assistant = id(&client.post("/assistants", assistant).await);
        let messages = json!([{"role": "user", "content": "How is the weather?"}]);
        let thread = id(&client.post("/threads", json!({ "messages": messages })).await);
        let run = client.run(&thread, json!({"assistant_id": assistant})).await;
        let calls = &run["required_action"]["submit_tool_outputs"]["tool_calls"];
        let outputs = calls.as_array().unwrap_or_else(|| panic!("{run}")).iter();
        let outputs: Vec<_> =
            outputs.map(|call| json!({"tool_call_id": call["id"], "output": "18"})).collect();
        let path = format!("/threads/{thread}/runs/{}/submit_tool_outputs", id(&run));
        client.last_of(client.post(&path, json!({"tool_outputs": outputs, "stream": true})).await);
        let messages = client.get(&format!("/threads/{thread}/messages")).await;
        let said = &messages["data"][0]["content"][0]["text"]["value"];
        assert_eq!(said, "Oslo has 18 degrees, Rome 31.");
    }
}

#[tokio::test]
async fn the_upstream_is_told_everything_that_the_run_says() {
    let (mock, folder) = (Mock::start(), tempfile::tempdir().unwrap());
    let server = recording(&mock, folder.path());
    let client = Client::of(&server);
    let note = client.upload("assistants", "note.txt", b"The square is red.".to_vec()).await;
    let image = client.upload("vision", "square.png", b"\x89PNG\r\n\x1a\n".to_vec()).await;
    let assistant = json!({"model": "gpt-4o", "instructions": "Be brief.",
        "tools": [weather(), {"type": "code_interpreter"}]});
    let assistant = id(&client.post("/assistants", assistant).await);
    let parts = json!([
        {"type": "text", "text": "Please look at this."},
        {"type": "image_file", "image_file": {"file_id": image}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ]);
    let attachments = json!([{"file_id": note, "tools": [{"type": "code_interpreter"}]}]);
    let messages = json!([
        {"role": "user", "content": "An old question"},
        {"role": "assistant", "content": "An old answer"},
        {"role": "user", "content": parts, "attachments": attachments},
    ]);
    let thread = id(&client.post("/threads", json!({ "messages": messages })).await);
    let order = json!({
        "assistant_id": assistant,
        "temperature": 0.5,
        "response_format": {"type": "json_object"},
        "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
        "parallel_tool_calls": false,
        "max_completion_tokens": 300,
        "truncation_strategy": {"type": "last_messages", "last_messages": 2},
        "additional_instructions": "In JSON.",
    });
    let run = client.run(&thread, order).await;
    assert_eq!(run["status"], "completed", "{run}");
    let asked = mock.last_request().await;
    assert_eq!(asked["model"], "tiny-model");
    let content = json!([
        {"type": "text", "text": "Please look at this."},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "text", "text": "[attached file note.txt]\nThe square is red."},
    ]);
    assert_eq!(
        asked["messages"],
        json!([
            {"role": "system", "content": "Be brief.\nIn JSON."},
            {"role": "assistant", "content": "An old answer"},
            {"role": "user", "content": content},
        ])
    );
    assert_eq!(asked["tools"], json!([weather()]), "the code interpreter cannot be passed on");
    let chosen = json!({"type": "function", "function": {"name": "get_weather"}});
    assert_eq!((&asked["tool_choice"], &asked["parallel_tool_calls"]), (&chosen, &json!(false)));
    assert_eq!((&asked["temperature"], &asked["top_p"]), (&json!(0.5), &Value::Null));
    assert_eq!(
        (&asked["response_format"], &asked["max_completion_tokens"]),
        (&json!({"type": "json_object"}), &json!(300))
    );
    assert_eq!(
        (&asked["stream"], &asked["stream_options"]),
        (&json!(true), &json!({"include_usage": true}))
    );
}

#[tokio::test]
async fn what_goes_wrong_ends_the_run_with_a_word_and_is_not_recorded() {
    let (mock, folder) = (Mock::start(), tempfile::tempdir().unwrap());
    let server = recording(&mock, folder.path());
    let client = Client::of(&server);
    let assistant =
        id(&client.post("/assistants", json!({"model": "gpt-4o", "tools": [weather()]})).await);
    for (said, code, message) in [
        ("quota", "rate_limit_exceeded", "You exceeded your current quota."),
        ("bad request", "invalid_prompt", "The upstream answered 400: The prompt is not allowed."),
        (
            "unknown function",
            "server_error",
            "The upstream called the function 'launch_rockets', but the run has no such tool.",
        ),
        (
            "broken arguments",
            "server_error",
            "The upstream called the function 'get_weather' with arguments that are not JSON: \
             {\"city\": .",
        ),
        ("nothing that it knows", "server_error", "The upstream answered 404"),
    ] {
        let thread = id(&client
            .post("/threads", json!({"messages": [{"role": "user", "content": said}]}))
            .await);
        let run = client.run(&thread, json!({"assistant_id": assistant})).await;
        assert_eq!(
            (&run["status"], &run["last_error"]["code"]),
            (&json!("failed"), &json!(code)),
            "{said}: {run}"
        );
        let told = run["last_error"]["message"].as_str().unwrap();
        assert!(told.starts_with(message), "{said}: {told}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    // The server continues. An unfinished text of a model is an answer, too.
    let thread = id(&client
        .post("/threads", json!({"messages": [{"role": "user", "content": "too long"}]}))
        .await);
    let run = client.run(&thread, json!({"assistant_id": assistant})).await;
    assert_eq!(
        (&run["status"], &run["incomplete_details"]),
        (&json!("incomplete"), &json!({"reason": "max_completion_tokens"}))
    );
    let replay = replaying(folder.path());
    let client = Client::of(&replay);
    let assistant = id(&client.post("/assistants", json!({"model": "gpt-4o"})).await);
    let thread = id(&client
        .post("/threads", json!({"messages": [{"role": "user", "content": "too long"}]}))
        .await);
    assert_eq!(
        client.run(&thread, json!({"assistant_id": assistant})).await["status"],
        "incomplete"
    );
    let message = &client.get(&format!("/threads/{thread}/messages")).await["data"][0];
    assert_eq!(message["content"][0]["text"]["value"], "This goes on and");
}

#[tokio::test]
async fn no_secret_is_in_anything_that_is_written() {
    let (mock, folder) = (Mock::start(), tempfile::tempdir().unwrap());
    let database = folder.path().join("r.db");
    // No file of the server contains the key, for any end of the run.
    let kept = [
        "--upstream",
        &mock.base,
        "--upstream-key-env",
        "UPSTREAM_SECRET",
        "--database",
        database.to_str().unwrap(),
    ];
    let kept = [&kept[..], &["--fixtures", folder.path().to_str().unwrap()]].concat();
    let server = Running::with_environment(&kept, &[("UPSTREAM_SECRET", SECRET)]);
    let client = Client::of(&server);
    let assistant = id(&client.post("/assistants", json!({"model": "gpt-4o"})).await);
    for (said, status) in [("Say hello", "completed"), ("bad request", "failed")] {
        let thread = id(&client
            .post("/threads", json!({"messages": [{"role": "user", "content": said}]}))
            .await);
        assert_eq!(client.run(&thread, json!({"assistant_id": assistant})).await["status"], status);
    }
    drop(server);
    let files = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file());
    let files: Vec<_> = files.map(|path| fs::read(path).unwrap()).collect();
    let has = |text: &str| {
        files.iter().any(|file| file.windows(text.len()).any(|window| window == text.as_bytes()))
    };
    assert!(has("How can I help?") && !has(SECRET) && !has(ENCODED));
    for kind in KINDS {
        records_no_secret(kind, &mock).await;
    }
}

/// Records a model whose answer contains the key of the upstream.
async fn records_no_secret(kind: &str, mock: &Mock) {
    let folder = tempfile::tempdir().unwrap();
    let records = folder.path().join("records");
    let arguments = [
        "--upstream",
        &mock.base,
        "--upstream-kind",
        kind,
        "--upstream-key-env",
        "UPSTREAM_SECRET",
        "--record",
        records.to_str().unwrap(),
        "--fixtures",
        folder.path().to_str().unwrap(),
        "--redact",
        r"\d{4}-\d{4}",
        "--log",
        "trace",
    ];
    let server = Running::with_environment(&arguments, &[("UPSTREAM_SECRET", SECRET)]);
    let client = Client::of(&server);
    let assistant = id(&client.post("/assistants", json!({"model": "gpt-4o"})).await);
    let said = format!("What is my key? Not {SECRET}, I hope.");
    let thread = id(&client
        .post("/threads", json!({"messages": [{"role": "user", "content": said}]}))
        .await);
    let run = client.run(&thread, json!({"assistant_id": assistant})).await;
    assert_eq!(run["status"], "completed", "{run}");
    drop(server);
    let written = fs::read_dir(&records)
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let written: Vec<_> = written.collect();
    assert_eq!(written.len(), 1);
    for secret in [SECRET, ENCODED, "4711-0815"] {
        assert!(!written[0].contains(secret), "{}", written[0]);
    }
    assert!(written[0].contains("Your key is [redacted], that is [redacted]"), "{}", written[0]);

    // A message with another secret still gets the recorded answer.
    let replay = replaying(&records);
    let client = Client::of(&replay);
    let assistant = id(&client.post("/assistants", json!({"model": "gpt-4o"})).await);
    let said = "What is my key? Not sk-another-0123456789abcdef, I hope.";
    let thread = id(&client
        .post("/threads", json!({"messages": [{"role": "user", "content": said}]}))
        .await);
    assert_eq!(
        client.run(&thread, json!({"assistant_id": assistant})).await["status"],
        "completed"
    );
}

#[tokio::test]
async fn a_kill_while_recording_leaves_whole_files_only() {
    let (mock, folder) = (Mock::start(), tempfile::tempdir().unwrap());
    let server = recording(&mock, folder.path());
    let client = Client::of(&server);
    let assistant = id(&client.post("/assistants", json!({"model": "gpt-4o"})).await);
    let turn = async || {
        let thread = json!({"messages": [{"role": "user", "content": "Say hello"}]});
        let order = json!({"assistant_id": assistant, "thread": thread, "stream": true});
        let request = client.http.post(format!("{}/threads/runs", client.base)).bearer_auth(KEY);
        let request = request.header("openai-beta", "assistants=v2").json(&order).send();
        // The server is killed at some point.
        if let Ok(response) = request.await {
            _ = response.text().await;
        }
    };
    let turns = futures_util::future::join_all((0..60).map(|_| turn()));
    let whole = || -> Vec<_> {
        let paths = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect()
    };
    let kill = async {
        while whole().len() < 5 {
            tokio::task::yield_now().await;
        }
        server.kill();
    };
    tokio::join!(turns, kill);
    let whole = whole();
    let checked =
        Command::new(env!("CARGO_BIN_EXE_rehearsal")).arg("check").args(&whole).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    for path in whole {
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.contains("How can I help?") && text.contains("timing:"),
            "{}: {text}",
            path.display()
        );
    }
}
