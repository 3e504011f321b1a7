//! Streams: the order of the events, their exact bytes, and the same objects as in a poll.

use std::time::Duration;

use serde_json::{Value, json};

use crate::server::{Events, TestServer};

const RUN_BEGINS: [&str; 3] = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"];
const MESSAGE: [&str; 7] = [
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.completed",
    "thread.run.step.completed",
];
const RUN_ENDS: [&str; 2] = ["thread.run.completed", "done"];

fn names(parts: &[&[&'static str]]) -> Vec<&'static str> {
    parts.concat()
}

/// The data of every event with this name, as sent.
fn deltas(events: &Events, name: &str) -> Vec<String> {
    events.all(name).iter().map(|data| data["delta"].to_string()).collect()
}

#[tokio::test]
async fn a_message_streams_in_the_recorded_order_and_shape() {
    let server =
        TestServer::with_fixtures("replies: [{steps: [{message: 'Hello! I''m here.'}]}]").await;
    let assistant = server.assistant().await;
    let thread = server.thread("Hello").await;
    let runs = format!("/v1/threads/{thread}/runs");
    let answer = server.post(&runs, json!({"assistant_id": assistant, "stream": true})).await;
    assert_eq!(answer.headers["content-type"], "text/event-stream; charset=utf-8");
    assert!(answer.text.ends_with("\n\nevent: done\ndata: [DONE]\n\n"));
    let events = Events::parse(&answer.text);
    assert_eq!(events.names(), names(&[&RUN_BEGINS, &MESSAGE, &RUN_ENDS]));
    assert_eq!(
        deltas(&events, "thread.message.delta"),
        [
            r#"{"content":[{"index":0,"type":"text","text":{"value":"Hello","annotations":[]}}]}"#,
            r#"{"content":[{"index":0,"type":"text","text":{"value":"!"}}]}"#,
            r#"{"content":[{"index":0,"type":"text","text":{"value":" I'm"}}]}"#,
            r#"{"content":[{"index":0,"type":"text","text":{"value":" here"}}]}"#,
            r#"{"content":[{"index":0,"type":"text","text":{"value":"."}}]}"#,
        ]
    );
    let created = events.last("thread.message.created");
    assert_eq!((&created["status"], &created["content"]), (&json!("in_progress"), &json!([])));
    let run = events.last("thread.run.created");
    assert_eq!(
        run["tool_resources"].to_string(),
        r#"{"code_interpreter":{"file_ids":[]}}"#,
        "as streams show it"
    );

    // The streamed objects are the stored ones.
    let completed = events.last("thread.run.completed");
    let mut polled =
        server.get(&format!("{runs}/{}", completed["id"].as_str().unwrap())).await.body;
    assert_eq!(polled["tool_resources"], json!({}), "and as REST shows it");
    polled["tool_resources"] = completed["tool_resources"].clone();
    assert_eq!(&polled, completed);
    let message = events.last("thread.message.completed");
    let stored = server
        .get(&format!("/v1/threads/{thread}/messages/{}", message["id"].as_str().unwrap()))
        .await
        .body;
    assert_eq!(stored["content"], message["content"]);
    let step = events.last("thread.run.step.completed");
    assert!(step["expires_at"].is_number(), "the stream's last word of a step still has it");
}

#[tokio::test]
async fn the_same_ids_and_objects_are_made_whether_polled_or_streamed() {
    let order = |assistant: String| {
        json!({"assistant_id": assistant,
        "thread": {"messages": [{"role": "user", "content": "3x + 11 = 14"}]}})
    };
    let polling = TestServer::start().await;
    let run = polling.post("/v1/threads/runs", order(polling.assistant().await)).await.body;
    polling.idle().await;
    let streaming = TestServer::start().await;
    let mut body = order(streaming.assistant().await);
    body["stream"] = json!(true);
    let events = streaming.stream("/v1/threads/runs", body).await;
    assert_eq!(events.0[0].0, "thread.created");
    let (thread, run) = (run["thread_id"].as_str().unwrap(), run["id"].as_str().unwrap());
    for path in
        [format!("runs/{run}"), format!("runs/{run}/steps"), "messages".to_owned(), String::new()]
    {
        let path = format!("/v1/threads/{thread}/{path}");
        let path = path.trim_end_matches('/');
        assert_eq!(polling.get(path).await.text, streaming.get(path).await.text);
    }
}

#[tokio::test]
async fn a_function_call_ends_the_stream_and_its_outputs_start_the_next() {
    let fixtures = r#"
replies:
  - steps:
      - tool_calls: [{function: {name: getWeather, arguments: {city: Paris}}}, {function: {name: getNews}}]
      - message: "{{ outputs.getWeather }}"
"#;
    let server = TestServer::with_fixtures(fixtures).await;
    let runs = format!("/v1/threads/{}/runs", server.thread("Hello").await);
    let events = server
        .stream(&runs, json!({"assistant_id": server.assistant().await, "stream": true}))
        .await;
    let call = [
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.run.step.delta",
        "thread.run.requires_action",
        "done",
    ];
    assert_eq!(events.names(), names(&[&RUN_BEGINS, &call]));
    assert_eq!(
        events.last("thread.run.step.created")["step_details"].to_string(),
        r#"{"type":"tool_calls","tool_calls":[]}"#
    );
    let waiting = events.last("thread.run.requires_action");
    let ids: Vec<&str> = waiting["required_action"]["submit_tool_outputs"]["tool_calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| call["id"].as_str().unwrap())
        .collect();
    let got = deltas(&events, "thread.run.step.delta");
    assert_eq!(
        got[0],
        format!(
            r#"{{"step_details":{{"type":"tool_calls","tool_calls":[{{"index":0,"id":"{}","type":"function","function":{{"name":"getWeather","arguments":"","output":null}}}}]}}}}"#,
            ids[0]
        )
    );
    assert!(
        got.iter().any(|delta| delta
            .contains(r#"{"index":0,"type":"function","function":{"arguments":"city"}}"#)),
        "in pieces: {got:?}"
    );
    assert!(
        got.last()
            .unwrap()
            .contains(r#"{"index":1,"type":"function","function":{"arguments":"{}"}}"#)
    );

    let run = format!("{runs}/{}", waiting["id"].as_str().unwrap());
    let outputs: Vec<Value> =
        ids.iter().map(|id| json!({"tool_call_id": id, "output": "sunny"})).collect();
    let events = server
        .stream(
            &format!("{run}/submit_tool_outputs"),
            json!({"tool_outputs": outputs, "stream": true}),
        )
        .await;
    let begins = ["thread.run.step.completed", "thread.run.queued", "thread.run.in_progress"];
    assert_eq!(events.names(), names(&[&begins, &MESSAGE, &RUN_ENDS]));
    assert_eq!(events.0[0].1["step_details"]["tool_calls"][0]["function"]["output"], "sunny");
}

#[tokio::test]
async fn code_interpreter_calls_stream_as_recorded() {
    let fixtures = r#"
replies:
  - steps:
      - tool_calls: [{code_interpreter: {input: "print(1)", outputs: [{logs: "1"}]}}]
      - message: Done
"#;
    let server = TestServer::with_fixtures(fixtures).await;
    let runs = format!("/v1/threads/{}/runs", server.thread("Hello").await);
    let events = server
        .stream(&runs, json!({"assistant_id": server.assistant().await, "stream": true}))
        .await;
    let call = [
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.run.step.delta",
        "thread.run.step.completed",
    ];
    assert_eq!(events.names(), names(&[&RUN_BEGINS, &call, &MESSAGE, &RUN_ENDS]));
    let got = deltas(&events, "thread.run.step.delta");
    assert!(
        got[0].contains(
            r#""type":"code_interpreter","code_interpreter":{"input":"","outputs":[]}}]"#
        ),
        "{}",
        got[0]
    );
    assert!(
        got[1].contains(
            r#"{"index":0,"type":"code_interpreter","code_interpreter":{"input":"print"}}"#
        ),
        "{}",
        got[1]
    );
    let logs = r#"{"index":0,"type":"code_interpreter","code_interpreter":{"outputs":[{"index":0,"type":"logs","logs":"1"}]}}"#;
    assert!(got.last().unwrap().contains(logs), "{got:?}");
}

#[tokio::test]
async fn every_end_of_a_run_closes_what_is_open_first() {
    let cases = [
        ("{outcome: failed}", json!({}), vec!["thread.run.failed", "done"]),
        (
            "{steps: [{message: one two three four five six seven eight nine ten eleven twelve \
             thirteen fourteen fifteen sixteen seventeen}]}",
            json!({"max_completion_tokens": 16}),
            vec![
                "thread.message.incomplete",
                "thread.run.step.completed",
                "thread.run.incomplete",
                "done",
            ],
        ),
        ("{outcome: expired}", json!({}), vec!["thread.run.expired", "done"]),
        (
            "{steps: [{message: cut off}], outcome: {incomplete: max_completion_tokens}}",
            json!({}),
            vec![
                "thread.message.incomplete",
                "thread.run.step.completed",
                "thread.run.incomplete",
                "done",
            ],
        ),
    ];
    for (reply, more, ends) in cases {
        let server = TestServer::with_fixtures(&format!("replies: [{reply}]")).await;
        let runs = format!("/v1/threads/{}/runs", server.thread("Hello").await);
        let mut order = json!({"assistant_id": server.assistant().await, "stream": true});
        order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let events = server.stream(&runs, order).await;
        let names = events.names();
        assert_eq!(names[names.len() - ends.len()..], ends);
    }
}

#[tokio::test]
async fn a_cancel_from_elsewhere_ends_the_stream() {
    let server = TestServer::with_fixtures(
        "replies: [{pace: {per_token: 1h}, steps: [{message: one two}]}]",
    )
    .await;
    let thread = server.thread("Hello").await;
    let runs = format!("/v1/threads/{thread}/runs");
    let assistant = server.assistant().await;
    let cancel = async {
        // The first piece is sent. The second comes an hour later.
        let run = loop {
            server.idle().await;
            let list = server.get(&runs).await.body;
            if list["data"][0]["status"] == "in_progress" {
                break list["data"][0]["id"].as_str().unwrap().to_owned();
            }
        };
        server.post(&format!("{runs}/{run}/cancel"), json!({})).await
    };
    let (events, cancelling) = tokio::join!(
        server.stream(&runs, json!({"assistant_id": assistant, "stream": true})),
        cancel
    );
    assert_eq!(cancelling.body["status"], "cancelling");
    let names = events.names();
    let ends = [
        "thread.message.delta",
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
        "done",
    ];
    assert_eq!(names[names.len() - ends.len()..], ends);
    assert_eq!(
        events.last("thread.message.incomplete")["incomplete_details"],
        json!({"reason": "run_cancelled"})
    );
    assert_eq!(
        server.said(&format!("/v1/threads/{thread}")).await[1],
        "one",
        "what was said stays"
    );
}

#[tokio::test]
async fn an_expiry_ends_the_stream() {
    let server = TestServer::with_fixtures(
        "replies: [{pace: {per_token: 1h}, steps: [{message: one two}]}]",
    )
    .await;
    let runs = format!("/v1/threads/{}/runs", server.thread("Hello").await);
    let assistant = server.assistant().await;
    let expire = async {
        while server.get(&runs).await.body["data"][0]["status"] != "in_progress" {}
        server.advance(Duration::from_secs(600)).await;
    };
    let (events, ()) = tokio::join!(
        server.stream(&runs, json!({"assistant_id": assistant, "stream": true})),
        expire
    );
    let names = events.names();
    let ends =
        ["thread.message.incomplete", "thread.run.step.expired", "thread.run.expired", "done"];
    assert_eq!(names[names.len() - ends.len()..], ends);
}

#[tokio::test]
async fn deleting_the_thread_ends_the_stream() {
    let server = TestServer::with_fixtures(
        "replies: [{pace: {per_token: 1h}, steps: [{message: one two}]}]",
    )
    .await;
    let thread = format!("/v1/threads/{}", server.thread("Hello").await);
    let runs = format!("{thread}/runs");
    let assistant = server.assistant().await;
    let delete = async {
        while server.get(&runs).await.body["data"][0]["status"] != "in_progress" {}
        server.delete(&thread).await
    };
    let (events, deleted) = tokio::join!(
        server.stream(&runs, json!({"assistant_id": assistant, "stream": true})),
        delete
    );
    assert_eq!(deleted.status.as_u16(), 200);
    let names = events.names();
    assert_eq!(names[names.len() - 2..], ["thread.run.cancelled", "done"]);
}

#[tokio::test]
async fn a_run_goes_on_when_its_listener_hangs_up() {
    let server =
        TestServer::with_fixtures("replies: [{steps: [{pause: 5s}, {message: Still here}]}]").await;
    let thread = server.thread("Hello").await;
    let runs = format!("/v1/threads/{thread}/runs");
    let order = json!({"assistant_id": server.assistant().await, "stream": true});
    let response = server.request(reqwest::Method::POST, &runs).json(&order).send().await.unwrap();
    drop(response);
    server.advance(Duration::from_secs(5)).await;
    assert_eq!(server.get(&runs).await.body["data"][0]["status"], "completed");
    assert_eq!(server.said(&format!("/v1/threads/{thread}")).await[1], "Still here");
}

#[tokio::test]
async fn what_is_refused_is_refused_before_the_stream_begins() {
    let server = TestServer::start().await;
    let answer = server
        .post("/v1/threads/runs", json!({"assistant_id": "asst_nobody", "stream": true}))
        .await;
    assert_eq!(answer.refusal(), "404 No assistant found with id 'asst_nobody'. [null null]");
    assert_eq!(answer.headers["content-type"], "application/json");
}
