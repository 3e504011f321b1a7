//! Lists: pages in both directions, exact to the last key.

use serde_json::{Value, json};

use crate::server::TestServer;

/// A thread of seven messages, "0" to "6", and the path of their list.
async fn seven(server: &TestServer) -> String {
    let messages: Vec<_> =
        (0..7).map(|number| json!({"role": "user", "content": number.to_string()})).collect();
    let thread = server.post("/v1/threads", json!({ "messages": messages })).await.id();
    format!("/v1/threads/{thread}/messages")
}

fn texts(list: &Value) -> String {
    let data = list["data"].as_array().unwrap().iter();
    data.map(|message| message["content"][0]["text"]["value"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn pages_follow_one_another_in_both_orders() {
    let server = TestServer::start().await;
    let path = seven(&server).await;
    for (order, expected) in [("asc", ["012", "345", "6"]), ("desc", ["654", "321", "0"])] {
        let mut after = String::new();
        for (index, texts_of_page) in expected.into_iter().enumerate() {
            let list = server.get(&format!("{path}?limit=3&order={order}{after}")).await.body;
            assert_eq!(texts(&list), texts_of_page);
            assert_eq!(list["has_more"], json!(index < 2));
            let data = list["data"].as_array().unwrap();
            assert_eq!(
                (&list["first_id"], &list["last_id"]),
                (&data[0]["id"], &data.last().unwrap()["id"])
            );
            after = format!("&after={}", list["last_id"].as_str().unwrap());
        }
        let beyond = server.get(&format!("{path}?limit=3&order={order}{after}")).await;
        assert_eq!(
            beyond.body.to_string(),
            r#"{"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false}"#,
            "clients that ignore has_more stop at an empty page"
        );
    }
}

#[tokio::test]
async fn before_asks_for_the_page_that_ends_at_the_cursor() {
    let server = TestServer::start().await;
    let path = seven(&server).await;
    let all = server.get(&format!("{path}?order=asc")).await.body;
    let id = |index: usize| all["data"][index]["id"].as_str().unwrap().to_owned();
    for (query, expected, has_more) in [
        (format!("order=asc&limit=2&before={}", id(4)), "23", true),
        (format!("order=asc&limit=9&before={}", id(4)), "0123", false),
        (format!("order=desc&limit=2&before={}", id(2)), "43", true),
        (format!("order=asc&after={}&before={}", id(1), id(5)), "234", false),
        (format!("order=asc&limit=2&after={}&before={}", id(1), id(5)), "23", true),
        ("order=asc&after=&limit=1&before=".to_owned(), "0", true),
    ] {
        let list = server.get(&format!("{path}?{query}")).await.body;
        assert_eq!(
            (texts(&list).as_str(), &list["has_more"]),
            (expected, &json!(has_more)),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_page_has_twenty_items_by_default() {
    let server = TestServer::start().await;
    for _ in 0..21 {
        server.assistant().await;
    }
    let list = server.get("/v1/assistants").await.body;
    assert_eq!((list["data"].as_array().unwrap().len(), &list["has_more"]), (20, &json!(true)));
    assert_eq!(
        server.get("/v1/assistants?limit=100").await.body["data"].as_array().unwrap().len(),
        21
    );
}

#[tokio::test]
async fn a_cursor_that_does_not_exist_is_not_found() {
    let server = TestServer::start().await;
    let path = seven(&server).await;
    let refusal = server.get(&format!("{path}?after=msg_nobody")).await.refusal();
    assert_eq!(refusal, "404 No message found with id 'msg_nobody'. [null null]");
}

#[tokio::test]
async fn messages_can_be_asked_for_by_run() {
    let server = TestServer::start().await;
    let (thread, run) = server.run("Hello").await;
    let run_id = run.rsplit('/').next().unwrap();
    let list = server.get(&format!("{thread}/messages?run_id={run_id}")).await.body;
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    assert_eq!(list["data"][0]["run_id"], run_id);
}
