//! Compaction: the user's messages and one item replace the whole conversation.

use serde_json::{Value, json};

use super::{WEATHER, create, text};
use crate::server::TestServer;

const PATH: &str = "/v1/responses/compact";

const COUNTED: &str = "
replies:
  - {when: {turn: 3}, steps: [{message: The third}]}
  - steps: [{message: 'You said {{ message }}'}]
";

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

#[tokio::test]
async fn a_chain_is_compacted_and_goes_on_where_it_was() {
    let server = TestServer::with_fixtures(COUNTED).await;
    let first = create(&server, json!({"model": "gpt-4o", "input": "One"})).await;
    let second = json!({"model": "gpt-4o", "input": "Two", "previous_response_id": first["id"]});
    let second = create(&server, second).await;
    let asked = json!({"model": "gpt-4o", "previous_response_id": second["id"], "input": []});
    let compacted = server.post(PATH, asked).await.body;
    assert_eq!(
        compacted.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["id", "object", "created_at", "output", "usage"]
    );
    assert_eq!(compacted["object"], "response.compaction");
    let output = compacted["output"].as_array().unwrap();
    let said: Vec<_> = output.iter().map(|item| item["content"][0]["text"].as_str()).collect();
    assert_eq!(said, [Some("One"), Some("Two"), None]);
    assert_eq!(output[2]["type"], "compaction");
    assert_eq!(output[2].as_object().unwrap().len(), 3);
    // The key of the chain, and the mark of an object that is not stored.
    let (chain, id) = (&second["id"].as_str().unwrap()[5..21], &compacted["id"].as_str().unwrap());
    assert_eq!(&id[5..23], format!("{chain}01"));
    let usage = &compacted["usage"];
    let sum = usage["input_tokens"].as_u64().unwrap() + usage["output_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], sum);
    assert!(usage["output_tokens"].as_u64().unwrap() > 0);
    // Nothing is stored, and the next question has number three.
    assert_eq!(server.get(&format!("/v1/responses/{id}")).await.status, 404);
    let mut input = output.clone();
    input.push(user("Three"));
    let third = create(&server, json!({"model": "gpt-4o", "input": input})).await;
    assert_eq!(text(&third), "The third");
}

#[tokio::test]
async fn a_compaction_can_be_compacted_again() {
    let server = TestServer::with_fixtures(COUNTED).await;
    let compact = async |input: &[Value]| {
        let body = json!({"model": "gpt-4o", "input": input, "instructions": "Be short."});
        let answer = server.post(PATH, body).await.body;
        answer["output"].as_array().unwrap().clone()
    };
    let said = [user("One"), json!({"role": "assistant", "content": "Yes"}), user("Two")];
    let mut once = compact(&said).await;
    once.extend([json!({"role": "assistant", "content": "No"})]);
    let twice = compact(&once).await;
    assert_eq!(twice.len(), 3);
    let mut asked = twice[2..].to_vec();
    asked.push(user("Three"));
    let third = create(&server, json!({"model": "gpt-4o", "input": asked})).await;
    assert_eq!(text(&third), "The third");
}

#[tokio::test]
async fn a_greeting_of_the_model_is_no_question() {
    let server =
        TestServer::with_fixtures("replies: [{when: {turn: 1}, steps: [{message: First}]}]").await;
    let greeting = json!({"role": "assistant", "content": "Welcome"});
    let compacted = server.post(PATH, json!({"model": "gpt-4o", "input": [greeting]})).await.body;
    let mut input = compacted["output"].as_array().unwrap().clone();
    input.push(user("Hello"));
    let asked = create(&server, json!({"model": "gpt-4o", "input": input})).await;
    assert_eq!(text(&asked), "First");
}

#[tokio::test]
async fn what_cannot_be_compacted_is_refused() {
    let server = TestServer::with_fixtures(WEATHER).await;
    for (body, refusal) in [
        (
            json!({"input": "x"}),
            "400 Missing required parameter: 'model'. [\"model\" \"missing_required_parameter\"]",
        ),
        (
            json!({"model": "gpt-4o"}),
            "400 Missing required parameter: 'input'. [\"input\" \"missing_required_parameter\"]",
        ),
        (
            json!({"model": "gpt-4o", "input": "x", "stream": true}),
            "400 Unknown parameter: 'stream'. [\"stream\" \"unknown_parameter\"]",
        ),
        (
            json!({"model": "gpt-4o", "input": "x", "previous_response_id": "resp_x"}),
            "400 Previous response with id 'resp_x' not found. [\"previous_response_id\" \"previous_response_not_found\"]",
        ),
    ] {
        assert_eq!(server.post(PATH, body).await.refusal(), refusal);
    }
}
