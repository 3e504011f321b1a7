//! Faults apply to responses as they do to runs.

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};

use super::create;
use crate::server::{Events, TestServer};

/// The text of a stream, and whether it is complete.
async fn stream(server: &TestServer, method: Method, path: &str, body: &Value) -> (String, bool) {
    let request = server.request(method, path).json(body);
    let mut pieces = request.send().await.unwrap().bytes_stream();
    let mut text = Vec::new();
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => text.extend_from_slice(&piece),
            Err(_) => return (String::from_utf8(text).unwrap(), false),
        }
    }
    (String::from_utf8(text).unwrap(), true)
}

#[tokio::test]
async fn an_error_in_a_stream_has_a_number() {
    let server = TestServer::with_fixtures(
        "replies: [{steps: [{message: Hi}]}]
faults: [{when: {stream: true}, stream_error: {after_events: 2, error: {message: Oh no}}}]",
    )
    .await;
    let asked = json!({"model": "gpt-4o", "input": "x", "stream": true, "background": true});
    let (text, whole) = stream(&server, Method::POST, "/v1/responses", &asked).await;
    assert!(whole, "{text}");
    let events = Events::parse(&text);
    assert_eq!(events.names(), ["response.created", "response.queued", "error"]);
    assert_eq!(
        events.last("error"),
        &json!({
            "type": "error",
            "error": {"type": "server_error", "code": null, "message": "Oh no", "param": null},
            "sequence_number": 2,
        })
    );
    // The fault applies to the same stream when the client requests it again.
    let id = events.0[0].1["response"]["id"].as_str().unwrap();
    let again = format!("/v1/responses/{id}?stream=true");
    let (text, _) = stream(&server, Method::GET, &again, &json!({})).await;
    assert_eq!(Events::parse(&text).names().last(), Some(&"error"), "{text}");
}

#[tokio::test]
async fn a_stream_breaks_off_and_the_response_goes_on() {
    let server = TestServer::with_fixtures(
        "replies: [{steps: [{message: first}, {disconnect: true}, {message: second}]}]",
    )
    .await;
    let asked = json!({"model": "gpt-4o", "input": "x", "stream": true});
    let (text, whole) = stream(&server, Method::POST, "/v1/responses", &asked).await;
    assert!(!whole && text.contains("first") && !text.contains("second"), "{text}");
    let id = Events::parse(&text).0[0].1["response"]["id"].as_str().unwrap().to_owned();
    server.post("/_rehearsal/clock", json!({"advance": "1s"})).await;
    let path = format!("/v1/responses/{id}");
    let whole = server.get(&path).await.body;
    assert_eq!(
        (&whole["status"], whole["output"].as_array().unwrap().len()),
        (&json!("completed"), 2)
    );
    assert_eq!(
        create(&server, json!({"model": "gpt-4o", "input": "x"})).await["status"],
        "completed"
    );
}
