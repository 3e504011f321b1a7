//! Responses and Conversations: state, chains, locks, streams and errors.

mod background;
mod bad_input;
mod both_apis;
mod client_calls;
mod compaction;
mod containers;
mod conversations;
mod faults;
mod matching;
mod properties;
mod upstream;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Answer, Events, TestServer};

const WEATHER: &str = r#"
replies:
  - name: weather
    when: {message: {contains: weather}}
    steps:
      - reasoning: {summary: "I look it up."}
      - tool_calls:
          - function: {name: look, arguments: {city: Oslo}}
          - function: {name: look, arguments: {city: Rome}}
      - message: "It is {{ outputs.look[0] }} and {{ outputs.look[1] }}."
  - name: second
    when: {turn: 2}
    steps: [{message: "The second: {{ message }}"}]
  - name: first
    steps: [{message: "You said {{ message }} — né"}]
"#;

async fn create(server: &TestServer, body: Value) -> Value {
    let answer = server.post("/v1/responses", body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.body
}

fn text(response: &Value) -> String {
    let items = response["output"].as_array().unwrap().iter();
    let messages = items.filter(|item| item["type"] == "message");
    messages.map(|item| item["content"][0]["text"].as_str().unwrap().to_owned()).collect()
}

fn calls(response: &Value) -> Vec<Value> {
    let items = response["output"].as_array().unwrap().iter();
    items.filter(|item| item["type"] == "function_call").cloned().collect()
}

/// Outputs for the calls of a response.
fn outputs(response: &Value, given: &[&str]) -> Vec<Value> {
    let outputs = calls(response).into_iter().zip(given).map(|(call, output)| {
        json!({"type": "function_call_output", "call_id": call["call_id"], "output": output})
    });
    outputs.collect()
}

fn ids(list: &Answer) -> Vec<String> {
    let items = list.body["data"].as_array().unwrap().iter();
    items.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_response_is_kept_until_it_is_deleted() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let answer = server.post("/v1/responses", json!({"model": "gpt-4o-mini", "input": "Hi"})).await;
    assert!(answer.text.is_ascii() && answer.text.contains("\\u2014 n\\u00e9"), "{}", answer.text);
    assert!(answer.text.starts_with("{\n  \"id\"") && answer.text.ends_with('}'));
    let response = answer.body;
    assert_eq!(text(&response), "You said Hi — né");
    assert_eq!(response["model"], "gpt-4o-mini-2024-07-18");
    assert_eq!(response["billing"], json!({"payer": "developer"}));
    let path = format!("/v1/responses/{}", response["id"].as_str().unwrap());
    assert_eq!(server.get(&path).await.body, response);
    let items = server.get(&format!("{path}/input_items")).await;
    assert_eq!(items.body["data"][0]["content"], json!([{"type": "input_text", "text": "Hi"}]));
    assert_eq!(
        items.body.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["object", "data", "first_id", "has_more", "last_id"]
    );
    let deleted = server.delete(&path).await.body;
    assert_eq!(
        deleted,
        json!({"id": response["id"], "object": "response.deleted", "deleted": true})
    );
    let gone = format!("404 Response with id '{}' not found. [null null]", &path[14..]);
    for answer in [
        server.get(&path).await,
        server.delete(&path).await,
        server.get(&format!("{path}/input_items")).await,
        server.post(&format!("{path}/cancel"), json!({})).await,
    ] {
        assert_eq!(answer.refusal(), gone);
    }
}

#[tokio::test]
async fn what_is_not_stored_cannot_be_asked_for_again() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let asked = json!({"model": "gpt-5", "input": "The weather?", "store": false});
    let response = create(&server, asked).await;
    let id = response["id"].as_str().unwrap();
    assert_eq!(&id[21..23], "01", "{id}");
    assert_eq!(server.get(&format!("/v1/responses/{id}")).await.status, StatusCode::NOT_FOUND);
    assert!(response["output"][0]["encrypted_content"].as_str().unwrap().starts_with("gAAAAA"));
    let chained = json!({"model": "gpt-5", "input": "x", "previous_response_id": id});
    assert_eq!(
        server.post("/v1/responses", chained).await.refusal(),
        format!(
            "400 Previous response with id '{id}' not found. [\"previous_response_id\" \
             \"previous_response_not_found\"]"
        )
    );
    let named = json!({"model": "gpt-5", "input": [
        {"type": "item_reference", "id": response["output"][0]["id"]}]});
    let refusal = server.post("/v1/responses", named).await.refusal();
    assert!(refusal.starts_with("404 Item with id 'rs_"), "{refusal}");
    let kept = create(&server, json!({"model": "gpt-5", "input": "The weather?"})).await;
    assert_eq!(&kept["id"].as_str().unwrap()[21..23], "00");
    assert!(kept["output"][0].get("encrypted_content").is_none());
    let asked = json!({"model": "gpt-5", "input": "The weather?",
        "include": ["reasoning.encrypted_content"]});
    assert!(create(&server, asked).await["output"][0]["encrypted_content"].is_string());
}

