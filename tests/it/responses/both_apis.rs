//! One fixture for both APIs: the same texts, calls and usage, and turns in one form.

use serde_json::{Value, json};

use super::{calls, create, outputs, text};
use crate::server::TestServer;

const BOTH: &str = r#"
replies:
  - name: weather
    when: {message: {contains: weather}, tools: [look]}
    steps:
      - message: Let me see.
      - tool_calls: [{function: {name: look, arguments: {city: Oslo}}}]
      - reasoning: {summary: Thinking.}
      - message: "It is {{ outputs.look }}, {{ metadata }}{{ turn }}."
  - when: {api: responses, message: who}
    steps: [{message: A response}]
  - when: {api: assistants, message: who}
    steps: [{message: A run}]
  - when: {assistant: {not: nobody}, message: assistant}
    steps: [{message: An assistant}]
  - when: {message: assistant}
    steps: [{message: No assistant}]
"#;

/// The answer of a turn, without the ids of its objects.
fn answered(turn: &Value) -> Value {
    let mut turn = turn.clone();
    for call in turn["answered"]["tool_calls"].as_array_mut().unwrap() {
        call["id"] = Value::Null;
    }
    for output in turn["asked"]["tool_outputs"].as_array_mut().unwrap() {
        output["id"] = Value::Null;
    }
    let usage = turn["answered"]["usage"].clone();
    json!([
        turn["answered"]["text"],
        turn["answered"]["tool_calls"],
        turn["asked"]["tool_outputs"],
        turn["asked"]["messages"],
        turn["number"],
        turn["answered"]["reply"],
        usage
    ])
}

#[tokio::test]
async fn one_file_drives_both_clients_in_a_session_each() {
    let server = TestServer::with_fixtures(&BOTH.replace("{{ metadata }}", "")).await;
    let server_of = |name: &str| format!("/s/{name}");
    let (old, new) = (server_of("old"), server_of("new"));
    let function = json!({"name": "look", "parameters": {"type": "object",
        "properties": {}, "additionalProperties": false, "required": []}, "strict": true});
    let assistant = json!({"model": "gpt-4o", "instructions": "Be brief.",
        "tools": [{"type": "function", "function": function}]});
    let assistant = server.post(&format!("{old}/v1/assistants"), assistant).await.id();
    let thread = json!({"messages": [{"role": "user", "content": "The weather?"}]});
    let order = json!({"assistant_id": assistant, "thread": thread, "stream": true});
    let run = async {
        let events = server.stream(&format!("{old}/v1/threads/runs"), order).await;
        let waiting = events.last("thread.run.requires_action").clone();
        let action = &waiting["required_action"]["submit_tool_outputs"]["tool_calls"][0];
        let outputs = json!({"stream": true,
            "tool_outputs": [{"tool_call_id": action["id"], "output": "cold"}]});
        let path = format!(
            "{old}/v1/threads/{}/runs/{}/submit_tool_outputs",
            waiting["thread_id"].as_str().unwrap(),
            waiting["id"].as_str().unwrap()
        );
        server.stream(&path, outputs).await;
    };
    let mut tool = function.clone();
    tool["type"] = json!("function");
    let asked = json!({"model": "gpt-4o", "instructions": "Be brief.", "input": "The weather?",
        "tools": [tool]});
    let respond = async {
        let path = format!("{new}/v1/responses");
        let first = server.post(&path, asked.clone()).await.body;
        let mut second = asked.clone();
        second["input"] = json!(outputs(&first, &["cold"]));
        second["previous_response_id"] = first["id"].clone();
        assert_eq!(calls(&first).len(), 1);
        server.post(&path, second).await.body
    };
    let ((), last) = tokio::join!(run, respond);
    assert_eq!(text(&last), "It is cold, 1.");
    let turns = async |session: &str| {
        let list = server.get(&format!("{session}/_rehearsal/turns")).await.body;
        list["data"].as_array().unwrap().clone()
    };
    let (old, new) = (turns(&old).await, turns(&new).await);
    assert_eq!((old.len(), new.len()), (2, 2));
    for (one, other) in old.iter().zip(&new) {
        assert_eq!(one["api"], "assistants.v2");
        assert_eq!(other["api"], "responses");
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(one), keys(other));
        assert_eq!(keys(&one["asked"]), keys(&other["asked"]));
        assert_eq!(one["asked"]["tools"], other["asked"]["tools"]);
        assert_eq!(one["asked"]["instructions"], other["asked"]["instructions"]);
    }
    assert_eq!(answered(&old[0]), answered(&new[0]));
    let (one, mut other) = (answered(&old[1]), answered(&new[1]));
    // The only difference is the reasoning, which runs leave out.
    let thought =
        other[6]["output_tokens"].as_u64().unwrap() - one[6]["output_tokens"].as_u64().unwrap();
    assert!(thought > 0, "{other}");
    other[6]["output_tokens"] = one[6]["output_tokens"].clone();
    other[6]["total_tokens"] = json!(other[6]["total_tokens"].as_u64().unwrap() - thought);
    assert_eq!(one, other);
}

#[tokio::test]
async fn a_condition_tells_the_apis_apart() {
    let server = TestServer::with_fixtures(&BOTH.replace("{{ metadata }}", "")).await;
    let (thread, _) = server.run("who").await;
    assert_eq!(server.said(&thread).await[1], "A run");
    let ask = async |input: &str| {
        text(&create(&server, json!({"model": "gpt-4o", "input": input})).await)
    };
    assert_eq!(ask("who").await, "A response");
    assert_eq!(ask("assistant").await, "No assistant");
    let (thread, _) = server.run("assistant").await;
    assert_eq!(server.said(&thread).await[1], "An assistant");
}

#[tokio::test]
async fn messages_of_the_system_are_instructions_where_there_are_none() {
    let server = TestServer::with_fixtures(
        "replies: [{when: {instructions: {contains: brief}}, steps: [{message: Brief}]}, {steps: [{message: Long}]}]",
    )
    .await;
    for (role, said) in [("system", "Brief"), ("developer", "Brief"), ("user", "Long")] {
        let input =
            json!([{"role": role, "content": "Be brief."}, {"role": "user", "content": "x"}]);
        let response = create(&server, json!({"model": "gpt-4o", "input": input})).await;
        assert_eq!(text(&response), said, "{role}");
    }
    let input = json!([{"role": "system", "content": "Be brief."}]);
    let both = json!({"model": "gpt-4o", "input": input, "instructions": "Be long."});
    assert_eq!(text(&create(&server, both).await), "Long");
}

#[tokio::test]
async fn expectations_are_judged_over_responses_too() {
    let server = TestServer::with_fixtures(&BOTH.replace("{{ metadata }}", "")).await;
    create(&server, json!({"model": "gpt-4o", "input": "who"})).await;
    let expect = json!({"expect": [
        {"turn": {"message": "who", "model": "gpt-4o"}, "times": 1},
        {"request": {"method": "POST", "path": "/v1/responses", "status": 200}, "times": 1},
        {"unmatched": 0},
    ]});
    let judged = server.post("/_rehearsal/verify", expect).await;
    assert_eq!(judged.body["passed"], true, "{}", judged.text);
}
