//! Snapshots and deletes of very many objects. They run in small pieces, others write between two
//! pieces, and nobody ever sees a partial result.

use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use rehearsal::Config;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::server::{TestServer, config};

/// The number of messages in the thread: many pieces.
const MANY: usize = 12_000;

/// A thread with `MANY` messages, and one with a few.
fn seeds() -> String {
    let messages = |count: usize| vec![json!({"role": "user", "content": "Hello"}); count];
    json!({
        "threads": [
            {"id": "thread_many", "messages": messages(MANY)},
            {"id": "thread_few", "messages": messages(3)},
        ],
        "assistants": [{"id": "asst_one", "model": "gpt-4o"}],
        "replies": [{"steps": [{"message": "Hello!"}]}],
    })
    .to_string()
}

/// Runs some work, and counts the writes of another session in this time.
async fn writes_beside(server: &TestServer, work: impl Future<Output = ()>) -> usize {
    let writes = AtomicUsize::new(0);
    let others = async {
        loop {
            let made = server.request(Method::POST, "/s/other/v1/threads").json(&json!({}));
            assert_eq!(server.send(made).await.status, StatusCode::OK);
            writes.fetch_add(1, Ordering::Relaxed);
        }
    };
    tokio::select! {
        () = others => unreachable!("it writes for as long as it is let"),
        () = work => writes.into_inner(),
    }
}

/// Resets the session. Returns the number of its messages.
async fn removed_messages(server: &TestServer) -> usize {
    let removed = server.send(server.request(Method::POST, "/_rehearsal/reset")).await;
    assert_eq!(removed.status, StatusCode::OK, "{}", removed.text);
    usize::try_from(removed.body["removed"]["messages"].as_u64().unwrap()).unwrap()
}

#[tokio::test]
async fn others_write_while_a_large_session_is_kept_and_brought_back() {
    let server = TestServer::with_fixtures(&seeds()).await;
    let snapshot = |method: Method, path: &str| {
        server.request(method, &format!("/_rehearsal/snapshots/{path}"))
    };
    let kept = async {
        let kept = server.send(snapshot(Method::PUT, "full")).await;
        assert_eq!(kept.status, StatusCode::OK, "{}", kept.text);
    };
    // Others can write after each piece. If it were only one piece, there would be two writes at
    // most.
    assert!(writes_beside(&server, kept).await >= 5);

    let deleted = server.delete("/v1/threads/thread_many").await;
    assert_eq!(deleted.status, StatusCode::OK);
    let brought_back = async {
        let restored = server.send(snapshot(Method::POST, "full/restore")).await;
        assert_eq!(restored.status, StatusCode::OK, "{}", restored.text);
    };
    assert!(writes_beside(&server, brought_back).await >= 5);
    assert_eq!(removed_messages(&server).await, MANY + 3);
}

#[tokio::test]
async fn a_large_thread_goes_at_once_for_everybody_who_looks() {
    let server = TestServer::with_fixtures(&seeds()).await;
    let listed = server.get("/v1/threads/thread_many/messages?limit=1").await;
    let message = listed.body["data"][0]["id"].as_str().unwrap().to_owned();
    let run = json!({"assistant_id": "asst_one"});
    let run = server.post("/v1/threads/thread_many/runs", run).await.id();
    server.idle().await;

    let deleted = server.delete("/v1/threads/thread_many").await;
    assert_eq!(deleted.status, StatusCode::OK, "{}", deleted.text);
    assert_eq!(deleted.body["deleted"], true);
    for path in [
        String::new(),
        "/messages".to_owned(),
        format!("/messages/{message}"),
        format!("/runs/{run}"),
        format!("/runs/{run}/steps"),
    ] {
        let found = server.get(&format!("/v1/threads/thread_many{path}")).await;
        assert_eq!(found.status, StatusCode::NOT_FOUND, "{path}: {}", found.text);
    }
    let message = json!({"role": "user", "content": "Is anybody there?"});
    for (path, body) in [("messages", message), ("runs", json!({"assistant_id": "asst_one"}))] {
        let made = server.post(&format!("/v1/threads/thread_many/{path}"), body).await;
        assert_eq!(made.status, StatusCode::NOT_FOUND, "{path}: {}", made.text);
    }
    // A snapshot before the purge has ended contains none of the deleted objects.
    let kept = server.send(server.request(Method::PUT, "/_rehearsal/snapshots/without")).await;
    assert_eq!(kept.status, StatusCode::OK, "{}", kept.text);
    let restored = server.request(Method::POST, "/_rehearsal/snapshots/without/restore");
    assert_eq!(server.send(restored).await.status, StatusCode::OK);
    let left = server.get("/v1/threads/thread_few/messages").await;
    assert_eq!(left.body["data"].as_array().unwrap().len(), 3);
    assert_eq!(removed_messages(&server).await, 3);
}

#[tokio::test]
async fn others_write_while_a_large_store_goes() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("r.db");
    let config = Config { database: Some(database.clone()), ..config() };
    let server = TestServer::with_fixtures_and("replies: []", config).await;
    let upload = server.upload("assistants", "words.txt", "word ".repeat(900_000)).await;
    assert_eq!(upload.status, StatusCode::OK, "{}", upload.text);
    let store = json!({"file_ids": [upload.id()]});
    let store = server.post("/v1/vector_stores", store).await.id();
    server.idle().await;
    assert!(rows(&database, "chunks").await > 2_000);
    let gone = async {
        let path = format!("/v1/vector_stores/{store}");
        let deleted = server.delete(&path).await;
        assert_eq!(deleted.status, StatusCode::OK, "{}", deleted.text);
        while rows(&database, "deleted_parents").await > 0 {
            let found = server.get(&format!("{path}/files/{}", upload.id())).await;
            assert_eq!(found.status, StatusCode::NOT_FOUND);
        }
    };
    assert!(writes_beside(&server, gone).await >= 3);
    assert_eq!(rows(&database, "chunks").await, 0);
    assert_eq!(rows(&database, "vector_store_files").await, 0);
}

#[tokio::test]
async fn a_restart_goes_on_with_what_is_left_of_a_large_thread() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("r.db");
    let server = TestServer::on(&database, &seeds()).await;
    let deleted = server.delete("/v1/threads/thread_many").await;
    assert_eq!(deleted.status, StatusCode::OK);
    // The server stops while most or all of it still exists.
    server.stop().await;
    let left = rows(&database, "messages").await;
    assert!(left > 3, "{left}");
    let server = TestServer::on(&database, "replies: []").await;
    while rows(&database, "messages").await > 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.get("/v1/threads/thread_many").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_large_thread_that_is_seeded_again_keeps_its_messages() {
    let server = TestServer::with_fixtures(&seeds()).await;
    assert_eq!(server.delete("/v1/threads/thread_many").await.status, StatusCode::OK);
    server.session().await.add_fixtures(&seeds()).await.unwrap();
    let listed = server.get("/v1/threads/thread_many/messages").await;
    assert_eq!(listed.status, StatusCode::OK, "{}", listed.text);
    assert_eq!(removed_messages(&server).await, MANY + 3);
}

/// The number of rows in a table.
async fn rows(database: &Path, table: &str) -> i64 {
    use sqlx::Connection;
    let url = format!("sqlite://{}?mode=ro", database.display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let sql = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}