#[tokio::test]
async fn a_chain_passes_on_its_items_and_nothing_else() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let first = create(
        &server,
        json!({"model": "gpt-4o", "input": "One", "instructions": "Be brief.", "metadata": {"a": "b"},
            "tools": [{"type": "function", "name": "look"}]}),
    )
    .await;
    let second = create(
        &server,
        json!({"model": "gpt-4o", "input": "Two", "previous_response_id": first["id"]}),
    )
    .await;
    assert_eq!(text(&second), "The second: Two");
    assert_eq!(second["previous_response_id"], first["id"]);
    for (key, none) in
        [("instructions", Value::Null), ("tools", json!([])), ("metadata", json!({}))]
    {
        assert_eq!(second[key], none, "{key}");
    }
    let chain = |response: &Value| response["id"].as_str().unwrap()[5..21].to_owned();
    assert_eq!(chain(&first), chain(&second));
    assert_eq!(&second["output"][0]["id"].as_str().unwrap()[4..20], chain(&first));
    let turns = server.get("/_rehearsal/turns").await.body;
    let heard = turns["data"][1]["asked"]["messages"].as_array().unwrap().iter();
    let heard: Vec<_> = heard.map(|message| message["content"].as_str().unwrap()).collect();
    assert_eq!(heard, ["One", "You said One — né", "Two"]);

    let list = format!("/v1/responses/{}/input_items", second["id"].as_str().unwrap());
    let all = ids(&server.get(&list).await);
    assert_eq!(all[1], first["output"][0]["id"]);
    assert_eq!(all.len(), 3);
    let mut ascending = ids(&server.get(&format!("{list}?order=asc")).await);
    ascending.reverse();
    assert_eq!(ascending, all);
    for order in ["asc", "desc"] {
        let (mut paged, mut after) = (Vec::new(), String::new());
        loop {
            let page = server.get(&format!("{list}?limit=1&order={order}{after}")).await;
            paged.extend(ids(&page));
            if page.body["has_more"] == false {
                break;
            }
            after = format!("&after={}", page.body["last_id"].as_str().unwrap());
        }
        if order == "asc" {
            paged.reverse();
        }
        assert_eq!(paged, all, "{order}");
    }
    let unknown = server.get(&format!("{list}?after=msg_none")).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND, "{}", unknown.text);

    // The chain skips a deleted response, and keeps the responses after it.
    server.delete(&format!("/v1/responses/{}", first["id"].as_str().unwrap())).await;
    assert_eq!(ids(&server.get(&list).await).len(), 1);
    let third = json!({"model": "gpt-4o", "input": "x", "previous_response_id": second["id"]});
    assert_eq!(create(&server, third).await["status"], "completed");
    let gone = json!({"model": "gpt-4o", "input": "x", "previous_response_id": first["id"]});
    assert_eq!(server.post("/v1/responses", gone).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_reply_goes_on_however_the_outputs_come() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let asked = json!({"type": "message", "role": "user", "content": "The weather?"});
    let done = "It is cold and warm.";

    let first = create(&server, json!({"model": "gpt-5", "input": "The weather?"})).await;
    assert_eq!(first["status"], "completed");
    assert_eq!(calls(&first).len(), 2);
    let chained = json!({"model": "gpt-5", "previous_response_id": first["id"],
        "input": outputs(&first, &["cold", "warm"])});
    assert_eq!(text(&create(&server, chained.clone()).await), done);
    // A second time, from the same state.
    assert_eq!(text(&create(&server, chained).await), done);

    let unstored =
        create(&server, json!({"model": "gpt-5", "input": [asked], "store": false})).await;
    let mut list = vec![asked.clone()];
    list.extend(unstored["output"].as_array().unwrap().clone());
    list.extend(outputs(&unstored, &["cold", "warm"]).into_iter().rev());
    let whole = json!({"model": "gpt-5", "input": list, "store": false});
    let answer = create(&server, whole).await;
    assert_eq!(text(&answer), done);
    // Another question in the same list counts as another turn.
    list.extend(answer["output"].as_array().unwrap().clone());
    list.push(json!({"role": "user", "content": "More"}));
    let more = json!({"model": "gpt-5", "input": list, "store": false});
    assert_eq!(text(&create(&server, more).await), "The second: More");

    let conversation = server.post("/v1/conversations", json!({})).await.id();
    let called = create(
        &server,
        json!({"model": "gpt-5", "input": "The weather?", "conversation": conversation}),
    )
    .await;
    let given = json!({"model": "gpt-5", "conversation": {"id": conversation},
        "input": outputs(&called, &["cold", "warm"])});
    assert_eq!(text(&create(&server, given).await), done);

    let turns = server.get("/_rehearsal/turns").await.body;
    let numbers = turns["data"].as_array().unwrap().iter();
    let numbers: Vec<_> = numbers.map(|turn| turn["number"].as_i64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 2, 1, 2, 1, 1, 2]);
    let last = &turns["data"][7];
    assert_eq!(last["api"], "responses");
    assert_eq!(last["thread"], conversation.as_str());
    assert_eq!(last["asked"]["tool_outputs"][1]["output"], "warm");
}

