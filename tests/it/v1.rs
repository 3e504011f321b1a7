//! The first version of the beta: the same data in its own shapes.

use futures_util::StreamExt;
use rehearsal::Config;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Answer, Events, TestServer, config};

/// A client for v1.
pub struct V1<'s>(pub &'s TestServer);

impl V1<'_> {
    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request =
            self.0.bare(method, path).bearer_auth("sk-test").header("openai-beta", "assistants=v1");
        self.0
            .send(match body {
                Some(body) => request.json(&body),
                None => request,
            })
            .await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

fn ids(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

const POLICY: &str = "Refunds are paid within 14 days of the return. Shipping is free.";

const RETRIEVES: &str = r#"
replies:
  - name: answers
    steps:
      - tool_calls: [{file_search: {}}]
      - message: {text: "{{ results[0].passage }}", citations: auto}
"#;

#[tokio::test]
async fn objects_have_the_shapes_of_april_2024() {
    let server = TestServer::start().await;
    let v1 = V1(&server);
    let function = json!({"type": "function", "function": {"name": "f", "description": "Says f."}});
    let assistant = v1
        .post(
            "/v1/assistants",
            json!({"model": "gpt-4", "tools": [{"type": "retrieval"}, function]}),
        )
        .await;
    let expected = "id object created_at name description model instructions tools top_p \
                    temperature file_ids metadata response_format";
    assert_eq!(keys(&assistant.body).join(" "), expected);
    assert_eq!(assistant.body["tools"][0], json!({"type": "retrieval"}));
    assert_eq!(
        keys(&assistant.body["tools"][1]["function"]),
        ["name", "description", "parameters"]
    );
    let thread = v1.post("/v1/threads", json!({})).await;
    assert_eq!(keys(&thread.body), ["id", "object", "created_at", "metadata"]);
    let messages = format!("/v1/threads/{}/messages", thread.id());
    let message = v1.post(&messages, json!({"role": "user", "content": "Hello"})).await;
    let expected =
        "id object created_at assistant_id thread_id run_id role content file_ids metadata";
    assert_eq!(keys(&message.body).join(" "), expected);
    let runs = format!("/v1/threads/{}/runs", thread.id());
    let run = v1.post(&runs, json!({"assistant_id": assistant.id()})).await;
    assert_eq!(
        keys(&run.body).join(" "),
        "id object created_at assistant_id thread_id status started_at expires_at cancelled_at \
         failed_at completed_at required_action last_error model instructions tools file_ids \
         metadata temperature top_p max_completion_tokens max_prompt_tokens truncation_strategy \
         incomplete_details usage response_format tool_choice"
    );
    server.idle().await;
    let run = v1.get(&format!("{runs}/{}", run.id())).await;
    assert_eq!(keys(&run.body["usage"]), ["prompt_tokens", "completion_tokens", "total_tokens"]);
    let steps = v1.get(&format!("{runs}/{}/steps", run.id())).await;
    assert_eq!(
        keys(&steps.body["data"][0]["usage"]),
        ["prompt_tokens", "completion_tokens", "total_tokens"]
    );
}

#[tokio::test]
async fn retrieval_searches_the_files_of_assistant_and_messages_and_quotes_them() {
    let server = TestServer::with_fixtures(RETRIEVES).await;
    let v1 = V1(&server);
    let file = server.document("policy.txt", POLICY).await;
    let assistant = json!({"model": "gpt-4", "tools": [{"type": "retrieval"}], "file_ids": [file]});
    let assistant = v1.post("/v1/assistants", assistant).await;
    assert_eq!(assistant.body["file_ids"], json!([file]));
    let thread = v1
        .post(
            "/v1/threads",
            json!({"messages": [{"role": "user", "content": "How fast are refunds paid?"}]}),
        )
        .await
        .id();
    let runs = format!("/v1/threads/{thread}/runs");
    let run = v1.post(&runs, json!({"assistant_id": assistant.id()})).await;
    assert_eq!(run.body["file_ids"], json!([file]));
    server.idle().await;
    let messages = v1.get(&format!("/v1/threads/{thread}/messages")).await;
    let text = &messages.body["data"][0]["content"][0]["text"];
    let expected = "Refunds are paid within 14 days of the return【0†source】.";
    assert_eq!(text["value"], expected);
    let citation = &text["annotations"][0];
    assert_eq!(citation["text"], "【0†source】");
    assert_eq!(citation["file_citation"]["file_id"], json!(file));
    assert_eq!(citation["file_citation"]["quote"], "Refunds are paid within 14 days of the return");
    let steps = v1.get(&format!("{runs}/{}/steps?order=asc", run.id())).await;
    let call = &steps.body["data"][0]["step_details"]["tool_calls"][0];
    assert_eq!((keys(call), &call["retrieval"]), (vec!["id", "type", "retrieval"], &json!({})));

    // A search also covers the file of a message, if the assistant has none.
    let bare = v1
        .post("/v1/assistants", json!({"model": "gpt-4", "tools": [{"type": "retrieval"}]}))
        .await
        .id();
    let message =
        json!({"role": "user", "content": "How fast are refunds paid?", "file_ids": [file]});
    let thread = v1.post("/v1/threads", json!({"messages": [message]})).await.id();
    v1.post(&format!("/v1/threads/{thread}/runs"), json!({"assistant_id": bare})).await;
    server.idle().await;
    let messages = v1.get(&format!("/v1/threads/{thread}/messages")).await;
    assert!(
        messages.body["data"][0]["content"][0]["text"]["value"]
            .as_str()
            .unwrap()
            .starts_with("Refunds"),
        "{}",
        messages.text
    );
}

/// A file, an assistant that retrieves from it, and the body of a thread with a question about it.
async fn retrieving(v1: &V1<'_>) -> (String, String, Value) {
    let file = v1.0.document("policy.txt", POLICY).await;
    let assistant = json!({"model": "gpt-4", "tools": [{"type": "retrieval"}], "file_ids": [file]});
    let assistant = v1.post("/v1/assistants", assistant).await.id();
    (
        file,
        assistant,
        json!({"messages": [{"role": "user", "content": "How fast are refunds paid?"}]}),
    )
}

#[tokio::test]
async fn streams_of_v1_tell_retrieval_and_file_ids() {
    let server = TestServer::with_fixtures(RETRIEVES).await;
    let v1 = V1(&server);
    let (file, assistant, thread) = retrieving(&v1).await;
    let answer = v1
        .post(
            "/v1/threads/runs",
            json!({"assistant_id": assistant, "thread": thread, "stream": true}),
        )
        .await;
    let events = Events::parse(&answer.text);
    assert_eq!(keys(events.last("thread.created")), ["id", "object", "created_at", "metadata"]);
    assert_eq!(events.last("thread.run.completed")["file_ids"], json!([file]));
    let delta = events.all("thread.run.step.delta")[0];
    let call = &delta["delta"]["step_details"]["tool_calls"][0];
    assert_eq!(
        (keys(call), &call["type"]),
        (vec!["index", "id", "type", "retrieval"], &json!("retrieval"))
    );
    let message = events.last("thread.message.completed");
    assert_eq!((&message["file_ids"], message.get("attachments")), (&json!([]), None));
    let cited = events
        .all("thread.message.delta")
        .into_iter()
        .find(|delta| delta.to_string().contains("file_citation"))
        .unwrap();
    let citation = &cited["delta"]["content"][0]["text"]["annotations"][0];
    assert_eq!(citation["file_citation"]["quote"], "Refunds are paid within 14 days of the return");
}

#[tokio::test]
async fn the_files_of_an_assistant_come_and_go() {
    let server = TestServer::start().await;
    let v1 = V1(&server);
    let mut files = Vec::new();
    for name in ["a.txt", "b.txt", "c.txt"] {
        files.push(server.document(name, POLICY).await);
    }
    let tools = json!([{"type": "retrieval"}, {"type": "code_interpreter"}]);
    let assistant = v1
        .post("/v1/assistants", json!({"model": "gpt-4", "tools": tools, "file_ids": [files[0]]}))
        .await
        .id();
    let path = format!("/v1/assistants/{assistant}/files");
    let added = v1.post(&path, json!({"file_id": files[1]})).await;
    assert_eq!(keys(&added.body), ["id", "object", "created_at", "assistant_id"]);
    assert_eq!(
        (&added.body["object"], &added.body["id"]),
        (&json!("assistant.file"), &json!(files[1]))
    );
    v1.post(&path, json!({"file_id": files[2]})).await;
    v1.post(&path, json!({"file_id": files[2]})).await;

    // Under v2, its tools have the files.
    let seen = server.get(&format!("/v1/assistants/{assistant}")).await.body;
    assert_eq!(seen["tool_resources"]["code_interpreter"]["file_ids"], json!(files));
    assert_eq!((seen.get("file_ids"), seen.get("v1_files")), (None, None));
    let store =
        seen["tool_resources"]["file_search"]["vector_store_ids"][0].as_str().unwrap().to_owned();
    server.idle().await;
    let stored = server.get(&format!("/v1/vector_stores/{store}/files?order=asc")).await;
    assert_eq!(ids(&stored.body), files);

    // Pages in both directions.
    let page = v1.get(&format!("{path}?limit=2&order=asc")).await.body;
    assert_eq!((ids(&page), &page["has_more"]), (vec![files[0].as_str(), &files[1]], &json!(true)));
    let next = v1.get(&format!("{path}?limit=2&order=asc&after={}", files[1])).await.body;
    assert_eq!((ids(&next), &next["has_more"]), (vec![files[2].as_str()], &json!(false)));
    let before = v1.get(&format!("{path}?limit=1&before={}", files[0])).await.body;
    assert_eq!((ids(&before), &before["has_more"]), (vec![files[1].as_str()], &json!(true)));
    assert_eq!(v1.get(&format!("{path}?after=file-nobody")).await.status, StatusCode::NOT_FOUND);

    let taken = v1.delete(&format!("{path}/{}", files[1])).await;
    assert_eq!(
        taken.body,
        json!({"id": files[1], "object": "assistant.file.deleted", "deleted": true})
    );
    let missing = format!("404 No assistant file found with id '{}'. [null null]", files[1]);
    assert_eq!(v1.get(&format!("{path}/{}", files[1])).await.refusal(), missing);
    assert_eq!(v1.delete(&format!("{path}/{}", files[1])).await.refusal(), missing);
    let stored = server.get(&format!("/v1/vector_stores/{store}/files?order=asc")).await;
    assert_eq!(ids(&stored.body), [files[0].as_str(), &files[2]]);

    // A deleted file disappears everywhere.
    server.delete(&format!("/v1/files/{}", files[0])).await;
    assert_eq!(
        v1.get(&format!("/v1/assistants/{assistant}")).await.body["file_ids"],
        json!([files[2]])
    );
    assert_eq!(ids(&v1.get(&path).await.body), [files[2].as_str()]);

    // A modify replaces them, and other tools use them differently.
    let changed =
        v1.post(&format!("/v1/assistants/{assistant}"), json!({"tools": [], "file_ids": []})).await;
    assert_eq!(changed.body["file_ids"], json!([]));
    let seen = server.get(&format!("/v1/assistants/{assistant}")).await.body;
    assert_eq!(seen["tool_resources"]["code_interpreter"]["file_ids"], json!([]));
    assert_eq!(
        v1.post(&path, json!({"file_id": "file-nobody"})).await.status,
        StatusCode::NOT_FOUND
    );
    let many: Vec<_> = (0..21).map(|number| format!("file-{number}")).collect();
    assert_eq!(
        v1.post("/v1/assistants", json!({"model": "gpt-4", "file_ids": many})).await.refusal(),
        "400 Invalid 'file_ids': array too long. Expected an array with maximum length 20, but got \
         an array with length 21 instead. [\"file_ids\" \"array_above_max_length\"]"
    );
}

#[tokio::test]
async fn events_tell_objects_as_v2_shows_them() {
    let server = TestServer::with_fixtures(RETRIEVES).await;
    let v1 = V1(&server);
    let (_, assistant, thread) = retrieving(&v1).await;
    let run =
        v1.post("/v1/threads/runs", json!({"assistant_id": assistant, "thread": thread})).await;
    server.idle().await;
    let messages = format!("/v1/threads/{}/messages", run.body["thread_id"].as_str().unwrap());
    let answer = v1.get(&messages).await;
    assert!(answer.text.contains("\"quote\": \"Refunds"), "{}", answer.text);

    let response = server.request(Method::GET, "/_rehearsal/events").send().await.unwrap();
    let id = answer.body["data"][0]["id"].as_str().unwrap();
    v1.post(&format!("{messages}/{id}"), json!({"metadata": {"k": "v"}})).await;
    v1.post(&format!("{messages}/../runs/{}", run.id()), json!({"metadata": {"k": "v"}})).await;
    v1.post(&format!("/v1/assistants/{assistant}"), json!({"name": "Other"})).await;
    let (mut stream, mut text) = (response.bytes_stream(), String::new());
    while !text.contains("event: assistant.updated") || !text.ends_with("\n\n") {
        text += std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap();
    }
    assert!(
        text.contains("event: thread.message.updated")
            && text.contains("event: thread.run.updated"),
        "{text}"
    );
    for hidden in ["quote", "v1_files", "v1_store", "\"version\"", "retrieval"] {
        let told = text.lines().filter(|line| !line.contains("\"object\":\"request\""));
        assert!(!told.collect::<String>().contains(hidden), "{hidden}: {text}");
    }
}

#[tokio::test]
async fn v1_leaves_alone_what_v2_gave() {
    let server = TestServer::start().await;
    let v1 = V1(&server);
    let mut files = Vec::new();
    for name in ["a.txt", "b.txt", "c.txt"] {
        files.push(server.document(name, POLICY).await);
    }
    let store = server.store(&[&files[0]]).await;
    let resources = json!({"code_interpreter": {"file_ids": [files[0]]},
        "file_search": {"vector_store_ids": [store]}});
    let tools = json!([{"type": "file_search"}, {"type": "code_interpreter"}]);
    let assistant = json!({"model": "gpt-4o", "tools": tools, "tool_resources": resources});
    let path = format!("/v1/assistants/{}", server.post("/v1/assistants", assistant).await.id());

    // A change of another field does not affect them, even if a file is deleted.
    server.delete(&format!("/v1/files/{}", files[2])).await;
    assert_eq!(v1.post(&path, json!({"name": "Other"})).await.status, StatusCode::OK);
    assert_eq!(server.get(&path).await.body["tool_resources"], resources);

    // A v1 file goes to a store for v1. v2 does not show this store while the assistant has one of
    // its own.
    assert_eq!(
        v1.post(&format!("{path}/files"), json!({"file_id": files[1]})).await.status,
        StatusCode::OK
    );
    let seen = server.get(&path).await.body;
    assert_eq!(seen["tool_resources"]["file_search"]["vector_store_ids"], json!([store]));
    assert_eq!(seen["tool_resources"]["code_interpreter"]["file_ids"], json!([files[0], files[1]]));
    assert_eq!(seen.get("v1_store"), None);
    assert_eq!(
        ids(&server.get(&format!("/v1/vector_stores/{store}/files")).await.body),
        [files[0].as_str()]
    );
    assert_eq!(v1.get(&path).await.body["file_ids"], json!([files[1], files[0]]));
    server.delete(&format!("/v1/vector_stores/{store}/files/{}", files[0])).await;
    assert_eq!(v1.delete(&format!("{path}/files/{}", files[0])).await.status, StatusCode::OK);
    assert_eq!(
        server.get(&path).await.body["tool_resources"]["code_interpreter"]["file_ids"],
        json!([files[1]])
    );

    // If v2 empties its list, the store of v1 becomes visible.
    let none = json!({"tool_resources": {"file_search": {"vector_store_ids": []}}});
    let stores =
        server.post(&path, none).await.body["tool_resources"]["file_search"]["vector_store_ids"]
            .clone();
    server.idle().await;
    let stored =
        server.get(&format!("/v1/vector_stores/{}/files", stores[0].as_str().unwrap())).await;
    assert_eq!(ids(&stored.body), [files[1].as_str()]);
    let emptied = v1.post(&path, json!({"file_ids": []})).await;
    assert_eq!(emptied.body["file_ids"], json!([]));
    assert_eq!(
        server.get(&path).await.body["tool_resources"]["code_interpreter"]["file_ids"],
        json!([])
    );
}

#[tokio::test]
async fn v1_takes_files_away_where_v2_gave_as_many_as_there_may_be() {
    let server = TestServer::start().await;
    let v1 = V1(&server);
    let mut files = Vec::new();
    for number in 0..20 {
        files.push(server.document(&format!("{number}.txt"), POLICY).await);
    }
    let another = server.document("another.txt", POLICY).await;
    let resources = json!({"code_interpreter": {"file_ids": files}});
    let assistant = json!({"model": "gpt-4o", "tools": [{"type": "code_interpreter"}],
        "tool_resources": resources});
    let path = format!("/v1/assistants/{}", server.post("/v1/assistants", assistant).await.id());
    let one_more = v1.post(&format!("{path}/files"), json!({"file_id": another})).await;
    assert_eq!(one_more.status, StatusCode::BAD_REQUEST);
    assert_eq!(v1.delete(&format!("{path}/files/{}", files[3])).await.status, StatusCode::OK);
    assert_eq!(
        v1.post(&format!("{path}/files"), json!({"file_id": another})).await.status,
        StatusCode::OK
    );
    assert_eq!(
        v1.post(&path, json!({"file_ids": [another]})).await.body["file_ids"],
        json!([another])
    );
}

#[tokio::test]
async fn what_v1_attaches_to_a_thread_can_be_searched_for_ever() {
    let server = TestServer::start().await;
    let v1 = V1(&server);
    let file = server.document("policy.txt", POLICY).await;
    let message = json!({"role": "user", "content": "How fast?", "file_ids": [file]});
    let thread = v1.post("/v1/threads", json!({"messages": [message]})).await.id();
    let seen = server.get(&format!("/v1/threads/{thread}")).await.body;
    let store = seen["tool_resources"]["file_search"]["vector_store_ids"][0].as_str().unwrap();
    assert_eq!(
        server.get(&format!("/v1/vector_stores/{store}")).await.body["expires_after"],
        Value::Null
    );
}

#[tokio::test]
async fn the_tools_of_a_run_work_with_the_files_of_an_assistant_that_has_no_tools() {
    let server = TestServer::with_fixtures(RETRIEVES).await;
    let v1 = V1(&server);
    let file = server.document("policy.txt", POLICY).await;
    let assistant =
        v1.post("/v1/assistants", json!({"model": "gpt-4", "file_ids": [file]})).await.id();
    let thread = json!({"messages": [{"role": "user", "content": "How fast are refunds paid?"}]});
    let order =
        json!({"assistant_id": assistant, "thread": thread, "tools": [{"type": "retrieval"}]});
    let run = v1.post("/v1/threads/runs", order).await;
    server.idle().await;
    let thread = run.body["thread_id"].as_str().unwrap();
    let messages = v1.get(&format!("/v1/threads/{thread}/messages")).await;
    assert!(messages.text.contains("Refunds are paid"), "{}", messages.text);
    // The assistant itself still has no tools.
    assert_eq!(v1.get(&format!("/v1/assistants/{assistant}")).await.body["tools"], json!([]));
}

#[tokio::test]
async fn the_files_of_a_message_are_listed_and_seen_as_attachments() {
    let server = TestServer::start().await;
    let v1 = V1(&server);
    let (text, table) =
        (server.document("a.txt", POLICY).await, server.document("b.csv", "a,b\n1,2\n").await);
    let thread = v1.post("/v1/threads", json!({})).await.id();
    let messages = format!("/v1/threads/{thread}/messages");
    let message = v1
        .post(&messages, json!({"role": "user", "content": "Look.", "file_ids": [text, table]}))
        .await;
    assert_eq!(message.body["file_ids"], json!([text, table]));
    let files = v1.get(&format!("{messages}/{}/files?order=asc", message.id())).await;
    assert_eq!(ids(&files.body), [text.as_str(), &table]);
    let file = v1.get(&format!("{messages}/{}/files/{table}", message.id())).await;
    let (created_at, id) = (&message.body["created_at"], message.id());
    let expected = json!({"id": table, "object": "thread.message.file", "created_at": created_at,
        "message_id": id});
    assert_eq!(file.body, expected);
    assert_eq!(
        v1.get(&format!("{messages}/{}/files/file-nobody", message.id())).await.refusal(),
        "404 No message file found with id 'file-nobody'. [null null]"
    );
    let seen = server.get(&format!("{messages}/{}", message.id())).await.body;
    let both = json!([{"type": "file_search"}, {"type": "code_interpreter"}]);
    // A table is not searchable.
    let expected = json!([{"file_id": text, "tools": both},
        {"file_id": table, "tools": [{"type": "code_interpreter"}]}]);
    assert_eq!(seen["attachments"], expected);
    let modified =
        v1.post(&format!("{messages}/{}", message.id()), json!({"metadata": {"k": true}})).await;
    assert_eq!(
        (&modified.body["file_ids"], &modified.body["metadata"]),
        (&json!([text, table]), &json!({"k": "True"}))
    );
}

#[tokio::test]
async fn what_v2_made_is_read_through_v1() {
    let server = TestServer::start().await;
    let v1 = V1(&server);
    let file = server.document("a.txt", POLICY).await;
    let store = server.store(&[&file]).await;
    let assistant = json!({
        "model": "gpt-4o",
        "tools": [{"type": "file_search"}, {"type": "code_interpreter"}],
        "tool_resources": {"code_interpreter": {"file_ids": [file]},
            "file_search": {"vector_store_ids": [store]}},
    });
    let assistant = server.post("/v1/assistants", assistant).await.id();
    let seen = v1.get(&format!("/v1/assistants/{assistant}")).await.body;
    assert_eq!(seen["tools"], json!([{"type": "retrieval"}, {"type": "code_interpreter"}]));
    assert_eq!((&seen["file_ids"], seen.get("tool_resources")), (&json!([file]), None));
    let attachment = json!([{"file_id": file, "tools": [{"type": "file_search"}]}]);
    let message =
        json!({"role": "user", "content": "How fast are refunds paid?", "attachments": attachment});
    let thread = server.post("/v1/threads", json!({"messages": [message]})).await.id();
    let listed = v1.get(&format!("/v1/threads/{thread}/messages")).await.body;
    assert_eq!(listed["data"][0]["file_ids"], json!([file]));
    let choice = json!({"type": "file_search"});
    let order = json!({"assistant_id": assistant, "tool_choice": choice});
    let run = server.post(&format!("/v1/threads/{thread}/runs"), order).await.id();
    server.idle().await;
    let run = v1.get(&format!("/v1/threads/{thread}/runs/{run}")).await.body;
    assert_eq!(
        (&run["file_ids"], &run["tool_choice"]),
        (&json!([file]), &json!({"type": "retrieval"}))
    );
    let answer = v1.get(&format!("/v1/threads/{thread}/messages")).await.body;
    let citation = &answer["data"][0]["content"][0]["text"]["annotations"][0];
    // A run of v2 wrote it, so it has v2 marks. No quote was stored.
    assert_eq!(
        (&citation["text"], &citation["file_citation"]["quote"]),
        (&json!("【4:0†a.txt】"), &json!(""))
    );
}

#[tokio::test]
async fn each_version_refuses_what_only_the_other_has() {
    let server = TestServer::start().await;
    let v1 = V1(&server);
    let thread = server.thread("Hello").await;
    let (messages, runs) =
        (format!("/v1/threads/{thread}/messages"), format!("/v1/threads/{thread}/runs"));
    let unknown =
        |name: &str| format!("400 Unknown parameter: '{name}'. [\"{name}\" \"unknown_parameter\"]");
    for (path, body, refusal) in [
        (
            "/v1/assistants",
            json!({"model": "gpt-4", "tool_resources": {}}),
            unknown("tool_resources"),
        ),
        (
            "/v1/assistants",
            json!({"model": "gpt-4", "reasoning_effort": "low"}),
            unknown("reasoning_effort"),
        ),
        (
            "/v1/assistants",
            json!({"model": "gpt-4", "tools": [{"type": "file_search"}]}),
            "400 Invalid value: 'file_search'. Supported values are: 'code_interpreter', \
             'function', and 'retrieval'. [\"tools[0].type\" \"invalid_value\"]"
                .to_owned(),
        ),
        ("/v1/threads", json!({"tool_resources": {}}), unknown("tool_resources")),
        (
            &messages,
            json!({"role": "user", "content": "Hi", "attachments": []}),
            unknown("attachments"),
        ),
        (
            &messages,
            json!({"role": "assistant", "content": "Hi"}),
            "400 Invalid value: 'assistant'. Supported value is: 'user'. \
             [\"role\" \"invalid_value\"]"
                .to_owned(),
        ),
        (
            &messages,
            json!({"role": "user", "content": [{"type": "text", "text": "Hi"}]}),
            "400 Invalid type for 'content': expected a string, but got an array instead. \
             [\"content\" \"invalid_type\"]"
                .to_owned(),
        ),
        (
            &runs,
            json!({"assistant_id": "asst_x", "parallel_tool_calls": true}),
            unknown("parallel_tool_calls"),
        ),
    ] {
        assert_eq!(v1.post(path, body.clone()).await.refusal(), refusal, "{path} {body}");
    }
    for (path, body, refusal) in [
        ("/v1/assistants", json!({"model": "gpt-4", "file_ids": []}), unknown("file_ids")),
        (&messages, json!({"role": "user", "content": "Hi", "file_ids": []}), unknown("file_ids")),
        (
            "/v1/assistants",
            json!({"model": "gpt-4", "tools": [{"type": "retrieval"}]}),
            "400 Invalid value: 'retrieval'. Supported values are: 'code_interpreter', 'function', \
             and 'file_search'. [\"tools[0].type\" \"invalid_value\"]"
                .to_owned(),
        ),
        (
            "/v1/assistants/asst_x/files",
            json!({"file_id": "file-x"}),
            "404 Invalid URL (POST /v1/assistants/asst_x/files) [null null]".to_owned(),
        ),
    ] {
        assert_eq!(server.post(path, body.clone()).await.refusal(), refusal, "{path} {body}");
    }
    // No id is rejected because of its prefix.
    assert_eq!(
        v1.get("/v1/threads/asst_x").await.refusal(),
        "404 No thread found with id 'asst_x'. [null null]"
    );
    let order = json!({"assistant_id": "wrong"});
    assert_eq!(
        v1.post(&runs, order).await.refusal(),
        "404 No assistant found with id 'wrong'. [null null]"
    );
}

#[tokio::test]
async fn metadata_becomes_text_as_python_prints_it() {
    let server = TestServer::start().await;
    let metadata =
        json!({"a": true, "b": 1, "c": 1.5, "d": null, "e": ["x", {"y": false}], "f": "s"});
    let thread = V1(&server).post("/v1/threads", json!({ "metadata": metadata })).await;
    let expected = json!({"a": "True", "b": "1", "c": "1.5", "d": "None",
        "e": "['x', {'y': False}]", "f": "s"});
    assert_eq!(thread.body["metadata"], expected);
    let refused = server.post("/v1/threads", json!({"metadata": {"a": true}})).await;
    assert_eq!(
        refused.refusal(),
        "400 Invalid type for 'metadata.a': expected a string, but got a boolean instead. \
         [\"metadata.a\" \"invalid_type\"]"
    );
}

#[tokio::test]
async fn which_version_is_meant_is_said_by_the_header_alone() {
    let server = TestServer::start().await;
    let ask = async |betas: &[&str]| {
        let request = betas.iter().fold(server.bare(Method::POST, "/v1/threads"), |it, beta| {
            it.header("openai-beta", *beta)
        });
        server.send(request.bearer_auth("sk-test").json(&json!({}))).await
    };
    assert_eq!(keys(&ask(&["assistants=v1"]).await.body).len(), 4);
    assert_eq!(keys(&ask(&["assistants=v2"]).await.body).len(), 5);
    // Some clients always send the old value, too.
    assert_eq!(keys(&ask(&["assistants=v1,assistants=v2"]).await.body).len(), 5);
    assert_eq!(keys(&ask(&["assistants=v1", "assistants=v2"]).await.body).len(), 5);
    assert_eq!(keys(&ask(&["realtime=v1, assistants=v1"]).await.body).len(), 4);
    let refusals = [
        ask(&["assistants=v3"]).await.refusal(),
        ask(&["realtime=v1"]).await.refusal(),
        ask(&[]).await.refusal(),
    ];
    let none = "400 You must provide the 'OpenAI-Beta' header to access the Assistants API. Please \
                try again by setting the header 'OpenAI-Beta: assistants=v2'. \
                [null \"invalid_beta\"]";
    assert_eq!(
        refusals,
        [
            "400 Unknown beta requested: 'assistants=v3'. [null \"invalid_beta\"]",
            "400 Unknown beta requested: 'realtime'. [null \"invalid_beta\"]",
            none
        ]
    );
}

#[tokio::test]
async fn v1_can_be_refused_as_it_was_after_december_2024() {
    let server = TestServer::with(Config { refuse_v1: true, ..config() }).await;
    let v1 = V1(&server);
    let guide = "See the migration guide for more information: \
                 https://platform.openai.com/docs/assistants/migration. [null \"invalid_beta\"]";
    let deprecated = "400 The v1 Assistants API has been deprecated.";
    let again = "Please try again by setting the header 'OpenAI-Beta: assistants=v2'.";
    assert_eq!(
        v1.post("/v1/threads", json!({})).await.refusal(),
        format!("{deprecated} {again} {guide}")
    );
    assert_eq!(
        v1.get("/v1/assistants/asst_x/files").await.refusal(),
        format!("{deprecated} {guide}")
    );
    assert_eq!(server.post("/v1/threads", json!({})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn since_the_shutdown_there_is_nothing_at_the_paths_of_assistants() {
    let server = TestServer::with(Config { sunset: true, ..config() }).await;
    for gone in [
        server.post("/v1/assistants", json!({})).await,
        server.get("/v1/threads/thread_x/runs/run_x").await,
        V1(&server).post("/v1/threads", json!({})).await,
    ] {
        assert_eq!((gone.status, gone.text.as_str()), (StatusCode::NOT_FOUND, ""));
    }
    let no_key = server.send(server.bare(Method::GET, "/v1/assistants")).await;
    assert_eq!(no_key.status, StatusCode::UNAUTHORIZED);
    // APIs that others also use still work.
    let file = server.document("a.txt", POLICY).await;
    let store = server.store(&[&file]).await;
    assert_eq!(server.search(&store, json!("refunds")).await.len(), 1);
}

#[tokio::test]
async fn models_that_came_after_v1_are_refused_under_it() {
    let server = TestServer::start().await;
    let v1 = V1(&server);
    let refused = |model: &str| {
        format!(
            "400 The requested model '{model}' cannot be used with the Assistants API in v1. \
             Follow the migration guide to upgrade to v2: \
             https://platform.openai.com/docs/assistants/migration. \
             [\"model\" \"unsupported_model\"]"
        )
    };
    for model in ["gpt-4-turbo", "gpt-4-1106-preview", "gpt-3.5-turbo", "gpt-4", "my-own-model"] {
        assert_eq!(
            v1.post("/v1/assistants", json!({"model": model})).await.status,
            StatusCode::OK,
            "{model}"
        );
    }
    for model in
        ["gpt-4o", "gpt-4o-mini-2024-07-18", "gpt-4.1", "o1", "o3-mini", "ft:gpt-4o:acme::x"]
    {
        assert_eq!(
            v1.post("/v1/assistants", json!({"model": model})).await.refusal(),
            refused(model)
        );
    }
    let old = v1.post("/v1/assistants", json!({"model": "gpt-4"})).await.id();
    let thread =
        v1.post("/v1/threads", json!({"messages": [{"role": "user", "content": "Hi"}]})).await.id();
    let runs = format!("/v1/threads/{thread}/runs");
    assert_eq!(
        v1.post(&runs, json!({"assistant_id": old, "model": "gpt-4o"})).await.refusal(),
        refused("gpt-4o")
    );
    // Assistants of v2 with such models run only under v2.
    let new = server.assistant().await;
    assert_eq!(v1.post(&runs, json!({"assistant_id": new})).await.refusal(), refused("gpt-4o"));
    let order =
        json!({"assistant_id": new, "thread": {"messages": [{"role": "user", "content": "Hi"}]}});
    assert_eq!(v1.post("/v1/threads/runs", order).await.refusal(), refused("gpt-4o"));
    assert_eq!(v1.post(&runs, json!({"assistant_id": old})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_form_where_json_belongs_is_no_dict() {
    let server = TestServer::start().await;
    let v1 = V1(&server);
    let assistant = v1.post("/v1/assistants", json!({"model": "gpt-4"})).await.id();
    let form = reqwest::multipart::Form::new().text("file_id", "file-x");
    let request = server.bare(Method::POST, &format!("/v1/assistants/{assistant}/files"));
    let request =
        request.bearer_auth("sk-test").header("openai-beta", "assistants=v1").multipart(form);
    assert_eq!(
        server.send(request).await.refusal(),
        "400 1 validation error for Request\nbody\n  value is not a valid dict \
         (type=type_error.dict) [null null]"
    );
}
