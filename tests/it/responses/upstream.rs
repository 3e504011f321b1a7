//! Responses that an upstream performs: another Rehearsal, or a server of chat completions.

use std::path::Path;

use rehearsal::{Config, Unmatched, UpstreamKind, UpstreamSettings};
use serde_json::{Value, json};

use super::{calls, create, outputs, text};
use crate::{
    server::{TestServer, assert_not_kept, config},
    upstream::{answering, stream},
};

const REMOTE: &str = r#"
replies:
  - when: {message: {contains: weather}}
    steps:
      - tool_calls: [{function: {name: look, arguments: {city: Oslo}}}]
      - message: "It is {{ outputs.look }}."
  - steps: [{message: "You said {{ message }}, question {{ turn }}."}]
"#;

async fn asking(url: String, kind: UpstreamKind) -> TestServer {
    let upstream = Some(UpstreamSettings::new(url, kind));
    TestServer::with(Config { upstream, unmatched: Unmatched::Upstream, ..config() }).await
}

fn asked(input: Value) -> Value {
    json!({"model": "gpt-4o", "input": input, "tools": [{"type": "function", "name": "look"}]})
}

#[tokio::test]
async fn another_rehearsal_performs_a_response() {
    let remote = TestServer::with_fixtures(REMOTE).await;
    let server = asking(format!("{}/v1", remote.base), UpstreamKind::Assistants).await;
    let first = create(&server, asked(json!("The weather?"))).await;
    assert_eq!(calls(&first).len(), 1, "{first}");
    let mut second = asked(json!(outputs(&first, &["cold"])));
    second["previous_response_id"] = first["id"].clone();
    assert_eq!(text(&create(&server, second).await), "It is cold.");
    // On the upstream, independent responses stay separate.
    let other = create(&server, asked(json!("Hello"))).await;
    assert_eq!(text(&other), "You said Hello, question 1.");
}

/// A model that reasons, searches the web, and calls a function twice.
const THINKING: &str = r#"
replies:
  - when: {message: {contains: weather}}
    steps:
      - reasoning: {summary: [I look it up., Twice.]}
      - tool_calls: [{function: {name: look, arguments: {city: Oslo}}}]
      - reasoning: {}
      - tool_calls: [{function: {name: look, arguments: {city: Rome}}}]
      - item: {type: web_search_call, action: {type: search, query: Oslo}}
      - message: "It is {{ outputs.look | join(', ') }}."
  - when: {message: {contains: refuse}}
    steps: [{message: {refusal: "No."}}]
  - when: {message: {contains: long}}
    outcome: {incomplete: max_output_tokens}
    steps: [{message: The beginning of something}]
  - when: {message: {contains: filter}}
    outcome: {incomplete: content_filter}
    steps: [{message: The beginning of something}]
  - when: {message: {contains: fail}}
    outcome: {failed: {code: rate_limit_exceeded, message: Too fast.}}
    steps: []
  - steps: [{message: "You said {{ message }}, question {{ turn }}."}]
"#;

/// The body of the newest request for a response.
async fn last_request(remote: &TestServer) -> Value {
    let requests = remote.get("/_rehearsal/requests?path=/v1/responses").await.body;
    requests["data"].as_array().unwrap().last().unwrap()["request_body"].clone()
}

