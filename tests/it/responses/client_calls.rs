//! Calls that the client performs, other than functions: custom tools, approvals, computers.

use serde_json::{Value, json};

use super::create;
use crate::server::TestServer;

const AGENT: &str = r#"
replies:
  - name: agent
    steps:
      - item: {type: custom_tool_call, name: calculate, input: "6 * 7"}
      - item: {type: mcp_approval_request, server_label: mail, name: send, arguments: '{"to": "Ann"}'}
      - await: outputs
      - item: {type: computer_call, action: {type: screenshot}, pending_safety_checks: []}
      - await: outputs
      - message: "{{ outputs.calculate }} {{ outputs.send.approve }} {{ outputs.computer.type }}"
"#;

/// The answers of a client to the items that need an answer.
fn answers(response: &Value) -> Vec<Value> {
    let output = response["output"].as_array().expect("items");
    let answers = output.iter().map(|item| match item["type"].as_str() {
        Some("custom_tool_call") => {
            json!({"type": "custom_tool_call_output", "call_id": item["call_id"], "output": "42"})
        }
        Some("mcp_approval_request") => json!({"type": "mcp_approval_response",
            "approval_request_id": item["id"], "approve": true}),
        _ => json!({"type": "computer_call_output", "call_id": item["call_id"],
            "output": {"type": "computer_screenshot", "image_url": "data:image/png;base64,AA=="}}),
    });
    answers.collect()
}

fn kinds(response: &Value) -> Vec<&str> {
    let output = response["output"].as_array().expect("items");
    output.iter().filter_map(|item| item["type"].as_str()).collect()
}

#[tokio::test]
async fn a_reply_continues_with_the_answers_of_the_client() {
    let server = TestServer::with_fixtures(AGENT).await;
    let conversation = server.post("/v1/conversations", json!({})).await.id();
    for way in ["chain", "conversation", "list"] {
        let mut list = vec![json!({"role": "user", "content": "Go"})];
        let mut response = json!({"id": null});
        let mut given = list.clone();
        for (round, expected) in
            [&["custom_tool_call", "mcp_approval_request"][..], &["computer_call"], &["message"]]
                .into_iter()
                .enumerate()
        {
            let mut body = json!({"model": "gpt-4o", "input": given});
            match way {
                "chain" if round > 0 => body["previous_response_id"] = response["id"].clone(),
                "conversation" => body["conversation"] = json!(conversation),
                "list" => body["input"] = json!(list),
                _ => {}
            }
            response = create(&server, body).await;
            assert_eq!(kinds(&response), expected, "{way}: {response}");
            assert_eq!(response["status"], "completed");
            given = answers(&response);
            list.extend(response["output"].as_array().expect("items").clone());
            list.extend(given.clone());
        }
        let text = &response["output"][0]["content"][0]["text"];
        assert_eq!(text, "42 True computer_screenshot", "{way}");
    }
    let turns = server.get("/_rehearsal/turns").await.body;
    assert_eq!(turns["data"][1]["asked"]["tool_outputs"][0]["name"], "calculate");
}

#[tokio::test]
async fn a_message_may_follow_the_call_that_the_client_answers() {
    let server = TestServer::with_fixtures(
        r#"
replies:
  - steps:
      - item: {type: custom_tool_call, name: calculate, input: "6 * 7"}
      - message: I calculate.
      - await: outputs
      - message: "{{ outputs.calculate }}"
"#,
    )
    .await;
    let asked = json!({"model": "gpt-4o", "input": "Go", "background": true});
    let first = server.post("/v1/responses", asked).await.body;
    server.idle().await;
    let path = format!("/v1/responses/{}", first["id"].as_str().expect("an id"));
    let first = server.get(&path).await.body;
    assert_eq!(kinds(&first), ["custom_tool_call", "message"]);
    let body = json!({"model": "gpt-4o", "input": [answers(&first)[0]],
        "previous_response_id": first["id"]});
    let second = create(&server, body).await;
    assert_eq!(second["output"][0]["content"][0]["text"], "42");
}

#[tokio::test]
async fn functions_and_items_of_one_response_are_answered_together() {
    let server = TestServer::with_fixtures(
        r#"
replies:
  - steps:
      - item: {type: custom_tool_call, name: calculate, input: "6 * 7"}
      - tool_calls: [{function: {name: look_up, arguments: {}}}]
      - message: "{{ outputs.calculate }} and {{ outputs.look_up }}"
"#,
    )
    .await;
    let first = create(&server, json!({"model": "gpt-4o", "input": "Go"})).await;
    assert_eq!(kinds(&first), ["custom_tool_call", "function_call"]);
    let output = |place: usize, kind: &str, text: &str| json!({"type": kind, "call_id": first["output"][place]["call_id"], "output": text});
    let custom = output(0, "custom_tool_call_output", "42");
    let function = output(1, "function_call_output", "found");
    for input in [[&custom, &function], [&function, &custom]] {
        let body = json!({"model": "gpt-4o", "input": input, "previous_response_id": first["id"]});
        let second = create(&server, body).await;
        assert_eq!(second["output"][0]["content"][0]["text"], "42 and found");
    }
}

#[tokio::test]
async fn calls_and_outputs_that_do_not_fit_are_refused() {
    let server = TestServer::with_fixtures(AGENT).await;
    let first = create(&server, json!({"model": "gpt-4o", "input": "Go"})).await;
    let call = first["output"][0]["call_id"].as_str().expect("a call");
    let ask = async |input: Value, previous: &Value| {
        let body = json!({"model": "gpt-4o", "input": input, "previous_response_id": previous});
        server.post("/v1/responses", body).await
    };
    let answer = ask(json!("And then?"), &first["id"]).await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.body["error"]["message"],
        format!("No tool output found for custom tool call {call}.")
    );
    let stray = json!([{"type": "custom_tool_call_output", "call_id": "call_x", "output": "1"}]);
    let answer = ask(stray, &Value::Null).await;
    assert_eq!(
        answer.body["error"]["message"],
        "No tool call found for custom tool call output with call_id call_x."
    );
}

#[tokio::test]
async fn runs_skip_items_and_do_not_wait_for_them() {
    let server = TestServer::with_fixtures(
        r#"
replies:
  - steps:
      - item: {type: custom_tool_call, name: calculate, input: "6 * 7"}
      - await: outputs
      - message: Done.
"#,
    )
    .await;
    let (thread, _) = server.run("Go").await;
    server.idle().await;
    assert_eq!(server.said(&thread).await, ["Go", "Done."]);
}
