//! Containers for code interpreters. A container expires if nobody uses it.

use std::time::Duration;

use reqwest::{
    Method, StatusCode,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use super::{create, ids};
use crate::server::{Answer, TestServer, assert_not_kept};

const REPORT: &str = r#"
replies:
  - when: {message: {contains: report}}
    steps:
      - tool_calls:
          - code_interpreter: {input: "write()", outputs: [{logs: "done"}]}
      - message:
          text: "Here: [r.csv](sandbox:/mnt/data/r.csv)"
          files: [{name: r.csv, text: "a,b\n1,2\n"}]
  - steps: [{message: Nothing to run}]
"#;

const MINUTE: Duration = Duration::from_secs(60);

async fn container(server: &TestServer) -> String {
    server.post("/v1/containers", json!({"name": "Mine"})).await.id()
}

async fn put(server: &TestServer, container: &str, name: &'static str, text: &str) -> Answer {
    let form = Form::new().part("file", Part::text(text.to_owned()).file_name(name));
    let path = format!("/v1/containers/{container}/files");
    server.send(server.request(Method::POST, &path).multipart(form)).await
}

/// A request with a code interpreter in this container.
fn asked(input: &str, container: Value) -> Value {
    json!({"model": "gpt-4o", "input": input,
        "tools": [{"type": "code_interpreter", "container": container}]})
}

/// The container of the first call.
fn container_of(response: &Value) -> String {
    let items = response["output"].as_array().unwrap();
    let call = items.iter().find(|item| item["type"] == "code_interpreter_call");
    call.unwrap()["container_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_container_is_made_listed_and_deleted() {
    let server = TestServer::with_fixtures(REPORT).await;
    let new = json!({"name": "Mine", "memory_limit": "4g", "network_policy": {"type": "allowlist",
        "allowed_domains": ["example.org"],
        "domain_secrets": [{"domain": "example.org", "name": "KEY", "value": "sk-secret"}]},
        "expires_after": {"anchor": "last_active_at", "minutes": 5}});
    let made = server.post("/v1/containers", new).await.body;
    let id = made["id"].as_str().unwrap();
    assert_eq!((&id[..5], id.len()), ("cntr_", 53));
    assert_eq!(
        made.as_object().unwrap().keys().collect::<Vec<_>>(),
        [
            "id",
            "object",
            "created_at",
            "status",
            "expires_after",
            "last_active_at",
            "memory_limit",
            "name",
            "network_policy"
        ]
    );
    assert_eq!(made["status"], "running");
    assert_eq!(made["expires_after"], json!({"anchor": "last_active_at", "minutes": 5}));
    let policy = json!({"type": "allowlist", "allowed_domains": ["example.org"]});
    assert_eq!(made["network_policy"], policy, "secrets are neither shown nor kept");
    assert_eq!(server.get(&format!("/v1/containers/{id}")).await.body, made);
    let other = server.post("/v1/containers", json!({"name": "Other"})).await.body;
    assert_eq!(other["memory_limit"], "1g");
    assert_eq!(other["expires_after"]["minutes"], 20);
    assert!(other.get("network_policy").is_none());
    let list = server.get("/v1/containers").await;
    assert_eq!(ids(&list), [other["id"].as_str().unwrap(), id]);
    assert_eq!(
        list.body.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["object", "data", "first_id", "has_more", "last_id"]
    );
    assert_eq!(ids(&server.get("/v1/containers?name=Mine").await), [id]);
    let path = format!("/v1/containers/{id}");
    let deleted = json!({"id": id, "object": "container.deleted", "deleted": true});
    assert_eq!(server.delete(&path).await.body, deleted);
    let gone = format!("404 Container with id '{id}' not found. [null null]");
    for answer in [
        server.get(&path).await,
        server.delete(&path).await,
        server.get(&format!("{path}/files")).await,
        server.post(&format!("{path}/files"), json!({"file_id": "file-x"})).await,
        server.get(&format!("{path}/files/cfile_x")).await,
        server.get(&format!("{path}/files/cfile_x/content")).await,
        server.delete(&format!("{path}/files/cfile_x")).await,
        server.post("/v1/responses", asked("report", json!(id))).await,
    ] {
        assert_eq!(answer.refusal(), gone);
    }
}

#[tokio::test]
async fn files_are_put_into_a_container_and_read_again() {
    let server = TestServer::with_fixtures(REPORT).await;
    let container = container(&server).await;
    let path = format!("/v1/containers/{container}/files");
    let uploaded = put(&server, &container, "../../etc/passwd", "secret").await.body;
    assert_eq!(
        uploaded.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["id", "object", "created_at", "bytes", "container_id", "path", "source"]
    );
    let id = uploaded["id"].as_str().unwrap();
    assert_eq!((&id[..6], id.len()), ("cfile_", 38));
    let kept = uploaded["path"].as_str().unwrap();
    assert!(kept.starts_with("/mnt/data/") && kept.ends_with("-passwd"), "{kept}");
    assert_eq!((kept.len(), &uploaded["source"]), (10 + 32 + 7, &json!("user")));
    // A copy stays when the file is deleted.
    let original = server.upload("user_data", "data.txt", "numbers").await.id();
    let copied = server.post(&path, json!({"file_id": original})).await.body;
    assert_eq!(copied["path"], format!("/mnt/data/{original}-data.txt"));
    server.delete(&format!("/v1/files/{original}")).await;
    let copy = copied["id"].as_str().unwrap();
    let content = server.get(&format!("{path}/{copy}/content")).await;
    assert_eq!(content.text, "numbers");
    assert_eq!(ids(&server.get(&path).await), [copy, id]);
    assert_eq!(server.get(&format!("{path}/{id}")).await.body, uploaded);
    let deleted = json!({"id": id, "object": "container.file.deleted", "deleted": true});
    assert_eq!(server.delete(&format!("{path}/{id}")).await.body, deleted);
    let gone = format!("404 File {id} not found on container {container}. [null null]");
    assert_eq!(server.get(&format!("{path}/{id}")).await.refusal(), gone);
    assert_eq!(server.get(&format!("{path}/{id}/content")).await.refusal(), gone);
    assert_eq!(server.delete(&format!("{path}/{id}")).await.refusal(), gone);
    let no_file = "404 No such File object: file-x [\"id\" null]";
    assert_eq!(server.post(&path, json!({"file_id": "file-x"})).await.refusal(), no_file);
    let nothing = server.post(&path, json!({})).await;
    assert_eq!(nothing.status, StatusCode::BAD_REQUEST);
    // Other sessions do not have the container.
    let other = server.get(&format!("/_rehearsal/sessions/other{path}")).await;
    assert_eq!(other.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_container_expires_when_nobody_uses_it() {
    let server = TestServer::with_fixtures(REPORT).await;
    let container = container(&server).await;
    let path = format!("/v1/containers/{container}");
    let id = put(&server, &container, "a.txt", "a").await.id();
    server.advance(19 * MINUTE).await;
    // A read postpones the expiry.
    let looked = server.get(&path).await.body;
    assert_eq!(
        looked["last_active_at"].as_i64().unwrap() - looked["created_at"].as_i64().unwrap(),
        19 * 60
    );
    server.advance(19 * MINUTE).await;
    assert_eq!(ids(&server.get(&format!("{path}/files")).await), [id.as_str()]);
    server.advance(MINUTE).await;
    let expired = server.get(&path).await.body;
    assert_eq!(expired["status"], "expired");
    assert_eq!(expired["last_active_at"], looked["last_active_at"]);
    assert_eq!(server.get("/v1/containers").await.body["data"][0], expired);
    let refusal = "404 Container is expired. [null null]";
    for answer in [
        server.get(&format!("{path}/files")).await,
        server.get(&format!("{path}/files/{id}")).await,
        server.get(&format!("{path}/files/{id}/content")).await,
        server.delete(&format!("{path}/files/{id}")).await,
        put(&server, &container, "b.txt", "b").await,
        server.post(&format!("{path}/files"), json!({"file_id": "file-x"})).await,
    ] {
        assert_eq!(answer.refusal(), refusal);
    }
    let refused = server.post("/v1/responses", asked("report", json!(container))).await;
    assert_eq!(refused.refusal(), "400 Container is expired. [null null]");
    assert_eq!(server.delete(&path).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_response_makes_its_container_and_the_next_one_uses_it_again() {
    let server = TestServer::with_fixtures(REPORT).await;
    let given = server.upload("user_data", "data.txt", "numbers").await.id();
    let auto = json!({"type": "auto", "file_ids": [given], "memory_limit": "4g"});
    let first = create(&server, asked("A report", auto.clone())).await;
    assert_eq!(first["tools"][0]["container"], auto, "it is echoed as it came");
    let container = container_of(&first);
    let made = server.get(&format!("/v1/containers/{container}")).await.body;
    assert_eq!((&made["name"], &made["memory_limit"]), (&json!("auto"), &json!("4g")));
    let citation = &first["output"][1]["content"][0]["annotations"][0];
    assert_eq!(citation["type"], "container_file_citation");
    assert_eq!(citation["container_id"], container);
    let files = format!("/v1/containers/{container}/files");
    let own = citation["file_id"].as_str().unwrap();
    let listed = server.get(&files).await;
    assert_eq!(listed.body["data"][0]["id"], own);
    assert_eq!(listed.body["data"][0]["path"], "/mnt/data/r.csv");
    assert_eq!(listed.body["data"][0]["source"], "assistant");
    assert_eq!(listed.body["data"][1]["path"], format!("/mnt/data/{given}-data.txt"));
    let content = server.get(&format!("{files}/{own}/content")).await;
    assert_eq!(content.text, "a,b\n1,2\n");
    let mut next = asked("Another report", json!({"type": "auto"}));
    next["previous_response_id"] = first["id"].clone();
    let second = create(&server, next.clone()).await;
    assert_eq!(container_of(&second), container);
    // After the expiry, the chain gets a new container.
    server.advance(20 * MINUTE).await;
    next["previous_response_id"] = second["id"].clone();
    let third = create(&server, next).await;
    assert_ne!(container_of(&third), container);
    assert_eq!(server.get(&format!("/v1/containers/{container}")).await.body["status"], "expired");
}

#[tokio::test]
async fn a_response_works_in_the_container_that_it_names() {
    let server = TestServer::with_fixtures(REPORT).await;
    let container = container(&server).await;
    let response = create(&server, asked("A report", json!(container))).await;
    assert_eq!(container_of(&response), container);
    assert_eq!(response["tools"][0]["container"], container);
    assert_eq!(server.get("/v1/containers").await.body["data"].as_array().unwrap().len(), 1);
    // With the tool, the container is created before the model calls it. Without the tool, the call
    // itself creates it.
    create(&server, asked("Hello", json!({"type": "auto"}))).await;
    assert_eq!(server.get("/v1/containers").await.body["data"].as_array().unwrap().len(), 2);
    let without = create(&server, json!({"model": "gpt-4o", "input": "A report"})).await;
    let made = server.get(&format!("/v1/containers/{}", container_of(&without))).await;
    assert_eq!(made.status, StatusCode::OK);
}

#[tokio::test]
async fn secrets_of_tools_are_neither_shown_nor_kept() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("r.db");
    let server = TestServer::on(&database, REPORT).await;
    let secret = "sk-domain-0123456789abcdef";
    let policy = json!({"type": "allowlist", "allowed_domains": ["example.org"],
        "domain_secrets": [{"domain": "example.org", "name": "KEY", "value": secret}]});
    let tools = json!([
        {"type": "code_interpreter", "container": {"type": "auto", "network_policy": policy}},
        {"type": "mcp", "server_label": "s", "server_url": "https://example.org",
            "authorization": secret, "headers": {"X-Key": secret}},
    ]);
    let body = json!({"model": "gpt-4o", "input": "Hello", "tools": tools});
    let response = create(&server, body).await;
    assert!(!response.to_string().contains(secret), "{response}");
    assert_eq!(response["tools"][1]["authorization"], "<redacted>");
    assert_eq!(response["tools"][1]["headers"], json!({"X-Key": "<redacted>"}));
    server.stop().await;
    assert_not_kept(folder.path(), secret);
}

#[tokio::test]
async fn snapshots_and_resets_know_containers() {
    let server = TestServer::with_fixtures(REPORT).await;
    let container = container(&server).await;
    let id = put(&server, &container, "a.txt", "kept").await.id();
    let content = format!("/v1/containers/{container}/files/{id}/content");
    server.send(server.request(Method::PUT, "/_rehearsal/snapshots/with")).await;
    server.delete(&format!("/v1/containers/{container}")).await;
    assert_eq!(server.get(&content).await.status, StatusCode::NOT_FOUND);
    server.post("/_rehearsal/snapshots/with/restore", json!({})).await;
    assert_eq!(server.get(&content).await.text, "kept");
    let reset = server.post("/_rehearsal/reset", json!({})).await.body;
    assert_eq!(reset["removed"]["containers"], 1);
    assert_eq!(server.get("/v1/containers").await.body["data"], json!([]));
}

#[tokio::test]
async fn containers_that_make_no_sense_are_refused() {
    let server = TestServer::with_fixtures(REPORT).await;
    let minutes = |minutes: i64| json!({"name": "x", "expires_after": {"anchor": "last_active_at", "minutes": minutes}});
    for (body, refusal) in [
        (
            json!({}),
            "400 Missing required parameter: 'name'. [\"name\" \"missing_required_parameter\"]",
        ),
        (
            minutes(60),
            "400 Invalid 'expires_after.minutes': integer above maximum value. Expected a value <= \
             20, but got 60 instead. [\"expires_after.minutes\" \"integer_above_max_value\"]",
        ),
        (
            minutes(0),
            "400 Invalid 'expires_after.minutes': integer below minimum value. Expected a value >= \
             1, but got 0 instead. [\"expires_after.minutes\" \"integer_below_min_value\"]",
        ),
        (
            json!({"name": "x", "file_ids": ["file-x"]}),
            "404 No such File object: file-x [\"id\" null]",
        ),
    ] {
        assert_eq!(server.post("/v1/containers", body).await.refusal(), refusal);
    }
    let tool = |tool: Value| json!({"model": "gpt-4o", "input": "x", "tools": [tool]});
    for (body, refusal) in [
        (
            tool(json!({"type": "code_interpreter"})),
            "400 Missing required parameter: 'tools[0].container'. [\"tools[0].container\" \
             \"missing_required_parameter\"]",
        ),
        (
            tool(json!({"type": "code_interpreter", "container": {"type": "auto", "files": []}})),
            "400 Unknown parameter: 'tools[0].container.files'. [\"tools[0].container.files\" \
             \"unknown_parameter\"]",
        ),
    ] {
        assert_eq!(server.post("/v1/responses", body).await.refusal(), refusal);
    }
    let many = json!({"name": "x", "memory_limit": "2g"});
    assert_eq!(server.post("/v1/containers", many).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(server.get("/v1/containers").await.body["data"], json!([]), "nothing was made");
}