#[tokio::test]
async fn a_stream_tells_everything_in_order_and_padded() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let asked = json!({"model": "gpt-5", "input": "The weather?", "stream": true});
    let answer = server.post("/v1/responses", asked).await;
    assert!(!answer.text.contains("[DONE]") && answer.text.ends_with("}\n\n"));
    let events = Events::parse(&answer.text);
    let named: Vec<_> = events.names();
    let call = [
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
    ];
    let expected: Vec<_> = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
        "response.output_item.done",
    ]
    .into_iter()
    .chain(call)
    .chain(call)
    .chain(["response.completed"])
    .collect();
    assert_eq!(named, expected);
    for (number, (name, data)) in events.0.iter().enumerate() {
        assert_eq!(data["sequence_number"], number, "{name}");
        assert_eq!(data["type"], name.as_str());
        let keys: Vec<_> = data.as_object().unwrap().keys().skip(1).collect();
        assert!(keys.is_sorted(), "{keys:?}");
        if let Some(delta) = data["delta"].as_str() {
            let length = delta.chars().count() + data["obfuscation"].as_str().unwrap().len();
            assert_eq!(length % 16, 0, "{data}");
        }
    }
    let kept = &events.last("response.completed")["response"];
    let path = format!("/v1/responses/{}", kept["id"].as_str().unwrap());
    let mut stored = server.get(&path).await.body;
    stored.as_object_mut().unwrap().shift_remove("billing");
    assert_eq!(&stored, kept);
    let plain = json!({"model": "gpt-5", "input": "The weather?", "stream": true,
        "stream_options": {"include_obfuscation": false}});
    let plain = server.post("/v1/responses", plain).await;
    assert!(!plain.text.contains("obfuscation"));
}

#[tokio::test]
async fn no_more_tools_are_called_than_a_request_allows() {
    let server = TestServer::with_fixtures(
        r#"
replies:
  - steps:
      - item: {type: web_search_call, action: {type: search, query: one}}
      - item: {type: web_search_call, action: {type: search, query: two}}
      - message: Found.
"#,
    )
    .await;
    for (most, searches) in [(json!(null), 2), (json!(1), 1), (json!(7), 2)] {
        let body = json!({"model": "gpt-4o", "input": "x", "max_tool_calls": most,
            "tools": [{"type": "web_search"}]});
        let response = create(&server, body).await;
        assert_eq!(response["max_tool_calls"], most);
        let items = response["output"].as_array().unwrap().iter();
        let kinds: Vec<_> = items.map(|item| item["type"].as_str().unwrap()).collect();
        let called = kinds.iter().filter(|kind| **kind == "web_search_call").count();
        assert_eq!((called, text(&response).as_str()), (searches, "Found."), "{kinds:?}");
    }
}

