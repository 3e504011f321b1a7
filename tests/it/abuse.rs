//! Bad requests, and a server that continues after them.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::server::TestServer;

#[tokio::test]
async fn bodies_that_are_no_json_are_refused_in_the_right_shape() {
    let server = TestServer::start().await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_object = format!("{}1{}", "{\"metadata\":".repeat(10_000), "}".repeat(10_000));
    for body in [
        b"\xff\xfe{}".to_vec(),
        b"{".to_vec(),
        b"nul".to_vec(),
        deep.into_bytes(),
        deep_object.into_bytes(),
        b"{\"a\": 1e999}".to_vec(),
    ] {
        let request = server
            .request(Method::POST, "/v1/threads")
            .header("content-type", "application/json")
            .body(body);
        let answer = server.send(request).await;
        assert_eq!(answer.status.as_u16(), 400, "{}", answer.text);
    }
    assert_eq!(server.post("/v1/threads", json!({})).await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_hundred_megabytes_are_refused_and_the_client_gets_to_read_it() {
    let server = TestServer::start().await;
    let request = server
        .request(Method::POST, "/v1/threads")
        .header("content-type", "application/json")
        .body(vec![b' '; 100 << 20]);
    let answer = server.send(request).await;
    assert_eq!(
        answer.refusal(),
        "413 Maximum content size limit (26214400) exceeded (104857600 bytes read) [null null]"
    );
    assert_eq!(answer.body["error"]["type"], "server_error");
}

#[tokio::test]
async fn odd_values_everywhere_are_answered_with_4xx() {
    let server = TestServer::start().await;
    let thread = format!("/v1/threads/{}", server.thread("Hello").await);
    let odd = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!(""),
        json!("\u{0}"),
        json!([]),
        json!([[]]),
        json!({}),
        json!({"type": {}}),
        json!([{"type": "function"}]),
        json!([{"type": "text", "text": {"value": 1}}]),
    ];
    let keys = [
        "model",
        "name",
        "tools",
        "tool_resources",
        "metadata",
        "temperature",
        "response_format",
        "messages",
        "role",
        "content",
        "attachments",
        "assistant_id",
        "instructions",
        "additional_messages",
        "truncation_strategy",
        "tool_choice",
        "max_prompt_tokens",
        "stream",
        "thread",
        "tool_outputs",
    ];
    let paths = [
        "/v1/assistants".to_owned(),
        "/v1/threads".to_owned(),
        "/v1/threads/runs".to_owned(),
        format!("{thread}/messages"),
        format!("{thread}/runs"),
    ];
    for path in &paths {
        for key in keys {
            for value in &odd {
                let mut body =
                    json!({"model": "m", "role": "user", "content": "x", "assistant_id": "asst_x"});
                body[key] = value.clone();
                let status = server.post(path, body).await.status.as_u16();
                assert!((200..500).contains(&status), "{path} {key} {value}: {status}");
            }
        }
    }
}

#[tokio::test]
async fn a_client_that_breaks_off_harms_nobody() {
    let server = TestServer::start().await;
    let address = server.base.trim_start_matches("http://").to_owned();
    for sent in [
        "POST /v1/threads HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\nOpenAI-Beta: \
         assistants=v2\r\nContent-Length: 100\r\n\r\n{\"messages\": [",
        "POST /v1/thr",
        "GARBAGE\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        drop(stream);
    }
    assert_eq!(server.post("/v1/threads", json!({})).await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_request_without_a_host_or_with_two_is_refused() {
    let server = TestServer::start().await;
    let address = server.base.trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let absolute = "GET http://evil.com/v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: \
                    Bearer x\r\nConnection: close\r\n\r\n";
    stream.write_all(absolute.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 421"), "the target overrules the header: {answer}");
    for hosts in ["", "Host: a\r\nHost: b\r\n"] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream
            .write_all(
                format!("GET /v1/models HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n").as_bytes(),
            )
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
}

#[tokio::test]
async fn texts_of_every_kind_come_back_as_they_were_sent() {
    let server = TestServer::start().await;
    for text in [
        "\u{0}\u{1}\u{7f}",
        "\\\" \u{2028}",
        "日本語 🎉👩‍👩‍👧",
        "'; drop table messages; --",
        "a\r\nb\n\n",
        &"ä".repeat(50_000),
    ] {
        let (thread, _) = server.run(text).await;
        let said = server.said(&thread).await;
        assert_eq!((said[0].as_str(), said[1].as_str()), (text, text));
    }
}

#[tokio::test]
async fn many_clients_at_once_lose_nothing() {
    let server = TestServer::start().await;
    let path = format!("/v1/threads/{}/messages", server.thread("0").await);
    let posts = (1..500)
        .map(|number| server.post(&path, json!({"role": "user", "content": number.to_string()})));
    let sent = futures_util::future::join_all(posts).await;
    assert!(sent.iter().all(|answer| answer.status.is_success()));
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let list = server.get(&format!("{path}?limit=100&order=asc{after}")).await.body;
        let data = list["data"].as_array().unwrap();
        seen.extend(data.iter().map(|message| {
            message["content"][0]["text"]["value"].as_str().unwrap().parse::<i32>().unwrap()
        }));
        if list["has_more"] == Value::Bool(false) {
            break;
        }
        after = format!("&after={}", list["last_id"].as_str().unwrap());
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..500).collect::<Vec<_>>());
    server.advance(Duration::from_secs(1)).await;
}
