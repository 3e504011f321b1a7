//! Faults as clients see them: errors, delays, closed connections, unreadable responses.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::server::TestServer;

async fn raw(server: &TestServer, path: &str) -> Result<Response, reqwest::Error> {
    server.request(Method::GET, path).send().await
}

/// The text of a response, and whether it is complete.
async fn read(mut answer: Response) -> (String, bool) {
    let mut text = String::new();
    loop {
        match answer.chunk().await {
            Ok(Some(piece)) => text += std::str::from_utf8(&piece).unwrap(),
            Ok(None) => return (text, true),
            Err(_) => return (text, false),
        }
    }
}

#[tokio::test]
async fn a_fault_answers_in_place_of_the_service_as_often_as_it_says() {
    let server = TestServer::with_fixtures(
        r#"
faults:
  - name: busy
    when: {method: post, path: /v1/threads/*/runs}
    times: 2
    respond: {status: 429, headers: {retry-after: "1", x-many: 2}, error: {message: Slow down.}}
  - {when: {path: /v1/models}, respond: {status: 500}}
  - {when: {path: /v1/threads/thread_html}, respond: {status: 502, body: <html>Bad gateway</html>}}
  - {when: {path: "/v1/vector_stores/**"}, respond: {status: 503}}
"#,
    )
    .await;
    let assistant = server.assistant().await;
    let thread = server.thread("Hello").await;
    let runs = format!("/v1/threads/{thread}/runs");
    let order = json!({"assistant_id": assistant});
    for _ in 0..2 {
        let busy = server.post(&runs, order.clone()).await;
        assert_eq!(busy.refusal(), r#"429 Slow down. [null "rate_limit_exceeded"]"#);
        assert_eq!(
            (&busy.headers["retry-after"], &busy.headers["x-many"]),
            (&"1".parse().unwrap(), &"2".parse().unwrap())
        );
    }
    assert_eq!(server.get(&runs).await.body["data"], json!([]), "nothing was carried out");
    assert_eq!(server.post(&runs, order).await.status.as_u16(), 200);
    let broken = server.get("/v1/models").await;
    assert!(
        broken.refusal().starts_with("500 The server had an error processing your request."),
        "{}",
        broken.text
    );
    assert!(broken.text.contains(broken.headers["x-request-id"].to_str().unwrap()));
    let html = server.request(Method::GET, "/v1/threads/thread_html").send().await.unwrap();
    assert_eq!(
        (html.status().as_u16(), html.text().await.unwrap().as_str()),
        (502, "<html>Bad gateway</html>")
    );
    assert_eq!(server.get("/v1/vector_stores/vs_a/files").await.status.as_u16(), 503);

    let faults = server.get("/_rehearsal/fixtures").await.body["faults"].clone();
    let hits: Vec<_> =
        faults.as_array().unwrap().iter().map(|fault| fault["hits"].as_i64().unwrap()).collect();
    assert_eq!(hits, [2, 1, 1, 1]);
    let struck = server.get("/_rehearsal/requests?status=429").await.body;
    assert_eq!(struck["data"][0]["fault"], "busy");
    assert_eq!(struck["data"][0]["request_body"]["assistant_id"], json!(assistant));
    server.post("/_rehearsal/reset", json!({})).await;
    assert_eq!(
        server.post("/v1/threads/thread_x/runs", json!({})).await.status.as_u16(),
        429,
        "counted anew"
    );
    assert_eq!(
        server.post("/s/other/v1/threads/thread_x/runs", json!({})).await.status.as_u16(),
        429,
        "in every session"
    );
}

#[tokio::test]
async fn a_fault_strikes_the_nth_request_or_by_a_seeded_chance_and_before_the_key_is_judged() {
    let yaml = "faults:\n  - {when: {path: /v1/files, nth: 3}, respond: {status: 500}}\n  - {when: \
                {path: /v1/models}, probability: 0.3, respond: {status: 503}}\n  - {when: {method: \
                POST, stream: true}, respond: {status: 504}}\n";
    let statuses = async |server: &TestServer, path: &str, count: usize| {
        let mut statuses = Vec::new();
        for _ in 0..count {
            statuses.push(server.get(path).await.status.as_u16());
        }
        statuses
    };
    let server = TestServer::with_fixtures(yaml).await;
    assert_eq!(statuses(&server, "/v1/files", 5).await, [200, 200, 500, 200, 200]);
    let chance = statuses(&server, "/v1/models", 100).await;
    let struck = chance.iter().filter(|status| **status == 503).count();
    assert!((15..=45).contains(&struck), "{struck} of 100");
    let other = TestServer::with_fixtures(yaml).await;
    assert_eq!(statuses(&other, "/v1/models", 100).await, chance, "the same for the same seed");

    let plain = json!({"messages": []});
    assert_eq!(server.post("/v1/threads", plain).await.status.as_u16(), 200);
    assert_eq!(server.post("/v1/threads/runs", json!({"stream": true})).await.status.as_u16(), 504);
    let keyless = crate::server::client().post(format!("{}/v1/threads/runs", server.base));
    assert_eq!(keyless.body(r#"{"stream": true}"#).send().await.unwrap().status().as_u16(), 504);
}

#[tokio::test]
async fn connections_are_closed_before_after_and_within_the_answer() {
    let server = TestServer::with_fixtures(
        r#"
faults:
  - {when: {method: POST, path: /v1/threads}, times: 1, disconnect: before}
  - {when: {method: POST, path: /v1/assistants}, times: 1, disconnect: after}
  - {when: {path: /v1/models}, disconnect: {bytes: 10}}
  - {when: {method: GET, path: /v1/files}, times: 1, malformed: json}
  - {when: {method: GET, path: /v1/files}, disconnect: {bytes: 10}}
"#,
    )
    .await;
    // A client retries automatically on a connection that was kept open, so this one uses a new
    // connection.
    let post = async |path: &str, body: Value| {
        let request = server.request(Method::POST, path).header("connection", "close").json(&body);
        request.send().await.map(|answer| answer.status().as_u16())
    };
    assert!(post("/v1/threads", json!({})).await.is_err());
    assert!(post("/v1/assistants", json!({"model": "gpt-4o"})).await.is_err());
    assert_eq!(
        server.get("/v1/assistants").await.body["data"].as_array().unwrap().len(),
        1,
        "it was carried out"
    );
    assert_eq!(post("/v1/threads", json!({})).await.unwrap(), 200);
    let mut models = raw(&server, "/v1/models").await.unwrap();
    assert_eq!(models.chunk().await.unwrap().unwrap(), "{\n  \"objec");
    assert!(models.chunk().await.is_err(), "and then it breaks off");
    let garbled = raw(&server, "/v1/files").await.unwrap();
    assert_eq!(garbled.status().as_u16(), 200);
    assert!(serde_json::from_str::<Value>(&garbled.text().await.unwrap()).is_err());
    let (text, whole) = read(raw(&server, "/v1/files").await.unwrap()).await;
    assert!(!whole && text.len() == 10, "{text}");
    let entries = server.get("/_rehearsal/requests").await.body["data"].clone();
    assert_eq!((&entries[0]["status"], &entries[0]["path"]), (&Value::Null, &json!("/v1/threads")));
}

#[tokio::test]
async fn streams_are_cut_garbled_and_ended_with_an_error() {
    let server = TestServer::with_fixtures("replies: [{steps: [{message: one two three}]}]").await;
    let assistant = server.assistant().await;
    let stream = async |fault: &str| {
        let yaml = format!("faults: [{{when: {{stream: true}}, times: 1, {fault}}}]");
        let request = server
            .request(Method::POST, "/_rehearsal/fixtures")
            .header("content-type", "application/yaml");
        assert_eq!(server.send(request.body(yaml)).await.status.as_u16(), 200);
        let order = json!({"assistant_id": assistant, "stream": true,
            "thread": {"messages": [{"role": "user", "content": "Hi"}]}});
        read(server.request(Method::POST, "/v1/threads/runs").json(&order).send().await.unwrap())
            .await
    };
    let (text, whole) = stream("disconnect: {events: 3}").await;
    assert!(!whole && text.matches("event: ").count() == 3, "{text}");
    let (text, whole) = stream("disconnect: {events: 0}").await;
    assert!(!whole && text.is_empty(), "{text}");
    let (text, whole) = stream("malformed: sse").await;
    let broken =
        text.split("\n\n").filter_map(|frame| frame.split_once("\ndata: ")).map(|(_, data)| data);
    let broken = broken
        .filter(|data| serde_json::from_str::<Value>(data).is_err() && *data != "[DONE]")
        .count();
    assert!(whole && broken == 1 && text.ends_with("[DONE]\n\n"), "{text}");
    let request = server
        .request(Method::POST, "/_rehearsal/fixtures")
        .header("content-type", "application/yaml");
    server.send(request.body("faults: [{name: idle, times: 1, stream_error: {}}]")).await;
    server.get("/v1/models").await;
    let hits = server.get("/_rehearsal/fixtures").await.body["faults"][0].clone();
    assert_eq!(
        (&hits["name"], &hits["hits"]),
        (&json!("idle"), &json!(0)),
        "what is no stream does not use it up"
    );
    server.delete("/_rehearsal/fixtures").await;
    let (text, whole) = stream("stream_error: {after_events: 2, error: {message: Oh no}}").await;
    assert!(whole && text.matches("event: ").count() == 3, "{text}");
    let last = r#"event: error
data: {"error":{"message":"Oh no","type":"server_error","param":null,"code":null}}"#;
    assert!(text.ends_with(&format!("{last}\n\n")), "{text}");
}

#[tokio::test]
async fn a_delay_holds_up_its_own_request_and_no_other() {
    let server = TestServer::with_fixtures("faults: [{when: {path: /v1/files}, delay: 3s}]").await;
    let slow = server.get("/v1/files");
    let quick = async {
        for _ in 0..20 {
            server.get("/v1/models").await;
        }
        server.get("/_rehearsal/requests").await.body["data"].as_array().unwrap().len()
    };
    let (slow, before) = tokio::join!(slow, quick);
    assert_eq!(slow.status.as_u16(), 200);
    assert_eq!(before, 20, "the slow one is not among them yet");
    let entry = server.get("/_rehearsal/requests?path=/v1/files").await.body["data"][0].clone();
    assert!(entry["duration_ms"].as_f64().unwrap() >= 3_000.0);
}

#[tokio::test]
async fn a_stream_breaks_off_where_the_reply_says_and_the_run_goes_on() {
    let server = TestServer::with_fixtures(
        "replies: [{steps: [{message: first}, {disconnect: true}, {message: second}]}]",
    )
    .await;
    let assistant = server.assistant().await;
    let thread = server.thread("Hi").await;
    let order = json!({"assistant_id": assistant, "stream": true});
    let answer = server
        .request(Method::POST, &format!("/v1/threads/{thread}/runs"))
        .json(&order)
        .send()
        .await
        .unwrap();
    let (text, whole) = read(answer).await;
    assert!(
        !whole && !text.contains("event: done") && text.contains("event: thread.message.completed"),
        "{text}"
    );
    server.idle().await;
    assert_eq!(server.said(&format!("/v1/threads/{thread}")).await, ["Hi", "first", "second"]);
}

#[tokio::test]
async fn a_cancel_can_come_too_late() {
    let server = TestServer::with_fixtures(
        r#"
replies:
  - name: late
    when: {message: Late}
    pace: steps
    late_cancel: true
    steps: [{message: one}, {tool_calls: [{function: {name: f}}]}, {message: two}]
    outcome: hang
  - when: {message: Slow}
    pace: {per_token: 1s}
    late_cancel: true
    steps: [{tool_calls: [{function: {name: f, arguments: {a: one two three four five}}}]}, {message: done}]
  - {when: {message: Wait}, late_cancel: true, steps: [{tool_calls: [{function: {name: f}}]}]}
"#,
    )
    .await;
    let assistant = server.assistant().await;
    let (thread, run) = server.run_with("Late", json!({"assistant_id": assistant})).await;
    assert_eq!(server.post(&format!("{run}/cancel"), json!({})).await.body["status"], "cancelling");
    let mut statuses = vec![];
    while statuses.last() != Some(&json!("completed")) && statuses.len() < 9 {
        statuses.push(server.get(&run).await.body["status"].clone());
    }
    assert_eq!(statuses.last(), Some(&json!("completed")), "{statuses:?}");
    assert_eq!(server.said(&thread).await, ["Late", "one", "two"]);

    // In the middle of a call: the call is not made.
    let (thread, run) = server.run_with("Slow", json!({"assistant_id": assistant})).await;
    server.advance(Duration::from_secs(3)).await;
    let steps = server.get(&format!("{run}/steps")).await.body["data"].clone();
    assert_eq!(
        (&steps[0]["type"], &steps[0]["status"]),
        (&json!("tool_calls"), &json!("in_progress"))
    );
    server.post(&format!("{run}/cancel"), json!({})).await;
    server.advance(Duration::from_secs(60)).await;
    assert_eq!(server.get(&run).await.body["status"], "completed");
    let steps = server.get(&format!("{run}/steps?order=asc")).await.body["data"].clone();
    assert_eq!(
        (&steps[0]["status"], &steps[1]["status"]),
        (&json!("cancelled"), &json!("completed"))
    );
    assert_eq!(server.said(&thread).await, ["Slow", "done"]);

    let (_, run) = server.run_with("Wait", json!({"assistant_id": assistant})).await;
    assert_eq!(server.get(&run).await.body["status"], "requires_action");
    server.post(&format!("{run}/cancel"), json!({})).await;
    server.idle().await;
    assert_eq!(
        server.get(&run).await.body["status"],
        "cancelled",
        "a run that waits for its client can be cancelled"
    );
}

#[tokio::test]
async fn control_has_no_faults() {
    let server = TestServer::with_fixtures(
        "faults: [{respond: {status: 500}}, {when: {path: '**'}, disconnect: before}]",
    )
    .await;
    assert_eq!(server.get("/_rehearsal/health").await.status.as_u16(), 200);
    assert_eq!(server.get("/v1/models").await.status.as_u16(), 500);
    assert_eq!(server.post("/_rehearsal/reset", json!({})).await.status.as_u16(), 200);
}

/// The chunks of a response on the wire.
async fn chunks(server: &TestServer, path: &str, body: Value) -> Vec<Vec<u8>> {
    let address = server.base.trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\nOpenAI-Beta: \
         assistants=v2\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: \
         {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let start = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let (mut rest, mut chunks) = (&answer[start..], Vec::new());
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n").unwrap();
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if length == 0 {
            return chunks;
        }
        chunks.push(rest[end + 2..][..length].to_vec());
        rest = &rest[end + 4 + length..];
    }
}

#[tokio::test]
async fn a_stream_is_cut_into_other_chunks_and_stays_the_same() {
    let fixtures = |fault: &str| {
        format!(
            "{fault}replies:\n  - steps: [{{message: 'Zürich, мир, 世界 🙂 is where it is.'}}]\n"
        )
    };
    let of = async |fault: &str| {
        let server = TestServer::with_fixtures(&fixtures(fault)).await;
        let assistant = server.assistant().await;
        let thread = json!({"messages": [{"role": "user", "content": "Where?"}]});
        let order = json!({"assistant_id": assistant, "stream": true, "thread": thread});
        let chunks = chunks(&server, "/v1/threads/runs", order).await;
        // Other requests do not change.
        assert_eq!(server.get("/v1/assistants").await.body["data"][0]["id"], json!(assistant));
        chunks
    };
    let whole = of("").await;
    let text = String::from_utf8(whole.concat()).unwrap();
    let events: Vec<&str> = text.split_inclusive("\n\n").collect();
    assert_eq!(whole.len(), events.len(), "one event in each chunk");

    let split = of("faults: [{when: {stream: true}, chunks: split}]\n").await;
    assert_eq!(split.concat(), text.as_bytes());
    let cuts: Vec<usize> = split
        .iter()
        .scan(0, |end, chunk| {
            *end += chunk.len();
            Some(*end)
        })
        .collect();
    let mut start = 0;
    for event in events {
        assert!(
            cuts.iter().any(|cut| start < *cut && *cut < start + event.len()),
            "{event} is in one chunk"
        );
        start += event.len();
    }
    for (place, character) in text.char_indices().filter(|(_, character)| character.len_utf8() > 1)
    {
        assert!(
            cuts.iter().any(|cut| place < *cut && *cut < place + character.len_utf8()),
            "{character} is whole"
        );
    }

    let joined = of("faults: [{chunks: join}]\n").await;
    assert_eq!((joined.len(), joined.concat()), (1, text.clone().into_bytes()));

    let seven = of("faults: [{chunks: {bytes: 7}}]\n").await;
    assert_eq!(seven.concat(), text.as_bytes());
    let (last, others) = seven.split_last().unwrap();
    assert!(others.iter().all(|chunk| chunk.len() == 7) && (1..=7).contains(&last.len()));
}
