//! Threads and old recordings become fixtures, with commands and with the control API.

use std::{fs, path::Path, process::Command};

use rehearsal::{Config, Unmatched};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::server::{TestServer, config};

fn rehearsal(arguments: &[&str]) -> (i32, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_rehearsal")).env_clear().args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

const TALK: &str = r#"
replies:
  - when: {message: {contains: chart}}
    steps:
      - tool_calls: [{code_interpreter: {input: "plot()", outputs: [{logs: "ok"}, {image: {name: chart.png, base64: iVBORw0KGgo=}}]}}]
      - message: {text: "See [it](sandbox:/mnt/data/data.csv)", images: [{name: chart.png, base64: iVBORw0KGgo=}], files: [{name: data.csv, text: "a,b"}]}
  - when: {message: {contains: policy}}
    steps:
      - tool_calls: [{file_search: {}}]
      - message: {text: "14 days{{ cite }}, it says.", citations: [{file: policy.txt}]}
  - when: {message: {contains: weather}}
    steps:
      - tool_calls: [{function: {name: weather, arguments: {city: "{{ message }}"}}}]
      - message: "It is {{ outputs.weather }}: braces {{ '{{' }}"
"#;

/// The parts of a conversation that must not depend on the performer.
async fn converse(server: &TestServer, assistant: Option<&str>) -> (String, Vec<Value>) {
    let assistant = match assistant {
        Some(known) => known.to_owned(),
        None => {
            let store = server
                .store(&[&server
                    .document("policy.txt", "Refunds take 14 days. That is the policy.")
                    .await])
                .await;
            let function = json!({"type": "function", "function": {"name": "weather"}});
            let tools = json!([{"type": "code_interpreter"}, {"type": "file_search"}, function]);
            let resources = json!({"file_search": {"vector_store_ids": [store]}});
            let assistant = json!({"name": "Bot", "model": "gpt-4o", "tools": tools,
                "tool_resources": resources});
            server.post("/v1/assistants", assistant).await.id()
        }
    };
    let thread = format!("/v1/threads/{}", server.post("/v1/threads", json!({})).await.id());
    let mut told = Vec::new();
    for said in ["A chart, please", "What is the policy?", "And the weather?"] {
        server.post(&format!("{thread}/messages"), json!({"role": "user", "content": said})).await;
        let run =
            server.post(&format!("{thread}/runs"), json!({"assistant_id": assistant})).await.id();
        server.idle().await;
        let path = format!("{thread}/runs/{run}");
        let run = server.get(&path).await.body;
        if run["status"] == "requires_action" {
            let call = &run["required_action"]["submit_tool_outputs"]["tool_calls"][0];
            told.push(call["function"].clone());
            let outputs = json!({"tool_outputs": [{"tool_call_id": call["id"], "output": "mild"}]});
            server.post(&format!("{path}/submit_tool_outputs"), outputs).await;
            server.idle().await;
        }
        told.push(server.get(&path).await.body["status"].clone());
        let steps = server.get(&format!("{path}/steps?order=asc")).await.body;
        for step in steps["data"].as_array().unwrap() {
            let calls = step["step_details"]["tool_calls"].as_array().into_iter().flatten();
            told.push(json!([
                step["type"],
                calls.map(|call| call["code_interpreter"]["input"].clone()).collect::<Vec<_>>()
            ]));
        }
        let message =
            server.get(&format!("{thread}/messages?limit=1")).await.body["data"][0].clone();
        for part in message["content"].as_array().unwrap() {
            let marks = part["text"]["annotations"].as_array().into_iter().flatten();
            let marks: Vec<_> = marks
                .map(|mark| json!([mark["type"], mark["text"], mark["start_index"]]))
                .collect();
            told.push(json!([part["type"], part["text"]["value"], marks]));
            if let Some(file) = part["image_file"]["file_id"].as_str() {
                told.push(server.get(&format!("/v1/files/{file}/content")).await.text.into());
            }
        }
    }
    (thread.rsplit('/').next().unwrap().to_owned(), told)
}

#[tokio::test]
async fn a_stored_thread_becomes_a_fixture_that_answers_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("r.db");
    let server = TestServer::on(&database, TALK).await;
    let (thread, told) = converse(&server, None).await;
    // With the control API of a running server.
    let exported = server.get(&format!("/_rehearsal/threads/{thread}/fixture")).await;
    assert_eq!(
        (exported.status, &exported.headers["content-type"]),
        (StatusCode::OK, &"application/yaml".parse().unwrap())
    );
    let missing = server.get("/_rehearsal/threads/thread_nobody/fixture").await;
    assert_eq!(missing.refusal(), "404 No thread found with id 'thread_nobody'. [null null]");
    // With the command, with and without a running server.
    let path = database.to_str().unwrap();
    let (code, by_command, said) = rehearsal(&["export", &thread, "--database", path]);
    assert_eq!((code, by_command.trim_end(), said.as_str()), (0, exported.text.trim_end(), ""));
    server.stop().await;
    assert_eq!(rehearsal(&["export", &thread, "--database", path]).1, by_command);

    let fixture = folder.path().join("exported.yaml");
    fs::write(&fixture, &by_command).unwrap();
    let replay = TestServer::with(Config {
        fixtures: vec![fixture],
        unmatched: Unmatched::Fail,
        ..config()
    })
    .await;
    let assistants = replay.get("/v1/assistants").await.body;
    let (_, again) = converse(&replay, assistants["data"][0]["id"].as_str()).await;
    assert_eq!(again, told, "{by_command}");
}

