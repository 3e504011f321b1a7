//! Turns: the settings in force for each of them, and the answer.

use std::sync::{Arc, Mutex};

use axum::{Router, http::header, routing::post};
use futures_util::StreamExt;
use proptest::prelude::*;
use rehearsal::{Config, Unmatched, UpstreamKind, UpstreamSettings};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{TestServer, client, config};

const WEATHER: &str = r#"
replies:
  - name: weather
    when: {message: {contains: weather}}
    steps:
      - message: Let me see.
      - tool_calls:
          - function: {name: look, arguments: {city: Oslo}}
          - function: {name: look, arguments: {city: Rome}}
      - message: "It is {{ outputs.look[0] }} and {{ outputs.look[1] }}."
  - name: hangs
    when: {message: Hang}
    outcome: hang
  - steps: [{message: Hello}]
"#;

async fn turns(server: &TestServer, query: &str) -> Vec<Value> {
    let answer = server.get(&format!("/_rehearsal/turns{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.body["data"].as_array().unwrap().clone()
}

fn look() -> Value {
    json!({"type": "function", "function": {"name": "look"}})
}

/// A complete run that calls a function twice.
async fn ask(server: &TestServer, order: Value) -> (String, String) {
    let (thread, run) = server.run_with("The weather?", order).await;
    let waiting = server.get(&run).await.body;
    let calls = waiting["required_action"]["submit_tool_outputs"]["tool_calls"].as_array().unwrap();
    // In another order than the calls.
    let outputs: Vec<_> = ["cold", "warm"]
        .iter()
        .zip(calls)
        .map(|(output, call)| json!({"tool_call_id": call["id"], "output": output}))
        .rev()
        .collect();
    let given = json!({"tool_outputs": outputs});
    let answer = server.post(&format!("{run}/submit_tool_outputs"), given).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    server.idle().await;
    (thread, run)
}

#[tokio::test]
async fn a_turn_shows_what_was_in_force_and_a_function_call_ends_it() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let assistant = json!({"model": "gpt-4o", "name": "Bot", "instructions": "Of the assistant.",
        "temperature": 0.5});
    let assistant = server.post("/v1/assistants", assistant).await.id();
    let order = json!({"assistant_id": assistant, "instructions": "Of the run.",
        "additional_instructions": "And more.",
        "additional_messages": [{"role": "assistant", "content": "Yes?"},
                                {"role": "user", "content": "Quick, the weather!"}],
        "tools": [look()], "tool_choice": "required", "top_p": 0.25,
        "max_completion_tokens": 500, "model": "gpt-4o-mini",
        "truncation_strategy": {"type": "last_messages", "last_messages": 2}});
    let (thread, run) = ask(&server, order).await;
    let (thread, run) = (thread.rsplit('/').next().unwrap(), run.rsplit('/').next().unwrap());

    let [first, second] = turns(&server, "").await.try_into().unwrap();
    for (turn, number) in [(&first, 1), (&second, 2)] {
        assert_eq!((&turn["object"], &turn["api"]), (&json!("turn"), &json!("assistants.v2")));
        assert!(turn["id"].as_str().unwrap().starts_with("turn_"));
        assert_eq!((&turn["run"], &turn["thread"]), (&json!(run), &json!(thread)));
        assert_eq!(turn["number"], number);
        assert_eq!(turn["answered"]["reply"], "weather");
        let asked = &turn["asked"];
        assert_eq!(asked["assistant"], json!({"id": assistant, "name": "Bot"}));
        assert_eq!(asked["model"], "gpt-4o-mini");
        assert_eq!(asked["instructions"], "Of the run.\nAnd more.");
        assert_eq!(asked["tools"][0]["function"]["name"], "look");
        assert_eq!(asked["tool_choice"], "required");
        assert_eq!((&asked["temperature"], &asked["top_p"]), (&json!(0.5), &json!(0.25)));
        assert_eq!(asked["max_output_tokens"], 500);
        assert_eq!(asked["truncation"], json!({"type": "last_messages", "last_messages": 2}));
        assert_eq!((&asked["vector_stores"], &asked["files"]), (&json!([]), &json!([])));
    }
    let heard = json!([{"role": "assistant", "content": "Yes?"},
                       {"role": "user", "content": "Quick, the weather!"}]);
    assert_eq!(first["asked"]["messages"], heard);
    assert_eq!(first["asked"]["tool_outputs"], json!([]));
    assert_eq!(first["answered"]["status"], "requires_action");
    assert_eq!(first["answered"]["text"], "Let me see.");
    let calls = first["answered"]["tool_calls"].as_array().unwrap();
    assert_eq!(calls[0]["arguments"], r#"{"city":"Oslo"}"#);

    let mut heard = heard.as_array().unwrap().clone();
    heard.push(json!({"role": "assistant", "content": "Let me see."}));
    assert_eq!(second["asked"]["messages"], json!(heard));
    let given = ["cold", "warm"].iter().zip(calls);
    let given = given.map(|(it, call)| json!({"id": call["id"], "name": "look", "output": it}));
    assert_eq!(second["asked"]["tool_outputs"], json!(given.collect::<Vec<_>>()));
    assert_eq!(second["answered"]["status"], "completed");
    assert_eq!(second["answered"]["text"], "It is cold and warm.");
    assert_eq!(second["answered"]["tool_calls"], json!([]));

    // The tokens of the turns are those of the run.
    let usage = &server.get(&format!("/v1/threads/{thread}/runs/{run}")).await.body["usage"];
    for (of_run, of_turn) in [("prompt_tokens", "input_tokens"), ("total_tokens", "total_tokens")] {
        let spent = |turn: &Value| turn["answered"]["usage"][of_turn].as_u64().unwrap();
        assert!(spent(&first) > 0 && spent(&second) > 0);
        assert_eq!(usage[of_run], spent(&first) + spent(&second), "{of_turn}");
    }
}

#[tokio::test]
async fn turns_are_filtered_and_paged() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let assistant = server.assistant().await;
    let (thread, run) = ask(&server, json!({"assistant_id": assistant, "tools": [look()]})).await;
    server.run_with("Hi", json!({"assistant_id": assistant})).await;
    let (_, hanging) = server.run_with("Hang", json!({"assistant_id": assistant})).await;
    let id = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let all = turns(&server, "").await;
    assert_eq!(all.len(), 4);
    assert_eq!(turns(&server, &format!("?run={}", id(&run))).await, all[..2]);
    assert_eq!(turns(&server, &format!("?thread={}", id(&thread))).await, all[..2]);
    assert_eq!(turns(&server, "?reply=weather&status=completed").await, all[1..2]);
    // A reply without a name is identified by its place.
    let place = all[2]["answered"]["reply"].as_str().unwrap().to_owned();
    assert!(place.ends_with("test.yaml:14"), "{place}");
    assert_eq!(turns(&server, &format!("?reply={place}")).await, all[2..3]);
    assert_eq!(turns(&server, "?status=in_progress").await, all[3..]);
    let rest = format!("?after={}", all[0]["id"].as_str().unwrap());
    assert_eq!(turns(&server, &rest).await, all[1..]);
    let page = server.get(&format!("/_rehearsal/turns{rest}&limit=2")).await.body;
    assert_eq!(
        (page["data"].as_array().unwrap().as_slice(), &page["has_more"]),
        (&all[1..3], &json!(true))
    );
    for (query, status) in
        [("?status=done", 400), ("?limit=0", 400), ("?rnu=x", 400), ("?after=turn_none", 404)]
    {
        let answer = server.get(&format!("/_rehearsal/turns{query}")).await;
        assert_eq!(answer.status.as_u16(), status, "{query}");
    }
    // An open turn ends with its run.
    assert_eq!(all[3]["answered"]["usage"], Value::Null);
    server.post(&format!("{hanging}/cancel"), json!({})).await;
    server.idle().await;
    assert_eq!(turns(&server, "?reply=hangs").await[0]["answered"]["status"], "cancelled");
}

#[tokio::test]
async fn turns_tell_the_api_and_are_of_one_session() {
    let server = TestServer::with_fixtures("replies: [{name: hi, steps: [{message: Hi}]}]").await;
    let assistant = json!({"model": "gpt-4", "tools": [{"type": "retrieval"}]});
    let v1 = |request: reqwest::RequestBuilder| request.header("openai-beta", "assistants=v1");
    let request = v1(server.bare(Method::POST, "/v1/assistants").bearer_auth("k"));
    let assistant = server.send(request.json(&assistant)).await.id();
    let order = json!({"assistant_id": assistant,
        "thread": {"messages": [{"role": "user", "content": "Hello"}]}});
    let request = v1(server.bare(Method::POST, "/v1/threads/runs").bearer_auth("k"));
    server.send(request.json(&order)).await;
    server.idle().await;
    let shown = turns(&server, "").await;
    assert_eq!(shown[0]["api"], "assistants.v1");

    let azure = |path: &str| {
        let path = format!("/openai/{path}?api-version=2024-05-01-preview");
        server.bare(Method::POST, &path).header("api-key", "k")
    };
    server.send(azure("threads/runs").json(&order)).await;
    server.idle().await;
    assert_eq!(turns(&server, "").await[1]["api"], "assistants.v2");
    let other = server.get("/s/other/_rehearsal/turns").await;
    assert_eq!(other.body, json!({"object": "list", "data": [], "has_more": false}));
    assert_eq!(server.session().await.turns(), turns(&server, "").await);
    server.post("/_rehearsal/reset", json!({})).await;
    assert_eq!(turns(&server, "").await, [] as [Value; 0]);
}

#[tokio::test]
async fn the_library_judges_the_same_expectations() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let assistant = server.assistant().await;
    server.run_with("Hi", json!({"assistant_id": assistant, "instructions": "Be kind."})).await;
    let session = server.session().await;
    session.verify(json!({"expect": [{"turn": {"instructions": "Be kind."}}]})).unwrap();
    session.verify("expect:\n  - unmatched: 0\n").unwrap();
    let unmet = session.verify(json!({"expect": [{"turn": {"instructions": "Be rude."}}]}));
    let unmet = unmet.unwrap_err();
    assert!(unmet.to_string().contains("Be [-rude-]{+kind+}."), "{unmet}");
    assert!(unmet.diagnostics().is_empty());
    let wrong = session.verify(json!({"expect": [{"rely": "hi"}]})).unwrap_err();
    assert_eq!(wrong.diagnostics()[0].help.as_deref(), Some("did you mean 'reply'?"));
}

