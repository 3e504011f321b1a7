//! Vector stores, their files and their batches.

use std::time::Duration;

use rehearsal::{Config, Pace};
use serde_json::{Value, json};

use crate::{
    documents::pdf,
    server::{START, TestServer, config},
};

fn counts(in_progress: u64, completed: u64, failed: u64, cancelled: u64) -> Value {
    let total = in_progress + completed + failed + cancelled;
    json!({"in_progress": in_progress, "completed": completed, "failed": failed,
        "cancelled": cancelled, "total": total})
}

async fn step_by_step() -> TestServer {
    TestServer::with(Config { pace: Pace::Steps, ..config() }).await
}

#[tokio::test]
async fn a_store_has_the_recorded_keys() {
    let server = TestServer::start().await;
    let file = server.document("a.txt", "Hello world! It's me.").await;
    let expires = json!({"anchor": "last_active_at", "days": 3});
    let new = json!({"name": "docs", "file_ids": [file], "expires_after": expires,
        "metadata": {"k": "v"}});
    let store = server.post("/v1/vector_stores", new).await;
    let id = store.id();
    let shown = |usage: u64, counts: Value, status: &str| {
        json!({
            "id": id, "object": "vector_store", "created_at": START, "name": "docs",
            "description": null, "usage_bytes": usage,
            "file_counts": counts, "status": status, "expires_after": expires,
            "expires_at": START + 259_200,
            "last_active_at": START, "metadata": {"k": "v"}
        })
    };
    assert_eq!(store.text, format!("{:#}", shown(0, counts(1, 0, 0, 0), "in_progress")));
    server.idle().await;
    let ready = server.get(&format!("/v1/vector_stores/{id}")).await;
    assert_eq!(
        ready.text,
        format!("{:#}", shown(1045, counts(0, 1, 0, 0), "completed")),
        "21 bytes weigh 1045: recorded"
    );
    let changed = json!({"name": null, "expires_after": null, "metadata": {"k": "w"}});
    let changed = server.post(&format!("/v1/vector_stores/{id}"), changed).await.body;
    assert_eq!(
        [&changed["name"], &changed["expires_after"], &changed["expires_at"]],
        [&Value::Null; 3]
    );
    assert_eq!(changed["metadata"], json!({"k": "w"}));
    let deleted = server.delete(&format!("/v1/vector_stores/{id}")).await.body;
    assert_eq!(deleted, json!({"id": id, "object": "vector_store.deleted", "deleted": true}));
    assert_eq!(
        server.get(&format!("/v1/vector_stores/{id}")).await.refusal(),
        format!("404 No vector store found with id '{id}'. [null null]")
    );
    assert_eq!(
        server.get(&format!("/v1/files/{file}")).await.status.as_u16(),
        200,
        "the file itself stays"
    );
}