#[test]
fn what_cannot_be_exported_says_so_and_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let export = |database: &str, more: &[&str]| {
        let arguments = [&["export", "thread_nobody", "--database", database], more].concat();
        let (code, said, complaint) = rehearsal(&arguments);
        assert_eq!((code, said.as_str()), (2, ""), "{complaint}");
        complaint
    };
    assert_eq!(
        export(&path("none.db"), &[]),
        format!("rehearsal: there is no database {}\n", path("none.db"))
    );
    assert!(!Path::new(&path("none.db")).exists());
    fs::write(path("text.db"), "a letter, which is no database, and goes on for a while").unwrap();
    assert!(export(&path("text.db"), &[]).contains("text.db"));
}

#[tokio::test]
async fn a_thread_or_a_session_that_is_not_there_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("r.db");
    TestServer::on(&database, "replies: []").await.stop().await;
    let path = database.to_str().unwrap();
    let (code, _, said) = rehearsal(&["export", "thread_nobody", "--database", path]);
    assert_eq!(
        (code, said),
        (2, format!("rehearsal: there is no thread thread_nobody in session default of {path}\n"))
    );
    let (code, _, said) =
        rehearsal(&["export", "thread_nobody", "--database", path, "--session", "other"]);
    assert_eq!((code, said), (2, format!("rehearsal: there is no session other in {path}\n")));
}

#[test]
fn what_is_no_recording_is_said_plainly_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let whole = "interactions:\n- request: {method: GET, uri: 'https://api.openai.com/v1/models', \
                 body: null, headers: {}}\n  response: {status: {code: 200, message: OK}, headers: \
                 {}, body: {string: '{}'}}\nversion: 1\n";
    let out = folder.path().join("out");
    for (path, message) in [
        (file("cut.yaml", &whole[..whole.len() / 2]), "cut.yaml:"),
        (file("cut.json", "{\"interactions\": [{\"request\": "), "cut.json:"),
        (file("text.yaml", "Dear Sir or Madam, [this: is {no YAML"), "text.yaml:"),
        (file("between.yaml", whole.trim_end_matches("version: 1\n")), "it ends without 'version'"),
        (file("else.yaml", "shopping: [milk, bread]\n"), "else.yaml: "),
        (file("empty.yaml", ""), "empty.yaml: "),
        (
            file("other.yaml", whole),
            "there is nothing of the Assistants API or the Responses API in it",
        ),
        (folder.path().join("nowhere.yaml").display().to_string(), "nowhere.yaml: "),
    ] {
        let (code, said, complaint) = rehearsal(&["import", &path, "--out", out.to_str().unwrap()]);
        assert_eq!((code, said.as_str()), (2, ""), "{path}: {complaint}");
        assert!(complaint.contains(message) && complaint.starts_with("rehearsal: "), "{complaint}");
        assert!(!out.exists(), "{path}");
    }
}

