//! Threads. Recorded: a thread shows different fields after its creation and in a read.

use serde_json::json;

use crate::server::{START, TestServer};

#[tokio::test]
async fn a_thread_needs_no_body_and_shows_its_resources_when_read() {
    let server = TestServer::start().await;
    let created = server.send(server.request(reqwest::Method::POST, "/v1/threads").body("")).await;
    let id = created.id();
    assert_eq!(
        created.body.to_string(),
        json!({"id": id, "object": "thread", "created_at": START, "metadata": {},
            "tool_resources": {}})
        .to_string()
    );
    let read = server.get(&format!("/v1/threads/{id}")).await.body;
    assert_eq!(read["tool_resources"].to_string(), r#"{"code_interpreter":{"file_ids":[]}}"#);
}

#[tokio::test]
async fn messages_made_with_a_thread_keep_their_order() {
    let server = TestServer::start().await;
    let messages = json!([{"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"}, {"role": "user", "content": "three"}]);
    let thread =
        server.post("/v1/threads", json!({"messages": messages, "metadata": {"k": "v"}})).await;
    assert_eq!(thread.body["metadata"], json!({"k": "v"}));
    assert_eq!(server.said(&format!("/v1/threads/{}", thread.id())).await, ["one", "two", "three"]);
}

#[tokio::test]
async fn a_deleted_thread_takes_its_messages_and_runs_along() {
    let server = TestServer::start().await;
    let (thread, run) = server.run("Hello").await;
    let id = thread.rsplit('/').next().unwrap();
    assert_eq!(
        server.delete(&thread).await.body,
        json!({"id": id, "object": "thread.deleted", "deleted": true})
    );
    for path in [thread.clone(), format!("{thread}/messages"), format!("{thread}/runs")] {
        assert_eq!(
            server.get(&path).await.refusal(),
            format!("404 No thread found with id '{id}'. [null null]"),
            "{path}"
        );
    }
    let run_id = run.rsplit('/').next().unwrap();
    assert_eq!(
        server.get(&run).await.refusal(),
        format!("404 No run found with id '{run_id}'. [null null]")
    );
}

#[tokio::test]
async fn deleting_a_thread_ends_the_run_on_it_without_a_word() {
    let server = TestServer::with_fixtures("replies: [{outcome: hang}]").await;
    let (thread, _) = server.run("Hello").await;
    assert_eq!(server.delete(&thread).await.status.as_u16(), 200);
    server.advance(std::time::Duration::from_secs(700)).await;
    assert_eq!(server.get(&thread).await.status.as_u16(), 404);
    let (_, other) = server.run("Hello again").await;
    assert_eq!(server.get(&other).await.body["status"], "in_progress", "the server goes on");
}

#[tokio::test]
async fn threads_cannot_be_listed_and_the_service_says_why() {
    let server = TestServer::start().await;
    let refusal = server.get("/v1/threads").await.refusal();
    assert!(
        refusal.starts_with("403 Your request to GET /v1/threads must be made with a session key"),
        "{refusal}"
    );
}