#[tokio::test]
async fn the_event_of_a_turn_comes_when_its_run_is_visible() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let events = server.bare(Method::GET, "/_rehearsal/events").send().await.unwrap();
    let mut events = events.bytes_stream();
    ask(&server, json!({"assistant_id": server.assistant().await, "tools": [look()]})).await;
    let (mut text, mut seen) = (String::new(), Vec::new());
    while seen.len() < 2 {
        text += std::str::from_utf8(&events.next().await.unwrap().unwrap()).unwrap();
        while let Some((frame, rest)) = text.split_once("\n\n") {
            let (name, data) = frame.split_once("\ndata: ").unwrap();
            if name == "event: turn" {
                seen.push(serde_json::from_str::<Value>(data).unwrap());
            }
            text = rest.to_owned();
        }
    }
    assert_eq!(seen, turns(&server, "").await);
}

#[tokio::test]
async fn turns_are_bounded_and_keep_no_secrets() {
    let config = Config { journal: 3, unmatched: Unmatched::Echo, ..config() };
    let server = TestServer::with(config).await;
    let key = "a-secret-of-the-client";
    let assistant = server.request(Method::POST, "/v1/assistants");
    let body = json!({"model": "gpt-4o", "instructions": format!("Use {key}")});
    let assistant = server.send(assistant.json(&body)).await.id();
    for number in 0..5 {
        let request = server.bare(Method::POST, "/v1/threads/runs").bearer_auth(key);
        let request = request.header("openai-beta", "assistants=v2");
        let message = json!({"role": "user", "content": format!("{number} {key}")});
        let order = json!({"assistant_id": assistant, "thread": {"messages": [message]}});
        server.send(request.json(&order)).await;
        server.idle().await;
    }
    let shown = turns(&server, "").await;
    let said = |turn: &Value| turn["asked"]["messages"][0]["content"].clone();
    assert_eq!(
        shown.iter().map(said).collect::<Vec<_>>(),
        ["2 [removed]", "3 [removed]", "4 [removed]"]
    );
    let expect = json!({"expect": [{"turn": {"message": "nothing"}}, {"unmatched": 0}]});
    let judged = server.post("/_rehearsal/verify", expect).await;
    assert!(judged.text.contains("The server no longer has the oldest 2 turns"), "{}", judged.text);
    for path in ["turns", "unmatched", "requests"] {
        let text = server.get(&format!("/_rehearsal/{path}")).await.text;
        assert!(!text.contains(key), "{path}: {text}");
    }
    assert!(!judged.text.contains(key), "{}", judged.text);
}