#[test]
fn an_import_overwrites_imports_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("talk.yaml");
    let exchange = |method: &str, uri: &str, body: Value| {
        json!({
            "request": {"method": method, "uri": format!("https://api.openai.com/v1{uri}"),
                "body": null, "headers": {}},
            "response": {"status": {"code": 200, "message": "OK"}, "headers": {},
                "body": {"string": body.to_string()}},
        })
    };
    let run = json!({"id": "run_1", "object": "thread.run", "created_at": 5,
        "thread_id": "thread_1", "assistant_id": "asst_1", "status": "completed"});
    let said = |id: &str, role: &str, run: Option<&str>, text: &str| {
        let content = json!([{"type": "text", "text": {"value": text, "annotations": []}}]);
        json!({"id": id, "object": "thread.message", "created_at": 5, "thread_id": "thread_1",
            "role": role, "run_id": run, "content": content})
    };
    let list = json!({"object": "list",
        "data": [said("msg_2", "assistant", Some("run_1"), "Hi!"),
            said("msg_1", "user", None, "Hello")]});
    let cassette = json!({"version": 1, "interactions": [
        exchange("POST", "/threads/thread_1/runs", run),
        exchange("GET", "/threads/thread_1/messages", list),
    ]});
    fs::write(&path, cassette.to_string()).unwrap();
    let import =
        |out: &Path| rehearsal(&["import", path.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    let (code, _, said) = import(folder.path());
    assert_eq!(code, 2);
    assert!(
        said.contains(
            "talk.yaml already exists, and is no import of the same file: name another folder"
        ),
        "{said}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), cassette.to_string());
    // Another recording with the same name, which has the same question. The two are independent.
    let out = folder.path().join("out");
    let other = folder.path().join("other.yaml");
    fs::write(
        &other,
        cassette
            .to_string()
            .replace("Hi!", "Ho!")
            .replace("run_1", "run_2")
            .replace("thread_1", "thread_2"),
    )
    .unwrap();
    assert_eq!(
        rehearsal(&["import", other.to_str().unwrap(), "--out", out.to_str().unwrap()]).0,
        0
    );
    for _ in 0..2 {
        assert_eq!(import(&out).0, 0);
        let written = fs::read_to_string(out.join("talk.yaml")).unwrap();
        assert!(
            written.starts_with(&format!("# Imported from {}.", path.display()))
                && written.contains("message: Hello"),
            "{written}"
        );
        // Seeds are made from runs if nothing else is known, and equal names get different
        // suffixes.
        let first = fs::read_to_string(out.join("other.yaml")).unwrap();
        assert!(
            first.contains("id: asst_1") && written.contains("name: hello-2"),
            "{first}{written}"
        );
    }
    rehearsal::internals::load_fixtures(std::slice::from_ref(&out)).unwrap();
    fs::create_dir_all(folder.path().join("more/talk")).unwrap();
    assert_eq!(
        import(&folder.path().join("more")).0,
        2,
        "a folder of files beside it is somebody else's"
    );
}

#[test]
fn upstream_options_are_checked_before_the_server_starts() {
    let server = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
        let command = command.env_clear().envs(environment.iter().copied());
        // The database cannot be opened, so the server ends in any case.
        let output = command
            .args(["--listen", "127.0.0.1:0", "--database", "/no/such/folder/r.db"])
            .args(arguments)
            .output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let opened = "cannot open the database";
    let url = "http://127.0.0.1:9";
    let named = [("REHEARSAL_UPSTREAM", url)];
    assert!(server(&[], &named).contains(opened));
    let refused = server(&[], &[named[0], ("CI", "true")]);
    assert!(refused.contains("REHEARSAL_UPSTREAM and CI are both set"), "{refused}");
    assert!(server(&["--upstream", url], &[named[0], ("CI", "true")]).contains(opened));
    assert!(server(&[], &[named[0], ("CI", "false")]).contains(opened));
    assert!(
        server(&["--unmatched", "upstream"], &[])
            .contains("--unmatched upstream: add --upstream URL")
    );
    assert!(
        server(&["--record", "/tmp/x"], &[])
            .contains("--record: there is nothing to record without --upstream")
    );
    let nothing = server(&["--upstream", url, "--record", "/tmp/x", "--unmatched", "fail"], &[]);
    assert!(
        nothing.contains("--record: there is nothing to record: with this --unmatched"),
        "{nothing}"
    );
    assert!(server(&["--upstream", "nowhere"], &[]).contains("the upstream's URL cannot be used"));
    assert!(server(&["--upstream", "http://me:secret@h"], &[]).contains("it has a password in it"));
    assert!(
        server(&["--upstream", url, "--upstream-key-env", "NO_KEY"], &[])
            .contains("NO_KEY: this variable is not set")
    );
    assert!(
        server(&["--upstream", url, "--upstream-model", "gpt-4o"], &[])
            .contains("expected FROM=TO")
    );
    assert!(server(&["--upstream", url, "--redact", "(x"], &[]).contains("--redact"));
}