#[tokio::test]
async fn streams_show_how_items_come_along() {
    let server = TestServer::with_fixtures(
        r#"
replies:
  - steps:
      - item: {type: web_search_call, action: {type: search, query: x}}
      - item: {type: mcp_list_tools, server_label: s, tools: [{name: f}]}
      - item: {type: mcp_call, server_label: s, name: f, arguments: "{}", output: y, error: null}
      - item: {type: custom_tool_call, call_id: call_1, name: c, input: "one two"}
"#,
    )
    .await;
    let ask = async |model: &str| {
        server.stream("/v1/responses", json!({"model": model, "input": "x", "stream": true})).await
    };
    let events = ask("gpt-4o").await;
    let begun: Vec<_> = events.all("response.output_item.added");
    assert_eq!(begun[0]["item"]["action"], json!({"type": "search"}));
    assert_eq!(begun[1]["item"]["tools"], json!([]));
    assert_eq!(
        (&begun[2]["item"]["arguments"], &begun[2]["item"]["output"]),
        (&json!(""), &Value::Null)
    );
    assert_eq!(begun[3]["item"]["input"], "");
    let names: Vec<_> =
        events.names().into_iter().filter(|name| !name.contains("output_item")).collect();
    assert_eq!(
        names,
        [
            "response.created",
            "response.in_progress",
            "response.web_search_call.in_progress",
            "response.web_search_call.searching",
            "response.web_search_call.completed",
            "response.mcp_list_tools.in_progress",
            "response.mcp_list_tools.completed",
            "response.mcp_call.in_progress",
            "response.mcp_call_arguments.delta",
            "response.mcp_call_arguments.done",
            "response.mcp_call.completed",
            "response.custom_tool_call_input.delta",
            "response.custom_tool_call_input.done",
            "response.completed",
        ]
    );
    assert_eq!(events.all("response.custom_tool_call_input.delta").len(), 2);
    assert_eq!(events.last("response.custom_tool_call_input.done")["input"], "one two");
    let end = &events.last("response.completed")["response"];
    assert_eq!(end["tool_usage"]["web_search"]["num_requests"], 1);
    assert_eq!(end["output"][2]["output"], "y");
    // A model that reasons does not show the query yet.
    let events = ask("gpt-5").await;
    assert!(events.all("response.output_item.added")[0]["item"].get("action").is_none());
}

#[tokio::test]
async fn tools_that_the_input_brings_along_are_echoed() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let function = |name: &str| json!({"type": "function", "name": name, "defer_loading": true});
    let ask = async |model: &str, item: Value| {
        let body = json!({"model": model, "input": [item, {"role": "user", "content": "x"}],
            "tools": [{"type": "tool_search"}, function("f"), function("g")]});
        let tools = create(&server, body).await["tools"].as_array().unwrap().clone();
        let shown = tools.iter().map(|tool| {
            let name = tool["name"].as_str().or(tool["type"].as_str()).unwrap();
            format!("{name}{}", if tool["type"] == "namespace" { "/" } else { "" })
        });
        shown.collect::<Vec<_>>()
    };
    let found =
        |by: &str| json!({"type": "tool_search_output", "execution": by, "tools": [function("f")]});
    assert_eq!(ask("gpt-5.4", found("server")).await, ["g", "tool_search", "f/"]);
    assert_eq!(ask("gpt-5.4", found("client")).await, ["f", "g", "tool_search"]);
    let added = json!({"type": "additional_tools", "role": "developer", "tools": [function("h")]});
    assert_eq!(ask("gpt-5.4", added.clone()).await, ["f", "g", "tool_search", "h/"]);
    assert_eq!(ask("gpt-5.6", added).await, ["f", "g", "h", "tool_search"]);
    // A tool of the service has no name for the comparison.
    let nameless =
        json!({"type": "additional_tools", "role": "developer", "tools": [{"type": "web_search"}]});
    assert_eq!(ask("gpt-5.4", nameless).await, ["f", "g", "web_search", "tool_search"]);
}