#[tokio::test]
async fn a_run_that_goes_on_after_a_restart_goes_on_with_its_turns() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("r.db");
    let server = TestServer::on(&database, WEATHER).await;
    let order = json!({"assistant_id": server.assistant().await, "tools": [look()]});
    let (_, run) = server.run_with("The weather?", order).await;
    server.stop().await;
    let server = TestServer::on(&database, WEATHER).await;
    let calls =
        server.get(&run).await.body["required_action"]["submit_tool_outputs"]["tool_calls"].clone();
    let outputs = calls.as_array().unwrap().iter();
    let outputs: Vec<_> =
        outputs.map(|call| json!({"tool_call_id": call["id"], "output": "mild"})).collect();
    server.post(&format!("{run}/submit_tool_outputs"), json!({"tool_outputs": outputs})).await;
    server.idle().await;
    let [turn] = turns(&server, "").await.try_into().unwrap();
    assert_eq!((&turn["number"], &turn["answered"]["reply"]), (&json!(2), &json!("weather")));
    assert_eq!(turn["asked"]["tool_outputs"][1]["output"], "mild");
    let heard: Vec<_> = turn["asked"]["messages"].as_array().unwrap().iter().collect();
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert_eq!(heard[1], &json!({"role": "assistant", "content": "Let me see."}));
}