fn kinds(response: &Value) -> Vec<&str> {
    let items = response["output"].as_array().unwrap().iter();
    items.map(|item| item["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn another_server_of_responses_performs_a_response() {
    let remote = TestServer::with_fixtures(THINKING).await;
    let server = asking(format!("{}/v1", remote.base), UpstreamKind::Responses).await;
    let ask = async |input: Value, previous: &Value| {
        let mut body = asked(input);
        body["model"] = json!("o3");
        body["reasoning"] = json!({"effort": "low", "summary": "auto"});
        body["previous_response_id"] = previous.clone();
        create(&server, body).await
    };
    let first = ask(json!("The weather?"), &Value::Null).await;
    assert_eq!(kinds(&first), ["reasoning", "function_call"]);
    let summary: Vec<_> =
        first["output"][0]["summary"].as_array().unwrap().iter().map(|it| &it["text"]).collect();
    assert_eq!(summary, ["I look it up.", "Twice."]);
    let sent = last_request(&remote).await;
    assert_eq!(sent["reasoning"], json!({"effort": "low", "summary": "auto"}), "{sent}");
    assert_eq!(sent["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!((&sent["store"], &sent["stream"]), (&json!(false), &json!(true)));
    let second = ask(json!(outputs(&first, &["cold"])), &first["id"]).await;
    assert_eq!(kinds(&second), ["reasoning", "function_call"]);
    let third = ask(json!(outputs(&second, &["warm"])), &second["id"]).await;
    assert_eq!(kinds(&third), ["web_search_call", "message"]);
    assert_eq!(text(&third), "It is cold, warm.");
    assert_eq!(third["output"][0]["action"]["query"], "Oslo");
    // The reasoning of both rounds has come back to the model.
    let sent = last_request(&remote).await;
    let sent: Vec<_> = sent["input"].as_array().unwrap().iter().map(|item| &item["type"]).collect();
    let round = ["reasoning", "function_call", "function_call_output"].map(Value::from);
    assert_eq!(sent[1..], round.iter().chain(&round).collect::<Vec<_>>());
    let next = ask(json!("Hello"), &third["id"]).await;
    assert_eq!(text(&next), "You said Hello, question 2.");
    let refused = ask(json!("Please refuse"), &Value::Null).await;
    assert_eq!(refused["output"][0]["content"][0]["refusal"], "No.");
    for (input, reason) in [("long", "max_output_tokens"), ("filter", "content_filter")] {
        let cut = ask(json!(input), &Value::Null).await;
        assert_eq!(cut["incomplete_details"], json!({"reason": reason}));
        assert!("The beginning of something".starts_with(&text(&cut)));
    }
    let failed = ask(json!("fail"), &Value::Null).await;
    assert_eq!(failed["error"], json!({"code": "rate_limit_exceeded", "message": "Too fast."}));
}

#[tokio::test]
async fn a_server_of_responses_performs_runs() {
    let remote = TestServer::with_fixtures(THINKING).await;
    let server = asking(format!("{}/v1", remote.base), UpstreamKind::Responses).await;
    let tools = json!([{"type": "function", "function": {"name": "look"}}]);
    let assistant = json!({"model": "gpt-4o", "instructions": "Be kind.", "tools": tools});
    let assistant = server.post("/v1/assistants", assistant).await.id();
    let (thread, run) = server.run_with("The weather?", json!({"assistant_id": assistant})).await;
    for output in ["cold", "warm"] {
        let waiting = server.get(&run).await.body;
        let call = &waiting["required_action"]["submit_tool_outputs"]["tool_calls"][0];
        let given = json!({"tool_outputs": [{"tool_call_id": call["id"], "output": output}]});
        server.post(&format!("{run}/submit_tool_outputs"), given).await;
        server.idle().await;
    }
    assert_eq!(server.said(&thread).await[1], "It is cold, warm.");
    let ended = server.get(&run).await.body;
    assert_eq!(ended["status"], "completed");
    let sent = last_request(&remote).await;
    assert_eq!(sent["instructions"], "Be kind.");
    assert!(ended["usage"]["prompt_tokens"].as_u64().unwrap() > 0, "{ended}");
}

#[tokio::test]
async fn what_a_server_of_responses_says_has_no_key_in_it() {
    let key = "sk-upstream-0123456789abcdef";
    let reasoning = json!({"type": "response.output_item.done", "item": {"type": "reasoning",
        "summary": [{"type": "summary_text", "text": format!("The key is {key}.")}],
        "encrypted_content": "gAAAAA"}});
    let cut = json!({"type": "response.output_item.done", "item": {"type": "function_call",
        "name": "look", "arguments": "{\"a", "call_id": "call_0", "status": "incomplete"}});
    let call = json!({"type": "response.output_item.done", "item": {"type": "function_call",
        "name": "look", "arguments": "{}", "call_id": "call_1"}});
    let done = json!({"type": "response.completed", "response": {"status": "completed"}});
    let failed = json!({"type": "response.failed", "response": {"status": "failed",
        "error": {"code": key, "message": key}}});
    let events = [reasoning, cut, call, done].map(|event| event.to_string());
    let calls = stream(&events.iter().map(String::as_str).collect::<Vec<_>>());
    let (address, _) = answering(vec![Some(calls), Some(stream(&[&failed.to_string()]))]).await;
    let folder = tempfile::tempdir().unwrap();
    let upstream = UpstreamSettings {
        key: Some(rehearsal::ApiKey::new(key.to_owned())),
        ..UpstreamSettings::new(format!("http://{address}/v1"), UpstreamKind::Responses)
    };
    let server = TestServer::with(Config {
        upstream: Some(upstream),
        unmatched: Unmatched::Upstream,
        database: Some(folder.path().join("r.db")),
        ..config()
    })
    .await;
    let first = create(&server, asked(json!("Hello"))).await;
    assert_eq!(calls_of(&first), ["look"], "{first}");
    let mut second = asked(json!(outputs(&first, &["cold"])));
    second["previous_response_id"] = first["id"].clone();
    let second = create(&server, second).await;
    assert_eq!(second["error"], json!({"code": "…", "message": "…"}));
    server.stop().await;
    assert_not_kept(folder.path(), key);
}

fn calls_of(response: &Value) -> Vec<String> {
    calls(response).iter().map(|call| call["name"].as_str().unwrap().to_owned()).collect()
}

/// A search in our files and a function, one after the other, and the output of each.
#[tokio::test]
async fn searches_and_functions_go_back_under_their_own_ids() {
    let remote = TestServer::with_fixtures(
        "replies: [{steps: [{tool_calls: [{function: {name: file_search, arguments: {query: \
         refunds}}}]}, {tool_calls: [{function: {name: look, arguments: {}}}]}, {message: '{{ \
         outputs.look }}'}]}]",
    )
    .await;
    let server = asking(format!("{}/v1", remote.base), UpstreamKind::Responses).await;
    let file = server.document("rules.txt", "Refunds are paid within 14 days.").await;
    let store = json!({"name": "Rules", "file_ids": [file]});
    let store = server.post("/v1/vector_stores", store).await.id();
    server.idle().await;
    let mut body = asked(json!("When are refunds paid?"));
    let search = json!({"type": "file_search", "vector_store_ids": [store]});
    body["tools"].as_array_mut().unwrap().push(search);
    let first = create(&server, body.clone()).await;
    assert_eq!(kinds(&first), ["file_search_call", "function_call"], "{first}");
    body["input"] = json!(outputs(&first, &["cold"]));
    body["previous_response_id"] = first["id"].clone();
    let second = create(&server, body).await;
    assert_eq!(text(&second), "cold", "{second}");
}

#[tokio::test]
async fn what_a_server_of_responses_does_wrong_is_said_by_the_response() {
    let added = r#"{"type":"response.output_item.added","output_index":0,
        "item":{"id":"msg_1","type":"message","status":"in_progress","content":[]}}"#
        .replace('\n', "");
    let delta = r#"{"type":"response.output_text.delta","delta":"Half an"}"#;
    let call = r#"{"type":"response.output_item.done","item":{"type":"function_call","name":"look","arguments":"{\"city\":","call_id":"call_1"}}"#;
    let done = r#"{"type":"response.completed","response":{"status":"completed","usage":null}}"#;
    let error = r#"{"type":"error","code":"server_error","message":"It broke.","param":null}"#;
    let html = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<p>";
    for (answer, message) in [
        (stream(&[&added, delta]), "The upstream ended its answer in the middle."),
        (
            stream(&[call, done]),
            "The upstream called the function 'look' with arguments that are not JSON: {\"city\":.",
        ),
        (stream(&["{}}"]), "The upstream sent something that is not JSON."),
        (stream(&[error]), "It broke."),
        (html, "The upstream answered with text/html where a response was asked for."),
    ] {
        let (address, _) = answering(vec![Some(answer)]).await;
        let server = asking(format!("http://{address}/v1"), UpstreamKind::Responses).await;
        let failed = create(&server, asked(json!("Hello"))).await;
        assert_eq!(failed["error"], json!({"code": "server_error", "message": message}));
        assert_eq!(server.get("/_rehearsal/health").await.status, 200, "it goes on");
    }
    // A stream without content is an empty message.
    let (address, _) = answering(vec![Some(stream(&[done]))]).await;
    let server = asking(format!("http://{address}/v1"), UpstreamKind::Responses).await;
    assert_eq!(kinds(&create(&server, asked(json!("Hello"))).await), ["message"]);
}

#[tokio::test]
async fn a_chat_server_reads_what_was_said_before() {
    let said = r#"{"choices":[{"delta":{"content":"Hi"}}]}"#;
    let end = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
    let usage =
        r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}"#;
    let (address, asked_there) = answering(vec![Some(stream(&[said, end, usage, "[DONE]"]))]).await;
    let server = asking(format!("http://{address}/v1"), UpstreamKind::Chat).await;
    let first = create(&server, asked(json!("One"))).await;
    assert_eq!((text(&first), &first["usage"]["total_tokens"]), ("Hi".to_owned(), &json!(9)));
    let input =
        json!([{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Two"}]);
    let mut second = asked(input);
    second["previous_response_id"] = first["id"].clone();
    assert_eq!(text(&create(&server, second).await), "Hi");
    assert_eq!(asked_there.load(std::sync::atomic::Ordering::SeqCst), 2);
}

/// A server that records the answers of another server.
async fn recording(url: &str, folder: &Path) -> TestServer {
    recording_of(UpstreamKind::Assistants, url, folder).await
}

async fn recording_of(kind: UpstreamKind, url: &str, folder: &Path) -> TestServer {
    let upstream = Some(UpstreamSettings::new(format!("{url}/v1"), kind));
    let record = Some(folder.to_owned());
    TestServer::with(Config { upstream, record, unmatched: Unmatched::Upstream, ..config() }).await
}

/// A server with the recorded fixtures only.
async fn replaying(folder: &Path) -> TestServer {
    let fixtures = vec![folder.to_owned()];
    TestServer::with(Config { fixtures, unmatched: Unmatched::Fail, ..config() }).await
}

fn recorded(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.collect();
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

/// Asks for the weather and says hello. `way` selects how the client continues the conversation.
async fn converse(server: &TestServer, way: &str) -> [String; 2] {
    let conversation = match way {
        "conversation" => Some(server.post("/v1/conversations", json!({})).await.id()),
        _ => None,
    };
    let question = json!({"type": "message", "role": "user", "content": "The weather?"});
    let mut said = vec![question];
    let mut last = Value::Null;
    let mut texts = Vec::new();
    for _ in 0..2 {
        loop {
            let mut body = asked(json!(said));
            match way {
                "chain" => body["previous_response_id"] = last["id"].clone(),
                "conversation" => body["conversation"] = json!(conversation),
                _ => body["store"] = json!(false),
            }
            last = create(server, body).await;
            if way == "list" {
                said.extend(last["output"].as_array().unwrap().clone());
            } else {
                said.clear();
            }
            if calls(&last).is_empty() {
                break;
            }
            said.extend(outputs(&last, &["cold"]));
        }
        texts.push(text(&last));
        said.push(json!({"type": "message", "role": "user", "content": "Hello"}));
    }
    texts.try_into().unwrap()
}

#[tokio::test]
async fn what_an_upstream_answers_to_responses_is_recorded_and_answers_both_apis() {
    let kinds = [UpstreamKind::Assistants, UpstreamKind::Responses];
    let ways = ["chain", "conversation", "list"];
    for (kind, way) in kinds.into_iter().flat_map(|kind| ways.map(|way| (kind, way))) {
        let (remote, folder) =
            (TestServer::with_fixtures(REMOTE).await, tempfile::tempdir().unwrap());
        let server = recording_of(kind, &remote.base, folder.path()).await;
        let told = converse(&server, way).await;
        assert_eq!(told[0], "It is cold.", "{way}");
        remote.stop().await;
        let files = recorded(folder.path());
        // A list has no conversation id, so each question has its own recording.
        assert_eq!(files.len(), if way == "list" { 2 } else { 1 }, "{way}: {files:?}");

        let replay = replaying(folder.path()).await;
        assert_eq!(converse(&replay, way).await, told, "{way}");
        let tools = json!([{"type": "function", "function": {"name": "look"}}]);
        let assistant =
            replay.post("/v1/assistants", json!({"model": "gpt-4o", "tools": tools})).await.id();
        let order = json!({"assistant_id": assistant});
        let (thread, run) = replay.run_with("The weather?", order).await;
        let waiting = replay.get(&run).await.body;
        let call = &waiting["required_action"]["submit_tool_outputs"]["tool_calls"][0];
        let given = json!({"tool_outputs": [{"tool_call_id": call["id"], "output": "cold"}]});
        replay.post(&format!("{run}/submit_tool_outputs"), given).await;
        replay.idle().await;
        assert_eq!(replay.said(&thread).await[1], told[0], "{way}");
    }
}

#[tokio::test]
async fn the_same_question_is_recorded_once_for_each_answer() {
    let answers = |text: &str| format!("replies: [{{steps: [{{message: {text}}}]}}]");
    let (remote, folder) =
        (TestServer::with_fixtures(&answers("One")).await, tempfile::tempdir().unwrap());
    let server = recording(&remote.base, folder.path()).await;
    let ask = async |server: &TestServer| {
        let body = json!({"model": "gpt-4o", "input": "My key is sk-abcdefghijklmnopqrstuvwx"});
        text(&create(server, body).await)
    };
    for _ in 0..2 {
        assert_eq!(ask(&server).await, "One");
    }
    remote.reload(&answers("Two")).await;
    assert_eq!(ask(&server).await, "Two");
    let files = recorded(folder.path());
    assert_eq!(files.len(), 2, "{files:?}");
    assert!(files[0].contains("times: 1") && !files[1].contains("times"), "{files:?}");
    assert!(!files.concat().contains("sk-abc"), "{files:?}");
    let replay = replaying(folder.path()).await;
    assert_eq!([ask(&replay).await, ask(&replay).await], ["One", "Two"]);
    // Another server continues the recording, and loses nothing.
    let again = recording(&remote.base, folder.path()).await;
    assert_eq!(ask(&again).await, "Two");
    assert_eq!(recorded(folder.path()), files);
}