#[tokio::test]
async fn responses_end_as_their_replies_say() {
    let server = TestServer::with_fixtures(
        r#"
replies:
  - when: {message: fail}
    steps: [{message: Half}]
    outcome: {failed: {code: rate_limit_exceeded, message: Too much.}}
  - when: {message: short}
    steps: [{message: one two three}]
    outcome: {incomplete: max_completion_tokens}
  - when: {message: filtered}
    steps: [{message: one}]
    outcome: {incomplete: content_filter}
  - when: {message: refuse}
    steps: [{message: {refusal: "I can not do that."}}]
  - when: {message: search}
    steps:
      - item: {type: web_search_call, action: {type: search, query: "{{ message }}"}}
      - message: Found.
  - steps: [{message: "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"}]
"#,
    )
    .await;
    let ask = async |input: &str| {
        server
            .stream("/v1/responses", json!({"model": "gpt-4o", "input": input, "stream": true}))
            .await
    };
    let failed = ask("fail").await;
    let error = failed.last("error");
    assert_eq!(
        error["error"],
        json!({"type": "tokens", "code": "rate_limit_exceeded", "message": "Too much.", "param": null})
    );
    let end = &failed.last("response.failed")["response"];
    assert_eq!(end["error"], json!({"code": "rate_limit_exceeded", "message": "Too much."}));
    assert_eq!((&end["usage"], &end["completed_at"]), (&Value::Null, &Value::Null));

    let short = ask("short").await;
    let end = &short.last("response.incomplete")["response"];
    assert_eq!(end["incomplete_details"], json!({"reason": "max_output_tokens"}));
    assert_eq!(end["output"][0]["status"], "incomplete");
    assert_eq!(short.last("response.output_item.done")["item"]["status"], "incomplete");
    let filtered = create(&server, json!({"model": "gpt-4o", "input": "filtered"})).await;
    assert_eq!(filtered["incomplete_details"], json!({"reason": "content_filter"}));

    let refused = ask("refuse").await;
    let part = &refused.last("response.content_part.done")["part"];
    assert_eq!(part, &json!({"type": "refusal", "refusal": "I can not do that."}));
    assert!(refused.all("response.refusal.delta").len() > 3);
    assert!(refused.last("response.refusal.delta").get("obfuscation").is_none());

    let searched = create(&server, json!({"model": "gpt-4o", "input": "search"})).await;
    let call = &searched["output"][0];
    assert!(call["id"].as_str().unwrap().starts_with("ws_"), "{call}");
    assert_eq!(
        (&call["status"], &call["action"]["query"]),
        (&json!("completed"), &json!("search"))
    );

    let cut =
        create(&server, json!({"model": "gpt-4o", "input": "x", "max_output_tokens": 16})).await;
    assert_eq!(cut["status"], "incomplete");
    assert!(text(&cut).ends_with("sixteen"), "{cut}");
    assert_eq!(cut["usage"]["output_tokens"], 16);
}

#[tokio::test]
async fn a_client_names_the_reply_it_wants() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let named = server
        .request(Method::POST, "/v1/responses")
        .header("x-rehearsal-reply", "second")
        .json(&json!({"model": "gpt-4o", "input": "Hi"}));
    assert_eq!(text(&server.send(named).await.body), "The second: Hi");
    let by_metadata = json!({"model": "gpt-4o", "input": "Hi",
        "metadata": {"rehearsal_reply": "second"}});
    assert_eq!(text(&create(&server, by_metadata).await), "The second: Hi");
    let unknown =
        json!({"model": "gpt-4o", "input": "Hi", "metadata": {"rehearsal_reply": "none"}});
    let failed = create(&server, unknown).await;
    assert_eq!(failed["status"], "failed");
    let requests = server.get("/_rehearsal/requests").await.body;
    let replies = requests["data"].as_array().unwrap().iter().map(|entry| &entry["reply"]);
    assert!(replies.into_iter().any(|reply| reply == "second"), "{requests}");
    let unmatched = server.get("/_rehearsal/unmatched").await.body;
    assert_eq!(unmatched["data"][0]["run"], failed["id"]);
    assert_eq!(unmatched["data"][0]["thread"], Value::Null);
}

#[tokio::test]
async fn tokens_are_counted_without_making_anything() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let asked =
        json!({"model": "gpt-4o", "input": "What is the weather?", "instructions": "Be brief."});
    let counted = server.post("/v1/responses/input_tokens", asked.clone()).await.body;
    assert_eq!(counted["object"], "response.input_tokens");
    let used = create(&server, asked).await["usage"]["input_tokens"].clone();
    assert_eq!(counted["input_tokens"], used);
    assert_eq!(server.get("/_rehearsal/turns").await.body["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_thousand_responses_at_once_are_a_thousand() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let asked = (0..1_000).map(|number| {
        let server = &server;
        async move {
            let input = format!("number {number}");
            let response = create(server, json!({"model": "gpt-4o", "input": input})).await;
            assert_eq!(text(&response), format!("You said {input} — né"));
            response["id"].as_str().unwrap().to_owned()
        }
    });
    let mut made = futures_util::future::join_all(asked).await;
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 1_000);
}