#[tokio::test]
async fn a_file_of_a_store_has_the_recorded_keys() {
    let server = TestServer::start().await;
    let (store, file) = (server.store(&[]).await, server.document("a.txt", "x".repeat(21)).await);
    let path = format!("/v1/vector_stores/{store}/files");
    let cut = json!({"type": "static",
        "static": {"max_chunk_size_tokens": 1200, "chunk_overlap_tokens": 250}});
    let new = json!({"file_id": file, "chunking_strategy": cut,
        "attributes": {"year": 2024, "lang": "en", "draft": false}});
    let added = server.post(&path, new).await;
    let mut expected = json!({
        "id": file, "object": "vector_store.file", "usage_bytes": 0, "created_at": START,
        "vector_store_id": store,
        "status": "in_progress", "last_error": null, "chunking_strategy": cut,
        "attributes": {"year": 2024, "lang": "en", "draft": false}
    });
    assert_eq!(added.text, format!("{expected:#}"));
    assert_eq!(added.headers["openai-poll-after-ms"], "5");
    server.idle().await;
    let ready = server.get(&format!("{path}/{file}")).await;
    (expected["usage_bytes"], expected["status"]) = (json!(1045), json!("completed"));
    assert_eq!(ready.text, format!("{expected:#}"));
    assert!(!ready.headers.contains_key("openai-poll-after-ms"));
    let changed =
        server.post(&format!("{path}/{file}"), json!({"attributes": {"year": 2025}})).await.body;
    assert_eq!(
        (&changed["attributes"], &changed["status"]),
        (&json!({"year": 2025}), &json!("completed"))
    );
    let removed = server.delete(&format!("{path}/{file}")).await.body;
    assert_eq!(
        removed,
        json!({"id": file, "object": "vector_store.file.deleted", "deleted": true})
    );
    let gone = server.get(&format!("{path}/{file}")).await.refusal();
    assert_eq!(
        gone,
        format!("404 No file found with id '{file}' in vector store '{store}'. [null null]")
    );
    let auto = json!({"file_id": file, "chunking_strategy": {"type": "auto"}});
    let added = server.post(&path, auto).await.body;
    let usual = json!({"type": "static",
        "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}});
    assert_eq!(added["chunking_strategy"], usual, "auto is shown as what it stands for: recorded");
}

#[tokio::test]
async fn lists_can_be_narrowed_to_a_status() {
    let server = TestServer::start().await;
    let (good, bad) =
        (server.document("a.txt", "fine").await, server.document("b.txt", vec![0xff, 0, 0]).await);
    let store = server.store(&[&good, &bad]).await;
    let list = async |query: &str| {
        let list = server.get(&format!("/v1/vector_stores/{store}/files?{query}")).await.body;
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| file["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(list("filter=completed").await, [good.as_str()]);
    assert_eq!(list("filter=failed").await, [bad.as_str()]);
    assert!(list("filter=in_progress").await.is_empty());
    assert_eq!(list("order=asc").await, [good.as_str(), bad.as_str()]);
    let wrong = server.get(&format!("/v1/vector_stores/{store}/files?filter=done")).await.refusal();
    assert!(
        wrong.contains(
            "Supported values are: 'in_progress', 'completed', 'failed', and 'cancelled'."
        ),
        "{wrong}"
    );
    let failed = server.get(&format!("/v1/vector_stores/{store}/files/{bad}")).await.body;
    assert_eq!(
        failed["last_error"],
        json!({"code": "unsupported_file", "message": "The file type is not supported."})
    );
    assert_eq!(failed["usage_bytes"], 0);
    assert_eq!(
        server.get(&format!("/v1/vector_stores/{store}")).await.body["file_counts"],
        counts(0, 1, 1, 0)
    );
}

#[tokio::test]
async fn what_cannot_be_searched_is_refused_when_it_is_added() {
    let server = TestServer::start().await;
    let (table, store) = (server.document("a.csv", "a,b").await, server.store(&[]).await);
    let refusal = "400 Files with extensions [.csv] are not supported for retrieval. See \
                   https://platform.openai.com/docs/assistants/tools/file-search/supported-files \
                   [\"file_ids\" \"unsupported_file\"]";
    let files = format!("/v1/vector_stores/{store}/files");
    assert_eq!(server.post(&files, json!({"file_id": table})).await.refusal(), refusal);
    let batches = format!("/v1/vector_stores/{store}/file_batches");
    assert_eq!(server.post(&batches, json!({"file_ids": [table]})).await.refusal(), refusal);
    assert_eq!(
        server.post("/v1/vector_stores", json!({"file_ids": [table]})).await.refusal(),
        refusal
    );
    let missing = "404 No such File object: file-x [\"id\" null]";
    assert_eq!(server.post(&files, json!({"file_id": "file-x"})).await.refusal(), missing);
    assert_eq!(
        server.post("/v1/vector_stores", json!({"file_ids": ["file-x"]})).await.refusal(),
        missing
    );
    assert_eq!(
        server.get("/v1/vector_stores").await.body["data"].as_array().unwrap().len(),
        1,
        "nothing half made"
    );
    let nowhere =
        server.post("/v1/vector_stores/vs_x/files", json!({"file_id": table})).await.refusal();
    assert_eq!(nowhere, "404 No vector store found with id 'vs_x'. [null null]");
    let prefix = server.get("/v1/vector_stores/asst_x").await.refusal();
    assert_eq!(
        prefix,
        "400 Invalid 'vector_store_id': 'asst_x'. Expected an ID that begins with 'vs'. \
         [\"vector_store_id\" \"invalid_value\"]"
    );
}

#[tokio::test]
async fn limits_on_store_files_are_enforced() {
    let server = TestServer::start().await;
    let (store, file) = (server.store(&[]).await, server.document("a.txt", "x").await);
    let path = format!("/v1/vector_stores/{store}/files");
    let cut = |size: i64, overlap: i64| {
        let cut = json!({"max_chunk_size_tokens": size, "chunk_overlap_tokens": overlap});
        json!({"file_id": file, "chunking_strategy": {"type": "static", "static": cut}})
    };
    let many: serde_json::Map<_, _> =
        (0..101).map(|number| (format!("k{number}"), json!(number))).collect();
    let mut told = Vec::new();
    for body in [
        cut(99, 0),
        cut(4097, 0),
        cut(800, 401),
        cut(800, -1),
        json!({"file_id": file, "attributes": many}),
        json!({"file_id": file, "attributes": {"k": null}}),
        json!({"file_id": file, "attributes": {"k": "x".repeat(513)}}),
        json!({"file_id": file, "attributes": {"k".repeat(65): 1}}),
        json!({"file_id": file, "chunking_strategy": {"type": "semantic"}}),
        json!({}),
    ] {
        told.push(server.post(&path, body).await.refusal());
    }
    told.push(
        server
            .post(
                "/v1/vector_stores",
                json!({"expires_after": {"anchor": "last_active_at", "days": 366}}),
            )
            .await
            .refusal(),
    );
    told.push(
        server
            .post(
                "/v1/vector_stores",
                json!({"expires_after": {"anchor": "created_at", "days": 1}}),
            )
            .await
            .refusal(),
    );
    told.push(
        server.post("/v1/vector_stores", json!({"file_ids": vec!["file-x"; 501]})).await.refusal(),
    );
    told.push(
        server.post(&format!("/v1/vector_stores/{store}/file_batches"), json!({})).await.refusal(),
    );
    told.push(
        server
            .post(&format!("/v1/vector_stores/{store}/file_batches"), json!({"file_ids": []}))
            .await
            .refusal(),
    );
    insta::assert_snapshot!(told.join("\n"), @r##"
    400 Invalid 'chunking_strategy.static.max_chunk_size_tokens': integer below minimum value. Expected a value >= 100, but got 99 instead. ["chunking_strategy.static.max_chunk_size_tokens" "integer_below_min_value"]
    400 Invalid 'chunking_strategy.static.max_chunk_size_tokens': integer above maximum value. Expected a value <= 4096, but got 4097 instead. ["chunking_strategy.static.max_chunk_size_tokens" "integer_above_max_value"]
    400 Invalid 'chunking_strategy.static.chunk_overlap_tokens': integer above maximum value. Expected a value <= 400, but got 401 instead. ["chunking_strategy.static.chunk_overlap_tokens" "integer_above_max_value"]
    400 Invalid 'chunking_strategy.static.chunk_overlap_tokens': integer below minimum value. Expected a value >= 0, but got -1 instead. ["chunking_strategy.static.chunk_overlap_tokens" "integer_below_min_value"]
    400 Invalid 'attributes': too many properties. Expected an object with at most 16 properties, but got an object with 101 properties instead. ["attributes" "object_above_max_properties"]
    400 Invalid type for 'attributes.k': expected one of a string, a number, or a boolean, but got null instead. ["attributes.k" "invalid_type"]
    400 Invalid 'attributes.k': string too long. Expected a string with maximum length 512, but got a string with length 513 instead. ["attributes.k" "string_above_max_length"]
    400 Invalid property name in 'attributes': 'kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk' is too long. Expected a string with maximum length 64, but got a string with length 65 instead. ["attributes" "string_above_max_length"]
    400 Invalid value: 'semantic'. Supported values are: 'auto' and 'static'. ["chunking_strategy.type" "invalid_value"]
    400 Missing required parameter: 'file_id'. ["file_id" "missing_required_parameter"]
    400 Invalid 'expires_after.days': integer above maximum value. Expected a value <= 365, but got 366 instead. ["expires_after.days" "integer_above_max_value"]
    400 Invalid value: 'created_at'. Supported value is: 'last_active_at'. ["expires_after.anchor" "invalid_value"]
    400 Invalid 'file_ids': array too long. Expected an array with maximum length 500, but got an array with length 501 instead. ["file_ids" "array_above_max_length"]
    400 Missing required parameter: 'file_ids'. ["file_ids" "missing_required_parameter"]
    400 Invalid 'file_ids': empty array. Expected an array with minimum length 1, but got an empty array instead. ["file_ids" "empty_array"]
    "##);
}

#[tokio::test]
async fn step_by_step_a_look_makes_one_file_ready() {
    let server = step_by_step().await;
    let (one, two) = (server.document("a.txt", "one").await, server.document("b.txt", "two").await);
    let store = server.post("/v1/vector_stores", json!({})).await.id();
    let batch = server
        .post(&format!("/v1/vector_stores/{store}/file_batches"), json!({"file_ids": [one, two]}))
        .await;
    let expected = json!({
        "id": batch.id(), "object": "vector_store.file_batch", "created_at": START,
        "status": "in_progress",
        "vector_store_id": store, "file_counts": counts(2, 0, 0, 0)
    });
    assert_eq!(batch.text, format!("{expected:#}"));
    let path = format!("/v1/vector_stores/{store}/file_batches/{}", batch.id());
    let listed = server.get(&format!("{path}/files")).await.body;
    assert_eq!(listed["data"][0]["status"], "in_progress", "to list is not to look");
    let first = server.get(&path).await;
    assert_eq!(
        (&first.body["status"], &first.body["file_counts"]),
        (&json!("in_progress"), &counts(1, 1, 0, 0))
    );
    assert_eq!(first.headers["openai-poll-after-ms"], "5");
    let second = server.get(&path).await.body;
    assert_eq!(
        (&second["status"], &second["file_counts"]),
        (&json!("completed"), &counts(0, 2, 0, 0))
    );
    let listed = server.get(&format!("{path}/files?order=asc")).await.body;
    let first = listed["data"][0]["id"].as_str().unwrap();
    let by_itself = server.get(&format!("/v1/vector_stores/{store}/files/{first}")).await.body;
    assert_eq!(listed["data"][0], by_itself, "all keys, as recorded since October 2025");
    let file = server.document("c.txt", "three").await;
    let added =
        server.post(&format!("/v1/vector_stores/{store}/files"), json!({"file_id": file})).await;
    assert_eq!(added.body["status"], "in_progress");
    assert_eq!(
        server.get(&format!("/v1/vector_stores/{store}/files/{file}")).await.body["status"],
        "completed"
    );
}

#[tokio::test]
async fn a_batch_can_be_cancelled_before_it_is_ready_and_not_after() {
    let server = step_by_step().await;
    let files = [server.document("a.txt", "one").await, server.document("b.txt", "two").await];
    let store = server.post("/v1/vector_stores", json!({})).await.id();
    let files: Vec<_> =
        files.iter().map(|file| json!({"file_id": file, "attributes": {"own": file}})).collect();
    let batch = server
        .post(&format!("/v1/vector_stores/{store}/file_batches"), json!({ "files": files }))
        .await
        .id();
    let path = format!("/v1/vector_stores/{store}/file_batches/{batch}");
    server.get(&path).await;
    let cancelled = server.post(&format!("{path}/cancel"), json!({})).await.body;
    assert_eq!(
        (&cancelled["status"], &cancelled["file_counts"]),
        (&json!("cancelled"), &counts(0, 1, 0, 1))
    );
    assert_eq!(server.get(&path).await.body["status"], "cancelled");
    let shown = server.get(&format!("/v1/vector_stores/{store}")).await.body;
    assert_eq!(
        (&shown["status"], &shown["file_counts"]),
        (&json!("completed"), &counts(0, 1, 0, 1))
    );
    let again = server.post(&format!("{path}/cancel"), json!({})).await;
    assert_eq!((again.status.as_u16(), &again.body["file_counts"]), (200, &counts(0, 1, 0, 1)));
    let kept = server.get(&format!("/v1/vector_stores/{store}/files?order=asc")).await.body;
    assert_eq!(kept["data"][0]["attributes"]["own"], kept["data"][0]["id"]);
    assert_eq!(server.search(&store, json!("two")).await.len(), 0);
}

#[tokio::test]
async fn files_in_processing_are_resumed_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("r.db");
    let with = |pace| Config { database: Some(database.clone()), pace, ..config() };
    let server = TestServer::with(with(Pace::Steps)).await;
    let file = server.document("a.txt", "The answer is apples.").await;
    let store = server.post("/v1/vector_stores", json!({"file_ids": [file]})).await.id();
    assert_eq!(server.get("/v1/vector_stores").await.body["data"][0]["status"], "in_progress");
    server.stop().await;
    let server = TestServer::with(with(Pace::Instant)).await;
    server.idle().await;
    let shown = server.get(&format!("/v1/vector_stores/{store}")).await.body;
    assert_eq!(
        (&shown["status"], &shown["file_counts"]),
        (&json!("completed"), &counts(0, 1, 0, 0))
    );
    assert_eq!(server.search(&store, json!("apples")).await.len(), 1);
}

#[tokio::test]
async fn a_file_deleted_or_added_anew_on_the_way_leaves_nothing_of_itself() {
    let server = TestServer::start().await;
    let store = server.store(&[]).await;
    let path = format!("/v1/vector_stores/{store}/files");
    let text = "apples and pears ".repeat(20_000);
    let (gone, twice) =
        (server.document("a.txt", text.clone()).await, server.document("b.txt", text).await);
    server.post(&path, json!({"file_id": gone})).await;
    server.post(&path, json!({"file_id": twice})).await;
    assert_eq!(server.delete(&format!("/v1/files/{gone}")).await.status.as_u16(), 200);
    let small = json!({"type": "static",
        "static": {"max_chunk_size_tokens": 4096, "chunk_overlap_tokens": 0}});
    server.post(&path, json!({"file_id": twice, "chunking_strategy": small})).await;
    server.idle().await;
    let shown = server.get(&format!("/v1/vector_stores/{store}")).await.body;
    assert_eq!(shown["file_counts"], counts(0, 1, 0, 0));
    let content = server.get(&format!("{path}/{twice}/content")).await.body;
    assert_eq!(
        content["data"][0]["text"].as_str().unwrap().len(),
        20_000 * "apples and pears ".len()
    );
    let found = server.search(&store, json!({"query": "apples", "max_num_results": 50})).await;
    assert!(found.iter().all(|(name, _)| name == "b.txt") && found.len() < 30, "{}", found.len());
    server.delete(&format!("{path}/{twice}")).await;
    assert!(server.search(&store, json!("apples")).await.is_empty());
    assert_eq!(server.get(&format!("/v1/vector_stores/{store}")).await.body["usage_bytes"], 0);
}

#[tokio::test]
async fn a_store_expires_when_nobody_has_used_it_for_days() {
    let server = TestServer::start().await;
    let file = server.document("a.txt", "apples").await;
    let new = json!({"file_ids": [file], "expires_after": {"anchor": "last_active_at", "days": 1}});
    let store = server.post("/v1/vector_stores", new).await.id();
    let assistant = json!({
        "model": "gpt-4o", "tools": [{"type": "file_search"}],
        "tool_resources": {"file_search": {"vector_store_ids": [store]}}
    });
    let assistant = server.post("/v1/assistants", assistant).await.id();
    let clock = server.session().await;
    clock.advance(Duration::from_secs(86_000)).await;
    server.run_with("apples?", json!({"assistant_id": assistant})).await;
    let shown = server.get(&format!("/v1/vector_stores/{store}")).await.body;
    assert_eq!(
        (&shown["last_active_at"], &shown["expires_at"]),
        (&json!(START + 86_000), &json!(START + 172_400))
    );
    clock.advance(Duration::from_secs(86_399)).await;
    assert_eq!(server.get(&format!("/v1/vector_stores/{store}")).await.body["status"], "completed");
    clock.advance(Duration::from_secs(1)).await;
    assert_eq!(server.get(&format!("/v1/vector_stores/{store}")).await.body["status"], "expired");
    let expired = format!("400 Vector store '{store}' has expired. [null null]");
    assert_eq!(
        server
            .post(&format!("/v1/vector_stores/{store}/search"), json!({"query": "apples"}))
            .await
            .refusal(),
        expired
    );
    let add =
        server.post(&format!("/v1/vector_stores/{store}/files"), json!({"file_id": file})).await;
    assert_eq!(add.refusal(), expired);
    // A run that would search it is rejected, and leaves nothing behind.
    let refused = format!("400 Vector store {store} is expired [null null]");
    let thread = format!("/v1/threads/{}", server.thread("apples?").await);
    let order = json!({"assistant_id": assistant,
        "additional_messages": [{"role": "user", "content": "pears?"}]});
    assert_eq!(server.post(&format!("{thread}/runs"), order).await.refusal(), refused);
    assert_eq!(server.said(&thread).await, ["apples?"]);
    let of_thread = json!({"tool_resources": {"file_search": {"vector_store_ids": [store]}},
        "messages": [{"role": "user", "content": "?"}]});
    let bare = json!({"model": "gpt-4o", "tools": [{"type": "file_search"}]});
    let bare = server.post("/v1/assistants", bare).await.id();
    let order = json!({"assistant_id": bare, "thread": of_thread});
    assert_eq!(server.post("/v1/threads/runs", order).await.refusal(), refused);
    let existing = server.post("/v1/threads", of_thread).await.id();
    assert_eq!(
        server
            .post(&format!("/v1/threads/{existing}/runs"), json!({"assistant_id": bare}))
            .await
            .refusal(),
        refused
    );
    // A run that does not search is not affected.
    let (_, run) =
        server.run_with("apples?", json!({"assistant_id": assistant, "tools": []})).await;
    assert_eq!(server.get(&run).await.body["status"], "completed");
}

#[tokio::test]
async fn files_in_which_there_is_no_text_fail_and_are_counted() {
    let server = TestServer::start().await;
    let (empty, broken) =
        ("The file could not be parsed because it is empty.", "The file could not be parsed.");
    // A page with an image and without text.
    let scanned = String::from_utf8_lossy(&pdf("")).into_owned().into_bytes();
    let mut files = Vec::new();
    for (filename, content, message) in [
        ("spaces.txt", b" \n\t \n".to_vec(), empty),
        ("scanned.pdf", scanned, empty),
        ("empty.html", b"<html><body> </body></html>".to_vec(), empty),
        ("broken.pdf", b"%PDF-1.4 and no more".to_vec(), broken),
    ] {
        files.push((server.document(filename, content).await, message));
    }
    let good = server.document("good.txt", "apples").await;
    let store = server.store(&[]).await;
    let ids: Vec<&str> = files.iter().map(|(id, _)| id.as_str()).chain([good.as_str()]).collect();
    let batch = server
        .post(&format!("/v1/vector_stores/{store}/file_batches"), json!({"file_ids": ids}))
        .await
        .id();
    server.idle().await;
    for (id, message) in &files {
        let shown = server.get(&format!("/v1/vector_stores/{store}/files/{id}")).await.body;
        assert_eq!(shown["status"], "failed");
        assert_eq!(shown["last_error"], json!({"code": "invalid_file", "message": message}));
    }
    let counted =
        json!({"in_progress": 0, "completed": 1, "failed": 4, "cancelled": 0, "total": 5});
    let batch = server.get(&format!("/v1/vector_stores/{store}/file_batches/{batch}")).await.body;
    assert_eq!((&batch["status"], &batch["file_counts"]), (&json!("completed"), &counted));
    assert_eq!(
        server.get(&format!("/v1/vector_stores/{store}")).await.body["file_counts"],
        counted
    );
}
