//! Responses that an upstream performs: another Rehearsal, and a server of chat completions.

use rehearsal::{Config, Unmatched, UpstreamKind, UpstreamSettings};
use serde_json::{Value, json};

use super::{calls, create, outputs, text};
use crate::{
    server::{TestServer, config},
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
    // What has nothing to do with one another is not mixed up over there.
    let other = create(&server, asked(json!("Hello"))).await;
    assert_eq!(text(&other), "You said Hello, question 1.");
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
