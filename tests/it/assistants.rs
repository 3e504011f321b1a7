//! Assistants: create, echo, change and delete.

use serde_json::json;

use crate::server::{START, TestServer};

#[tokio::test]
async fn a_new_assistant_shows_all_its_keys_in_the_recorded_order() {
    let server = TestServer::start().await;
    let answer = server.post("/v1/assistants", json!({"model": "gpt-4o"})).await;
    let id = answer.id();
    let expected = format!(
        "{{\n  \"id\": \"{id}\",\n  \"object\": \"assistant\",\n  \"created_at\": \
         {START},\n  \"name\": null,\n  \"description\": \
         null,\n  \"model\": \"gpt-4o\",\n  \"instructions\": null,\n  \"tools\": \
         [],\n  \"top_p\": 1.0,\n  \"temperature\": 1.0,\n  \"reasoning_effort\": \
         null,\n  \"tool_resources\": {{}},\n  \"metadata\": \
         {{}},\n  \"response_format\": \"auto\"\n}}"
    );
    assert_eq!(answer.text, expected, "two spaces, no newline at the end");
    assert_eq!(id.len(), "asst_".len() + 24);
    assert_eq!(server.get(&format!("/v1/assistants/{id}")).await.text, expected);
}

#[tokio::test]
async fn tools_are_echoed_with_what_the_service_fills_in() {
    let server = TestServer::start().await;
    let tools = json!([
        {"type": "function", "function": {"description": "Adds.", "name": "add"}},
        {"type": "code_interpreter"},
        {"type": "file_search", "file_search": {"max_num_results": 2}},
    ]);
    let assistant =
        server.post("/v1/assistants", json!({"model": "gpt-4o", "tools": tools})).await.body;
    assert_eq!(
        assistant["tools"].to_string(),
        concat!(
            r#"[{"type":"function","function":{"name":"add","description":"Adds.","parameters":{"type":"object","properties":{}},"#,
            r#""strict":false}},{"type":"code_interpreter"},{"type":"file_search","file_search":{"max_num_results":2,"#,
            r#""ranking_options":{"ranker":"default_2024_08_21","score_threshold":0.0,"hybrid_search":null}}}]"#
        )
    );
    assert_eq!(
        assistant["tool_resources"].to_string(),
        r#"{"file_search":{"vector_store_ids":[]},"code_interpreter":{"file_ids":[]}}"#
    );
}

#[tokio::test]
async fn a_modify_changes_what_it_names_and_null_clears() {
    let server = TestServer::start().await;
    let new = json!({
        "model": "gpt-4o", "name": "Ada", "instructions": "Count.", "temperature": 0.5,
        "metadata": {"a": "1", "b": "2"},
        "tools": [{"type": "code_interpreter"}]
    });
    let path = format!("/v1/assistants/{}", server.post("/v1/assistants", new).await.id());
    let change = json!({"name": null, "temperature": null, "metadata": {"c": "3"}, "tools": []});
    let changed = server.post(&path, change).await.body;
    assert_eq!(changed["name"], json!(null));
    assert_eq!(changed["instructions"], "Count.");
    assert_eq!(changed["temperature"].to_string(), "1.0");
    assert_eq!(changed["metadata"], json!({"c": "3"}), "metadata is replaced as a whole");
    assert_eq!(changed["tools"], json!([]));
    assert_eq!(server.get(&path).await.body, changed);
}

#[tokio::test]
async fn a_deleted_assistant_is_gone_and_its_runs_stay() {
    let server = TestServer::start().await;
    let assistant = server.assistant().await;
    let (_, run) = server.run_with("Hello", json!({"assistant_id": assistant})).await;
    let path = format!("/v1/assistants/{assistant}");
    let deleted = server.delete(&path).await;
    assert_eq!(
        deleted.body,
        json!({"id": assistant, "object": "assistant.deleted", "deleted": true})
    );
    assert_eq!(
        server.get(&path).await.refusal(),
        format!("404 No assistant found with id '{assistant}'. [null null]")
    );
    assert_eq!(server.delete(&path).await.status.as_u16(), 404);
    assert_eq!(server.get(&run).await.body["status"], "completed");
}

#[tokio::test]
async fn a_hundred_changes_at_once_are_all_made() {
    let server = TestServer::start().await;
    let path = format!("/v1/assistants/{}", server.assistant().await);
    let path = path.as_str();
    let server = &server;
    let changes = (0..100).map(|number| async move {
        let change =
            if number % 2 == 0 { json!({"name": "even"}) } else { json!({"description": "odd"}) };
        assert_eq!(server.post(path, change).await.status.as_u16(), 200);
    });
    futures_util::future::join_all(changes).await;
    let assistant = server.get(path).await.body;
    assert_eq!((&assistant["name"], &assistant["description"]), (&json!("even"), &json!("odd")));
}
