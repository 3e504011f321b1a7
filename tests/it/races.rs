//! Many requests at the same time and in the wrong order: nothing is lost, duplicated, or stuck.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::future::join_all;
use rehearsal::{Config, Pace};
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::json;

use crate::server::{TestServer, config};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_that_is_added_by_many_at_once_is_ready_in_the_end() {
    let server = TestServer::start().await;
    let store = server.store(&[]).await;
    let file = server.document("a.txt", "apples and pears ".repeat(3_000)).await;
    let path = format!("/v1/vector_stores/{store}/files");
    for _ in 0..10 {
        let added = (0..4).map(|_| server.post(&path, json!({"file_id": file})));
        assert!(join_all(added).await.iter().all(|answer| answer.status.as_u16() == 200));
        server.idle().await;
        let shown = server.get(&format!("{path}/{file}")).await.body;
        assert_eq!(shown["status"], "completed", "{shown}");
        let content = server.get(&format!("{path}/{file}/content")).await.body;
        assert_eq!(
            content["data"][0]["text"].as_str().unwrap().len(),
            3_000 * "apples and pears ".len()
        );
        let counts =
            server.get(&format!("/v1/vector_stores/{store}")).await.body["file_counts"].clone();
        assert_eq!((&counts["completed"], &counts["total"]), (&json!(1), &json!(1)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn files_deleted_at_once_leave_every_list() {
    let server = TestServer::start().await;
    let mut files = Vec::new();
    for number in 0..15 {
        files.push(server.document(&format!("{number}.csv"), "x").await);
    }
    let resources = json!({"code_interpreter": {"file_ids": files}});
    let assistant = json!({"model": "gpt-4o", "tools": [{"type": "code_interpreter"}],
        "tool_resources": resources});
    let assistant = server.post("/v1/assistants", assistant).await.id();
    let paths: Vec<_> = files.iter().skip(1).map(|file| format!("/v1/files/{file}")).collect();
    join_all(paths.iter().map(|path| server.delete(path))).await;
    let shown = server.get(&format!("/v1/assistants/{assistant}")).await.body;
    assert_eq!(shown["tool_resources"]["code_interpreter"]["file_ids"], json!([files[0]]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_upload_that_is_completed_by_many_at_once_becomes_one_file() {
    let server = TestServer::start().await;
    let new =
        json!({"filename": "a.txt", "purpose": "vision", "bytes": 4, "mime_type": "text/plain"});
    let upload = server.post("/v1/uploads", new).await.id();
    let form = Form::new().part("data", Part::bytes(b"abcd".to_vec()).file_name("blob"));
    let part = server
        .send(server.request(Method::POST, &format!("/v1/uploads/{upload}/parts")).multipart(form))
        .await
        .id();
    let path = format!("/v1/uploads/{upload}/complete");
    let answers = join_all((0..8).map(|_| server.post(&path, json!({"part_ids": [part]})))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400, 400, 400, 400, 400, 400, 400]);
    assert_eq!(server.get("/v1/files").await.body["data"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn messages_that_attach_files_at_once_share_one_store() {
    let server = TestServer::start().await;
    let thread = server.post("/v1/threads", json!({})).await.id();
    let mut messages = Vec::new();
    for number in 0..6 {
        let file = server.document(&format!("{number}.txt"), format!("item{number}")).await;
        let attachments = json!([{"file_id": file, "tools": [{"type": "file_search"}]}]);
        messages.push(json!({"role": "user", "content": "Look", "attachments": attachments}));
    }
    let path = format!("/v1/threads/{thread}/messages");
    join_all(messages.into_iter().map(|message| server.post(&path, message))).await;
    server.idle().await;
    assert_eq!(server.get("/v1/vector_stores").await.body["data"].as_array().unwrap().len(), 1);
    let shown = server.get(&format!("/v1/threads/{thread}")).await.body;
    let store = shown["tool_resources"]["file_search"]["vector_store_ids"][0].as_str().unwrap();
    assert_eq!(
        server.get(&format!("/v1/vector_stores/{store}")).await.body["file_counts"]["completed"],
        6
    );
}

#[tokio::test]
async fn a_search_waits_neither_for_a_stopped_clock_nor_for_cancelled_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seeds.yaml");
    let yaml = "vector_stores:\n  - {id: vs_docs, files: [{name: a.txt, text: \
                apples}]}\nreplies:\n  - steps:\n      - tool_calls: [{file_search: {}}]\n      - \
                message: \"{{ results|length }}\"\n    pace: instant\n";
    std::fs::write(&path, yaml).unwrap();
    let server =
        TestServer::with(Config { fixtures: vec![path], pace: Pace::REALISTIC, ..config() }).await;
    assert_eq!(
        server.search("vs_docs", json!("apples")).await.len(),
        1,
        "seeds are ready, whatever the pace"
    );
    let file = server.document("b.txt", "more apples").await;
    let added = server.post("/v1/vector_stores/vs_docs/files", json!({"file_id": file})).await;
    assert_eq!(added.body["status"], "in_progress");
    let resources = json!({"file_search": {"vector_store_ids": ["vs_docs"]}});
    let assistant =
        json!({"model": "gpt-4o", "tools": [{"type": "file_search"}], "tool_resources": resources});
    let assistant = server.post("/v1/assistants", assistant).await.id();
    let (thread, _) = server.run_with("apples", json!({"assistant_id": assistant})).await;
    assert_eq!(server.said(&thread).await[1], "2");
    let more = server.document("c.txt", "apples again").await;
    let batch = server
        .post("/v1/vector_stores/vs_docs/file_batches", json!({"file_ids": [more]}))
        .await
        .id();
    server.post(&format!("/v1/vector_stores/vs_docs/file_batches/{batch}/cancel"), json!({})).await;
    assert_eq!(server.search("vs_docs", json!("apples")).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_does_not_oversleep_a_file_that_becomes_ready_while_it_looks() {
    let server = TestServer::start().await;
    let store = server.store(&[]).await;
    let resources = json!({"file_search": {"vector_store_ids": [store]}});
    let assistant =
        json!({"model": "gpt-4o", "tools": [{"type": "file_search"}], "tool_resources": resources});
    let assistant = server.post("/v1/assistants", assistant).await.id();
    for number in 0..60 {
        // Each text is longer, so that the files become ready at different moments of the run.
        let text = format!("animal{number} eats hay. {}", "And sleeps. ".repeat(20 * number));
        let file = server.document(&format!("{number}.txt"), text).await;
        server.post(&format!("/v1/vector_stores/{store}/files"), json!({"file_id": file})).await;
        let (thread, _) =
            server.run_with(&format!("animal{number}"), json!({"assistant_id": assistant})).await;
        let said = server.said(&thread).await;
        assert!(said.len() == 2 && said[1].starts_with(&format!("{number}.txt says")), "{said:?}");
    }
}

#[tokio::test]
async fn files_come_with_their_message_or_not_at_all() {
    let server = TestServer::with_fixtures("replies: [{outcome: hang}]").await;
    let file = server.document("a.txt", "apples").await;
    let (thread, _) = server.run("Hello").await;
    let attached = json!({"role": "user", "content": "With a file", "attachments":
        [{"file_id": file, "tools": [{"type": "file_search"}, {"type": "code_interpreter"}]}]});
    // A run holds the thread: neither the message nor its files remain.
    let refused = server.post(&format!("{thread}/messages"), attached.clone()).await;
    assert_eq!(refused.status.as_u16(), 400, "{}", refused.text);
    let before = server.get(&thread).await.body;
    assert!(before["tool_resources"].get("file_search").is_none(), "{before}");
    assert_eq!(server.get("/v1/vector_stores").await.body["data"], json!([]));
    let run = json!({"assistant_id": server.assistant().await, "additional_messages": [attached]});
    let refused = server.post(&format!("{thread}/runs"), run).await;
    assert_eq!(refused.status.as_u16(), 400, "{}", refused.text);
    assert_eq!(server.get("/v1/vector_stores").await.body["data"], json!([]));
}

#[tokio::test]
async fn messages_with_files_and_changes_of_their_thread_lose_nothing() {
    let server = TestServer::start().await;
    let thread = server.thread("Hello").await;
    let mut files = Vec::new();
    for number in 0..8 {
        files.push(server.document(&format!("{number}.txt"), "apples").await);
    }
    let (server, thread) = (&server, &thread);
    let add = |file: &String| {
        let body = json!({"role": "user", "content": "x", "attachments":
            [{"file_id": file, "tools": [{"type": "file_search"}, {"type": "code_interpreter"}]}]});
        async move { server.post(&format!("/v1/threads/{thread}/messages"), body).await }
    };
    let change = |number: usize| {
        let metadata = json!({"metadata": {"n": number.to_string()}});
        async move { server.post(&format!("/v1/threads/{thread}"), metadata).await }
    };
    let path = format!("/v1/threads/{thread}");
    let added = futures_util::future::join_all(files.iter().map(add));
    let changed = futures_util::future::join_all((0..8).map(change));
    let (added, changed) = tokio::join!(added, changed);
    assert!(added.iter().chain(&changed).all(|answer| answer.status.as_u16() == 200));
    let resources = server.get(&path).await.body["tool_resources"].clone();
    let given = resources["code_interpreter"]["file_ids"].as_array().unwrap();
    assert_eq!(given.len(), files.len(), "{resources}");
    let stores = resources["file_search"]["vector_store_ids"].as_array().unwrap();
    assert_eq!(stores.len(), 1);
    let store = stores[0].as_str().unwrap();
    let counts =
        server.get(&format!("/v1/vector_stores/{store}")).await.body["file_counts"].clone();
    assert_eq!(counts["total"], files.len());
    assert_eq!(server.get("/v1/vector_stores").await.body["data"].as_array().unwrap().len(), 1);
}

/// A read sees all writes that were acknowledged before it, even if it comes from memory. No object
/// returns to an older state.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_read_is_never_older_than_what_was_acknowledged() {
    let server = TestServer::start().await;
    let thread = server.thread("Hello").await;
    let path = format!("/v1/threads/{thread}");
    let (acknowledged, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let write = async {
        for number in 1..=300_u64 {
            let body = json!({"metadata": {"number": number.to_string()}});
            assert_eq!(server.post(&path, body).await.status.as_u16(), 200);
            acknowledged.store(number, Ordering::SeqCst);
        }
        is_over.store(true, Ordering::SeqCst);
    };
    let read = || async {
        let mut seen = 0;
        while !is_over.load(Ordering::SeqCst) {
            let at_least = acknowledged.load(Ordering::SeqCst).max(seen);
            let body = server.get(&path).await.body;
            let number = body["metadata"]["number"].as_str().unwrap_or("0");
            seen = number.parse::<u64>().unwrap();
            assert!(seen >= at_least, "{seen} after {at_least}");
        }
    };
    tokio::join!(write, read(), read(), read());
}

#[tokio::test]
async fn what_was_read_is_gone_with_its_thread() {
    let server = TestServer::start().await;
    let (thread, run) = server.run("Hello").await;
    let steps = server.get(&format!("{run}/steps")).await.body;
    let step = format!("{run}/steps/{}", steps["data"][0]["id"].as_str().unwrap());
    let listed = server.get(&format!("{thread}/messages")).await.body;
    let message = format!("{thread}/messages/{}", listed["data"][0]["id"].as_str().unwrap());
    for path in [&thread, &run, &step, &message] {
        assert_eq!(server.get(path).await.status.as_u16(), 200, "{path}");
        assert_eq!(server.get(path).await.status.as_u16(), 200, "{path}");
    }
    assert_eq!(server.delete(&thread).await.status.as_u16(), 200);
    for path in [&thread, &run, &step, &message] {
        assert_eq!(server.get(path).await.status.as_u16(), 404, "{path}");
    }
}

/// A run is performed before it is written. The messages that it has read must still be the latest
/// ones when it is written. A concurrent message is either before it or after it, and each run has
/// the correct turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn runs_and_messages_on_one_thread_follow_one_another() {
    const RUNS: usize = 40;
    let fixtures = "replies: [{steps: [{message: '{{ turn }} {{ message }}'}]}]";
    let server = TestServer::with_fixtures(fixtures).await;
    let assistant = server.assistant().await;
    let thread = format!("/v1/threads/{}", server.thread("0").await);
    let (runs, messages) = (format!("{thread}/runs"), format!("{thread}/messages"));
    let run = async || {
        let created = server.post(&runs, json!({"assistant_id": assistant})).await;
        assert_eq!((created.status.as_u16(), &created.body["status"]), (200, &json!("queued")));
        let path = format!("{runs}/{}", created.id());
        assert_eq!(server.get(&path).await.body["status"], "completed");
    };
    let add = async |said: usize| {
        let body = json!({"role": "user", "content": said.to_string()});
        assert_eq!(server.post(&messages, body).await.status.as_u16(), 200);
    };
    tokio::join!(join_all((0..RUNS).map(|_| run())), join_all((1..=RUNS).map(add)));
    let (mut turn, mut asked) = (0, String::new());
    for said in server.said(&thread).await {
        match said.split_once(' ') {
            Some((nth, message)) => {
                turn += 1;
                assert_eq!((nth, message), (turn.to_string().as_str(), asked.as_str()));
            }
            None => asked = said,
        }
    }
    assert_eq!(turn, RUNS);
}