/// A model that stores its requests, and calls a function if the user asks for it.
async fn model() -> (String, Arc<Mutex<Vec<Value>>>) {
    let asked = Arc::<Mutex<Vec<Value>>>::default();
    let kept = Arc::clone(&asked);
    let complete = move |body: String| {
        let body: Value = serde_json::from_str(&body).unwrap();
        let newest = body["messages"].as_array().unwrap().last().unwrap().clone();
        let has_tools = body["tools"].is_array();
        kept.lock().unwrap().push(body);
        let calls = has_tools
            && newest["role"] == "user"
            && newest["content"].as_str().is_some_and(|text| text.contains("call"));
        let (message, reason) = if calls {
            let function = json!({"name": "look", "arguments": "{}"});
            let call = json!({"id": "call_1", "type": "function", "function": function});
            (json!({"role": "assistant", "content": null, "tool_calls": [call]}), "tool_calls")
        } else {
            (json!({"role": "assistant", "content": "I see."}), "stop")
        };
        let usage = json!({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7});
        let choice = json!({"index": 0, "message": message, "finish_reason": reason});
        let answer = json!({"id": "c", "choices": [choice], "usage": usage}).to_string();
        async move { ([(header::CONTENT_TYPE, "application/json")], answer) }
    };
    let routes = Router::new().route("/v1/chat/completions", post(complete));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (format!("http://{address}/v1"), asked)
}

/// One conversation: the messages before each run, and the parameters of the run.
fn conversation() -> impl Strategy<Value = Vec<(Vec<(bool, String)>, Value)>> {
    let text = prop_oneof!["[a-z ]{1,12}", Just("please call".to_owned()), Just("Ж 🌦".to_owned())];
    let messages = prop::collection::vec((any::<bool>(), text.clone()), 0..4);
    let order = (
        prop::option::of(text.clone()),
        prop::option::of(text),
        prop::option::of(1..6_i64),
        any::<bool>(),
    );
    let order = order.prop_map(|(instructions, more, last, has_tools)| {
        let mut order = json!({});
        if let Some(instructions) = instructions {
            order["instructions"] = json!(instructions);
        }
        if let Some(more) = more {
            order["additional_instructions"] = json!(more);
        }
        if let Some(last) = last {
            order["truncation_strategy"] = json!({"type": "last_messages", "last_messages": last});
        }
        if has_tools {
            order["tools"] = json!([look()]);
        }
        order
    });
    prop::collection::vec((messages, order), 1..4)
}

