//! Sessions: each has its own objects, under `/s/NAME`.

use serde_json::json;

use crate::server::TestServer;

#[tokio::test]
async fn sessions_see_nothing_of_each_other_and_draw_the_same_ids() {
    let server = TestServer::start().await;
    let new = json!({"model": "gpt-4o"});
    let one = server.post("/s/worker-1/v1/assistants", new.clone()).await.id();
    let other = server.post("/s/worker.2_b/v1/assistants", new.clone()).await.id();
    assert_eq!(one, other);
    server.post("/s/worker-1/v1/assistants", new.clone()).await;
    let count = async |prefix: &str| {
        server.get(&format!("{prefix}/v1/assistants")).await.body["data"].as_array().unwrap().len()
    };
    assert_eq!(
        (count("/s/worker-1").await, count("/s/worker.2_b").await, count("").await),
        (2, 1, 0)
    );
    assert_eq!(server.post("/v1/assistants", new).await.id(), one);
    assert_eq!(
        server.get("/s/default/v1/assistants").await.body["data"][0]["id"],
        one,
        "the session without a name has one"
    );
}

#[tokio::test]
async fn whole_conversations_are_the_same_to_the_byte_in_every_session() {
    let server = TestServer::start().await;
    let sessions: Vec<_> = (0..20).map(|number| format!("/s/w{number}")).collect();
    let transcripts = sessions.iter().map(|session| {
        let server = &server;
        async move {
            let assistant =
                server.post(&format!("{session}/v1/assistants"), json!({"model": "gpt-4o"})).await;
            let order = json!({
                "assistant_id": assistant.id(), "stream": true,
                "thread": {"messages": [{"role": "user",
                    "content": "Solve `3x + 11 = 14`, please."}]}
            });
            let stream = server.post(&format!("{session}/v1/threads/runs"), order).await;
            format!("{}\n{}", assistant.text, stream.text)
        }
    });
    let transcripts = futures_util::future::join_all(transcripts).await;
    assert!(transcripts[0].contains("event: done"));
    assert!(transcripts.iter().all(|transcript| *transcript == transcripts[0]));
}

#[tokio::test]
async fn a_name_that_cannot_be_one_is_an_unknown_path() {
    let server = TestServer::start().await;
    let long = "x".repeat(65);
    for name in ["a%20b", "ä", &long, ""] {
        assert_eq!(
            server.get(&format!("/s/{name}/v1/models")).await.status.as_u16(),
            404,
            "{name}"
        );
    }
    assert_eq!(server.get(&format!("/s/{}/v1/models", &long[1..])).await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_rejected_request_creates_no_session() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let server = TestServer::on(&path, "replies: []").await;
    let client = crate::server::client();
    for (session, path) in [("a", "/v1/assistants"), ("b", "/nothing"), ("c", "/_rehearsal/health")]
    {
        client.get(format!("{}/s/{session}{path}", server.base)).send().await.unwrap();
    }
    server.get("/s/d/v1/models").await;
    server.stop().await;
    assert_eq!(names_in(&path).await, ["default", "d"]);
}

#[tokio::test]
async fn a_session_is_made_for_a_key_that_is_let_in_and_for_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.db");
    let config = rehearsal::Config {
        database: Some(path.clone()),
        api_keys: vec!["sk-right".to_owned()],
        ..crate::server::config()
    };
    let server = TestServer::with(config).await;
    let ask = async |session: &str, key: &str| {
        let url = format!("{}/s/{session}/v1/models", server.base);
        crate::server::client().get(url).bearer_auth(key).send().await.unwrap().status().as_u16()
    };
    assert_eq!((ask("wrong", "sk-wrong").await, ask("right", "sk-right").await), (401, 200));
    server.stop().await;
    assert_eq!(names_in(&path).await, ["default", "right"]);
}

/// The names of the sessions in a database.
async fn names_in(path: &std::path::Path) -> Vec<String> {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    let names = sqlx::query_scalar("select name from sessions order by key");
    names.fetch_all(&mut connection).await.unwrap()
}
