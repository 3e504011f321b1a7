//! Responses in the background: polled, cancelled, streamed again, and resumed by another server.

use std::time::Duration;

use rehearsal::{Config, Pace};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{calls, create, outputs, text};
use crate::server::{Events, TestServer, config};

const SLOW: &str =
    "replies: [{pace: {queue: 2s, per_token: 1s}, steps: [{message: one two three}]}]";
const HANGS: &str = "replies: [{when: {message: expire}, outcome: expired}, {outcome: hang}]";

fn asked(stream: bool) -> Value {
    json!({"model": "gpt-4o", "input": "Hi", "background": true, "stream": stream})
}

fn path(response: &Value) -> String {
    format!("/v1/responses/{}", response["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_response_in_the_background_goes_on_by_the_clock() {
    let server = TestServer::with_fixtures(SLOW).await;
    let queued = create(&server, asked(false)).await;
    assert_eq!(queued["status"], "queued");
    assert!(queued.get("billing").is_none() && queued["service_tier"] == "auto");
    let path = path(&queued);
    server.advance(Duration::from_secs(2)).await;
    assert_eq!(server.get(&path).await.body["status"], "in_progress");
    server.advance(Duration::from_secs(3)).await;
    let done = server.get(&path).await.body;
    assert_eq!(
        (done["status"].as_str(), text(&done)),
        (Some("completed"), "one two three".to_owned())
    );
    assert_eq!(done["service_tier"], "default");
}

#[tokio::test]
async fn under_the_pace_steps_every_poll_is_a_status() {
    let server = TestServer::with_fixtures_and(
        "replies: [{steps: [{message: Hi}]}]",
        Config { pace: Pace::Steps, ..config() },
    )
    .await;
    let queued = create(&server, asked(false)).await;
    let mut seen = vec![queued["status"].as_str().unwrap().to_owned()];
    for _ in 0..2 {
        let polled = server.get(&path(&queued)).await.body;
        seen.push(polled["status"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen, ["queued", "in_progress", "completed"]);
    // A response that the client waits for needs no poll.
    let waited = create(&server, json!({"model": "gpt-4o", "input": "Hi"})).await;
    assert_eq!(waited["status"], "completed");
}

#[tokio::test]
async fn what_is_cancelled_is_so_at_once_and_stays() {
    for (yaml, pace) in [(SLOW, Pace::Instant), (HANGS, Pace::Instant), (HANGS, Pace::Steps)] {
        let server = TestServer::with_fixtures_and(yaml, Config { pace, ..config() }).await;
        let queued = create(&server, asked(false)).await;
        let cancel = format!("{}/cancel", path(&queued));
        let cancelled = server.post(&cancel, json!({})).await.body;
        assert_eq!(cancelled["status"], "cancelled");
        assert_eq!((&cancelled["output"], &cancelled["usage"]), (&json!([]), &Value::Null));
        assert_eq!(server.post(&cancel, json!({})).await.body, cancelled);
        server.advance(Duration::from_secs(60)).await;
        assert_eq!(server.get(&path(&queued)).await.body, cancelled);
    }
    let server = TestServer::with_fixtures("replies: [{steps: [{message: Hi}]}]").await;
    let done = create(&server, asked(false)).await;
    server.idle().await;
    let kept = server.get(&path(&done)).await.body;
    assert_eq!(kept["status"], "completed");
    assert_eq!(server.post(&format!("{}/cancel", path(&done)), json!({})).await.body, kept);
    let foreground = create(&server, json!({"model": "gpt-4o", "input": "Hi"})).await;
    let refused = server.post(&format!("{}/cancel", path(&foreground)), json!({})).await;
    assert_eq!(refused.refusal(), "400 Cannot cancel a synchronous response. [null null]");
}

#[tokio::test]
async fn what_hangs_is_in_progress_until_its_time_is_over() {
    let server = TestServer::with_fixtures(HANGS).await;
    for input in ["hang", "expire"] {
        let body = json!({"model": "gpt-4o", "input": input, "background": true});
        let hanging = path(&create(&server, body).await);
        server.advance(Duration::from_secs(599)).await;
        assert_eq!(server.get(&hanging).await.body["status"], "in_progress");
        server.advance(Duration::from_secs(1)).await;
        let over = server.get(&hanging).await.body;
        assert_eq!(
            (&over["status"], &over["error"]["code"]),
            (&json!("failed"), &json!("server_error"))
        );
    }
}

#[tokio::test]
async fn a_stream_can_be_taken_up_again_at_any_event() {
    let server = TestServer::with_fixtures("replies: [{steps: [{message: one two three}]}]").await;
    let whole = server.post("/v1/responses", asked(true)).await.text;
    assert!(!whole.contains("obfuscation"), "{whole}");
    let events = Events::parse(&whole);
    assert_eq!(
        &events.names()[..3],
        ["response.created", "response.queued", "response.in_progress"]
    );
    let id = events.last("response.completed")["response"]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/responses/{id}?stream=true");
    assert_eq!(server.get(&path).await.text, whole);
    for after in 0..events.0.len() {
        let rest = server.get(&format!("{path}&starting_after={after}")).await.text;
        let frames: String = whole.split_inclusive("\n\n").skip(after + 1).collect();
        assert_eq!(rest, frames, "after {after}");
    }
    assert_eq!(server.get(&format!("{path}&starting_after=9999")).await.text, "");
    let wrong = server.get(&format!("{path}&starting_after=x")).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let plain = create(&server, json!({"model": "gpt-4o", "input": "Hi"})).await;
    let refused =
        server.get(&format!("/v1/responses/{}?stream=true", plain["id"].as_str().unwrap())).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
}

#[tokio::test]
async fn a_stream_is_listened_to_while_it_goes_on() {
    let server = TestServer::with_fixtures(SLOW).await;
    let request = server.request(reqwest::Method::POST, "/v1/responses").json(&asked(true));
    let mut stream = request.send().await.unwrap();
    let first = String::from_utf8(stream.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    let id = first.split("\"id\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    drop(stream);
    let path = format!("/v1/responses/{id}?stream=true&starting_after=0");
    let request = server.request(reqwest::Method::GET, &path);
    let mut resumed = request.send().await.unwrap();
    // Past events come at once. Future events come when they happen.
    let earlier = resumed.chunk().await.unwrap().unwrap();
    assert!(earlier.starts_with(b"event: response.queued"), "{earlier:?}");
    server.advance(Duration::from_secs(30)).await;
    let mut rest = earlier.to_vec();
    while let Some(chunk) = resumed.chunk().await.unwrap() {
        rest.extend_from_slice(&chunk);
    }
    let events = Events::parse(&String::from_utf8(rest).unwrap());
    assert_eq!(text(&events.last("response.completed")["response"]), "one two three");
}

#[tokio::test]
async fn another_server_goes_on_with_a_response() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("kept.db");
    let server = TestServer::on(&database, SLOW).await;
    let conversation = server.post("/v1/conversations", json!({})).await.id();
    let body = json!({"model": "gpt-4o", "input": "Hi", "background": true,
        "conversation": conversation});
    let path = path(&create(&server, body).await);
    server.advance(Duration::from_secs(3)).await;
    let before = server.get(&path).await.body;
    assert_eq!(before["status"], "in_progress");
    server.stop().await;

    let server = TestServer::on(&database, "replies: [{steps: [{message: Another}]}]").await;
    let other = json!({"model": "gpt-4o", "input": "Hi", "conversation": conversation});
    let locked = server.post("/v1/responses", other.clone()).await;
    assert!(locked.refusal().contains("conversation_locked"), "{}", locked.text);
    server.advance(Duration::from_secs(20)).await;
    let done = server.get(&path).await.body;
    assert_eq!(
        (done["status"].as_str(), text(&done)),
        (Some("completed"), "one two three".to_owned())
    );
    let items = server.get(&format!("/v1/conversations/{conversation}/items")).await.body;
    assert_eq!(items["data"].as_array().unwrap().len(), 2);
    assert_eq!(text(&create(&server, other).await), "Another");
}

#[tokio::test]
async fn another_server_goes_on_with_a_reply() {
    const CALL: &str = "replies: [{steps: [{tool_calls: [{function: {name: f}}]}, {message: 'Got {{ outputs.f }}'}]}]";
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("kept.db");
    let server = TestServer::on(&database, CALL).await;
    let called = create(&server, json!({"model": "gpt-4o", "input": "Hi", "store": false})).await;
    server.stop().await;
    let server = TestServer::on(&database, "replies: [{steps: [{message: Another}]}]").await;
    let mut list = vec![json!({"role": "user", "content": "Hi"})];
    list.extend(calls(&called));
    list.extend(outputs(&called, &["it"]));
    let answer = create(&server, json!({"model": "gpt-4o", "input": list})).await;
    assert_eq!(text(&answer), "Got it");
}

#[tokio::test]
async fn a_response_that_is_deleted_on_its_way_is_gone() {
    let server = TestServer::with_fixtures(SLOW).await;
    let path = path(&create(&server, asked(false)).await);
    assert_eq!(server.delete(&path).await.status, StatusCode::OK);
    server.advance(Duration::from_secs(60)).await;
    assert_eq!(server.get(&path).await.status, StatusCode::NOT_FOUND);
}
