//! Messages, with the content that clients may send.

use serde_json::json;

use crate::server::{START, TestServer};

#[tokio::test]
async fn a_message_over_rest_has_the_recorded_keys_and_no_others() {
    let server = TestServer::start().await;
    let thread = server.thread("first").await;
    let path = format!("/v1/threads/{thread}/messages");
    let message =
        server.post(&path, json!({"role": "user", "content": "Hello", "metadata": null})).await;
    let expected = json!({
        "id": message.id(), "object": "thread.message", "created_at": START, "assistant_id": null,
        "thread_id": thread, "run_id": null,
        "role": "user", "content": [{"type": "text",
            "text": {"value": "Hello", "annotations": []}}], "attachments": [], "metadata": {}
    });
    assert_eq!(message.body.to_string(), expected.to_string());
    assert_eq!(server.get(&format!("{path}/{}", message.id())).await.text, message.text);
}

#[tokio::test]
async fn a_modified_message_shows_file_ids_in_place_of_attachments() {
    let server = TestServer::start().await;
    let thread = server.thread("first").await;
    let path = format!("/v1/threads/{thread}/messages");
    let id = server.post(&path, json!({"role": "user", "content": "Hello"})).await.id();
    let modified = server.post(&format!("{path}/{id}"), json!({"metadata": {"k": "v"}})).await.body;
    let keys: Vec<_> = modified.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys[keys.len() - 2..], ["file_ids", "metadata"]);
    assert_eq!(modified["metadata"], json!({"k": "v"}));
}

#[tokio::test]
async fn content_may_be_parts_and_details_are_filled_in() {
    let server = TestServer::start().await;
    let path = format!("/v1/threads/{}/messages", server.thread("first").await);
    let content = json!([
        {"type": "text", "text": "Look:"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "image_file", "image_file": {"file_id": "file-abc", "detail": "low"}},
    ]);
    let message = server.post(&path, json!({"role": "user", "content": content})).await.body;
    assert_eq!(
        message["content"].to_string(),
        concat!(
            r#"[{"type":"text","text":{"value":"Look:","annotations":[]}},"#,
            r#"{"type":"image_url","image_url":{"url":"https://example.com/a.png","detail":"auto"}},"#,
            r#"{"type":"image_file","image_file":{"file_id":"file-abc","detail":"low"}}]"#
        )
    );
}

#[tokio::test]
async fn a_message_belongs_to_its_thread() {
    let server = TestServer::start().await;
    let (one, other) = (server.thread("one").await, server.thread("other").await);
    let id = server
        .post(&format!("/v1/threads/{one}/messages"), json!({"role": "user", "content": "Hello"}))
        .await
        .id();
    let missing = format!("404 No message found with id '{id}'. [null null]");
    assert_eq!(server.get(&format!("/v1/threads/{other}/messages/{id}")).await.refusal(), missing);
    let path = format!("/v1/threads/{one}/messages/{id}");
    assert_eq!(
        server.delete(&path).await.body,
        json!({"id": id, "object": "thread.message.deleted", "deleted": true})
    );
    assert_eq!(server.get(&path).await.refusal(), missing);
}