const CITED: &str = r#"
replies:
  - steps:
      - item: {type: web_search_call, action: {type: search, query: x}}
      - item:
          type: message
          role: assistant
          content:
            - type: output_text
              text: "Rust is fast (a.org). So it is."
              annotations:
                - {type: url_citation, start_index: 13, end_index: 20, title: A, url: "https://a.org"}
              logprobs: []
            - {type: refusal, refusal: But no more.}
"#;

#[tokio::test]
async fn a_message_with_citations_of_web_pages_streams_its_text() {
    let server = TestServer::with_fixtures(CITED).await;
    let asked = json!({"model": "gpt-4o", "input": "x", "stream": true});
    let Events(events) = server.stream("/v1/responses", asked).await;
    let of = |kind: &str| events.iter().filter(|(name, _)| name == kind).collect::<Vec<_>>();
    let deltas = of("response.output_text.delta");
    let text: String = deltas.iter().map(|(_, data)| data["delta"].as_str().unwrap()).collect();
    assert_eq!(text, "Rust is fast (a.org). So it is.");
    assert!(deltas.len() > 4, "{events:?}");
    let place = events.iter().position(|(name, _)| name == "response.output_text.annotation.added");
    let before = events[..place.unwrap()].iter();
    let before = before.filter_map(|(_, data)| data["delta"].as_str()).collect::<String>();
    assert!(before.starts_with("Rust is fast (a.org)") && before.len() < text.len(), "{before}");
    assert_eq!(of("response.content_part.added").len(), 2);
    assert_eq!(of("response.refusal.done")[0].1["refusal"], "But no more.");
    let (_, done) = of("response.output_item.done")[1];
    assert_eq!(done["item"], of("response.completed")[0].1["response"]["output"][1]);
    assert_eq!(done["item"]["content"][0]["annotations"][0]["url"], "https://a.org");
}

#[tokio::test]
async fn a_file_search_uses_the_filters_and_the_stores_of_its_tool() {
    let server = TestServer::with_fixtures(
        "replies: [{steps: [{tool_calls: [{file_search: {}}]}, {message: {text: Found., citations: \
         auto}}]}]",
    )
    .await;
    let mut files = Vec::new();
    for (name, year) in [("old.txt", 2024), ("new.txt", 2026)] {
        let id = server.document(name, "Refunds are paid within 14 days.").await;
        files.push(json!({"file_id": id, "attributes": {"year": year}}));
    }
    let store = server.post("/v1/vector_stores", json!({"name": "Rules"})).await.id();
    for file in &files {
        server.post(&format!("/v1/vector_stores/{store}/files"), file.clone()).await;
    }
    server.idle().await;
    let asked = |store: &str, filters: Value| {
        json!({"model": "gpt-4o", "input": "When are refunds paid?",
            "include": ["file_search_call.results"],
            "tools": [{"type": "file_search", "vector_store_ids": [store], "filters": filters}]})
    };
    let newer = json!({"type": "gt", "key": "year", "value": 2025});
    let response = create(&server, asked(&store, newer)).await;
    let results = response["output"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 1, "{results:?}");
    assert_eq!(
        (&results[0]["filename"], &results[0]["vector_store_id"]),
        (&json!("new.txt"), &json!(store))
    );
    let cited = &response["output"][1]["content"][0]["annotations"][0];
    assert_eq!((&cited["type"], &cited["filename"]), (&json!("file_citation"), &json!("new.txt")));
    let all = create(&server, asked(&store, Value::Null)).await;
    assert_eq!(all["output"][0]["results"].as_array().unwrap().len(), 2);
    // Each result names its store.
    let empty = server.store(&[]).await;
    let mut several = asked(&empty, Value::Null);
    several["tools"][0]["vector_store_ids"] = json!([empty, store]);
    let found = create(&server, several).await;
    let results = found["output"][0]["results"].as_array().unwrap();
    assert!(results.iter().all(|result| result["vector_store_id"] == store), "{results:?}");
    // An invalid filter, an unknown store, and a store of another session.
    let wrong = server.post("/v1/responses", asked(&store, json!({"type": "near"}))).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let unknown = server.post("/v1/responses", asked("vs_none", Value::Null)).await;
    let refusal = "404 Vector store with id ['vs_none'] not found. [null null]";
    assert_eq!(unknown.refusal(), refusal);
    let elsewhere = server.post("/s/other/v1/responses", asked(&store, Value::Null)).await;
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
}