/// Performs a conversation. Returns its turns, and the model's request for each turn.
async fn converse(talk: Vec<(Vec<(bool, String)>, Value)>) -> (Vec<Value>, Vec<Value>) {
    let (url, asked) = model().await;
    let settings = UpstreamSettings::new(url, UpstreamKind::Chat);
    let config = Config { upstream: Some(settings), unmatched: Unmatched::Upstream, ..config() };
    let server = TestServer::with(config).await;
    let assistant = server.assistant().await;
    let thread = format!("/v1/threads/{}", server.thread("First").await);
    for (messages, mut order) in talk {
        for (is_user, text) in messages {
            let role = if is_user { "user" } else { "assistant" };
            let message = json!({"role": role, "content": text});
            server.post(&format!("{thread}/messages"), message).await;
        }
        order["assistant_id"] = json!(assistant);
        let created = server.post(&format!("{thread}/runs"), order).await;
        assert_eq!(created.status, StatusCode::OK, "{}", created.text);
        let run = format!("{thread}/runs/{}", created.id());
        server.idle().await;
        let state = server.get(&run).await.body;
        if state["status"] == "requires_action" {
            let outputs = json!({"tool_outputs": [{"tool_call_id":
                state["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"],
                "output": "seen"}]});
            server.post(&format!("{run}/submit_tool_outputs"), outputs).await;
            server.idle().await;
        }
    }
    let asked = asked.lock().unwrap().clone();
    (turns(&server, "").await, asked)
}

/// A request to the model in the form of a turn.
fn as_turn(request: &Value) -> Value {
    let messages = request["messages"].as_array().unwrap();
    let system = messages.iter().find(|message| message["role"] == "system");
    let said = messages.iter().filter(|message| {
        matches!(message["role"].as_str(), Some("user" | "assistant"))
            && message["content"].is_string()
    });
    let said = said.map(|it| json!({"role": it["role"], "content": it["content"]}));
    let outputs = messages.iter().filter(|message| message["role"] == "tool");
    json!({
        "model": request["model"],
        "instructions": system.map(|system| system["content"].clone()),
        "messages": said.collect::<Vec<_>>(),
        "functions": request["tools"].as_array().map_or(0, Vec::len),
        "outputs": outputs.map(|it| it["content"].clone()).collect::<Vec<_>>(),
    })
}

#[test]
fn turns_are_what_the_performer_saw() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        rng_algorithm: prop::test_runner::RngAlgorithm::ChaCha,
        ..ProptestConfig::default()
    });
    let outcome = runner.run(&conversation(), |talk| {
        let (turns, asked) = runtime.block_on(converse(talk));
        prop_assert_eq!(turns.len(), asked.len());
        for (turn, request) in turns.iter().zip(&asked) {
            let it = &turn["asked"];
            let outputs = it["tool_outputs"].as_array().unwrap().iter();
            let shown = json!({
                "model": it["model"],
                "instructions": it["instructions"],
                "messages": it["messages"],
                "functions": it["tools"].as_array().unwrap().len(),
                "outputs": outputs.map(|output| output["output"].clone()).collect::<Vec<_>>(),
            });
            prop_assert_eq!(shown, as_turn(request));
            prop_assert_eq!(&turn["answered"]["usage"]["total_tokens"], &json!(7));
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_runs_are_bounded_in_number_and_a_thousand_clients_lose_none() {
    let config = Config { journal: 500, unmatched: Unmatched::Echo, ..config() };
    let server = TestServer::with(config).await;
    let assistant = server.assistant().await;
    let (client, url) = (client(), format!("{}/v1/threads/runs", server.base));
    let send = |number: usize| {
        let message = json!({"role": "user", "content": format!("Hello {number}")});
        let order = json!({"assistant_id": assistant, "thread": {"messages": [message]}});
        let request = client.post(&url).bearer_auth("k").header("openai-beta", "assistants=v2");
        async move { request.json(&order).send().await.unwrap().status() }
    };
    let answers = futures_util::stream::iter((0..10_000).map(send)).buffer_unordered(1_000);
    let refused = answers.filter(|status| std::future::ready(!status.is_success())).count().await;
    assert_eq!(refused, 0);
    server.idle().await;
    assert_eq!(turns(&server, "").await.len(), 500);
    let expect = json!({"expect": [{"turn": {"message": {"contains": "Hello"}}, "times": 500}]});
    assert_eq!(server.post("/_rehearsal/verify", expect).await.status, StatusCode::OK);
}
