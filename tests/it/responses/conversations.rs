//! Conversations: their items, their lock, and their deletion.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{WEATHER, create, ids, text};
use crate::server::TestServer;

#[tokio::test]
async fn a_conversation_is_made_changed_and_deleted() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let asked = json!({"metadata": {"a": "b"}, "items": [{"role": "user", "content": "Before"}]});
    let made = server.post("/v1/conversations", asked).await.body;
    let path = format!("/v1/conversations/{}", made["id"].as_str().unwrap());
    assert_eq!(
        made.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["id", "object", "created_at", "metadata"]
    );
    assert_eq!(server.get(&path).await.body, made);
    let changed = server.post(&path, json!({"metadata": {"c": "d"}})).await.body;
    assert_eq!(changed["metadata"], json!({"c": "d"}));
    let items = format!("{path}/items");
    let added =
        json!({"items": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]});
    let added = server.post(&items, added).await;
    let in_order = ids(&added);
    assert_eq!(added.body["data"][1]["content"][0]["type"], "output_text");
    let listed = ids(&server.get(&items).await);
    assert_eq!(listed.len(), 3);
    assert_eq!(listed[..2], [in_order[1].clone(), in_order[0].clone()]);
    let chain = &made["id"].as_str().unwrap()[37..];
    assert!(in_order.iter().all(|id| id.ends_with(chain)), "{in_order:?}");
    let item = server.get(&format!("{items}/{}", in_order[0])).await.body;
    assert_eq!(item, added.body["data"][0]);
    let deleted = server.delete(&format!("{items}/{}", in_order[0])).await.body;
    assert_eq!(
        deleted,
        json!({"id": in_order[0], "object": "conversation.item.deleted", "deleted": true})
    );
    let gone = format!("404 Item with id '{}' not found in conversation. [null null]", in_order[0]);
    assert_eq!(server.get(&format!("{items}/{}", in_order[0])).await.refusal(), gone);
    assert_eq!(server.delete(&format!("{items}/{}", in_order[0])).await.refusal(), gone);
    assert_eq!(server.delete(&path).await.body["object"], "conversation.deleted");
    let gone = format!("404 Conversation with id '{}' not found. [null null]", &path[18..]);
    for answer in [
        server.get(&path).await,
        server.delete(&path).await,
        server.get(&items).await,
        server.post(&items, json!({"items": []})).await,
        server.post(&path, json!({"metadata": {}})).await,
        server.delete(&format!("{items}/x")).await,
        server
            .post(
                "/v1/responses",
                json!({"model": "gpt-4o", "input": "x", "conversation": path[18..]}),
            )
            .await,
    ] {
        assert_eq!(answer.refusal(), gone);
    }
}

#[tokio::test]
async fn a_response_reads_its_conversation_and_adds_to_it() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let conversation = server.post("/v1/conversations", json!({})).await.id();
    let ask = async |input: &str| {
        let body = json!({"model": "gpt-4o", "input": input, "conversation": conversation});
        create(&server, body).await
    };
    let first = ask("One").await;
    assert_eq!(first["conversation"], json!({"id": conversation}));
    assert_eq!(first["previous_response_id"], json!(null));
    assert_eq!(first["id"].as_str().unwrap()[5..21], conversation[37..]);
    let second = ask("Two").await;
    assert_eq!(text(&second), "The second: Two");
    let items = server.get(&format!("/v1/conversations/{conversation}/items")).await;
    assert_eq!(items.body["data"].as_array().unwrap().len(), 4);
    assert_eq!(items.body["data"][0], second["output"][0]);
    let read = format!("/v1/responses/{}/input_items", second["id"].as_str().unwrap());
    let read = ids(&server.get(&read).await);
    assert_eq!(read, ids(&items)[1..]);
    let both = json!({"model": "gpt-4o", "input": "x", "conversation": conversation,
        "previous_response_id": first["id"]});
    assert_eq!(
        server.post("/v1/responses", both).await.refusal(),
        "400 Mutually exclusive parameters: ''. Ensure you are only providing one of: \
         'previous_response_id' or 'conversation'. [null \"mutually_exclusive_parameters\"]"
    );
}

#[tokio::test]
async fn questions_that_a_client_brings_along_count_once_they_are_answered() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let user = json!({"role": "user", "content": "Before"});
    let assistant = json!({"role": "assistant", "content": "Yes"});
    for (items, second) in [
        (json!([user]), "You said Now — né"),
        (json!([user, assistant]), "The second: Now"),
        (json!([assistant, {"role": "developer", "content": "x"}]), "You said Now — né"),
    ] {
        let made = server.post("/v1/conversations", json!({})).await.id();
        let path = format!("/v1/conversations/{made}/items");
        server.post(&path, json!({"items": items})).await;
        let given = server.post("/v1/conversations", json!({"items": items})).await.id();
        for conversation in [made, given] {
            let asked = json!({"model": "gpt-4o", "input": "Now", "conversation": conversation});
            assert_eq!(text(&create(&server, asked).await), second, "{items}");
        }
    }
}

const SLOW: &str = "replies: [{pace: {per_token: 1s}, steps: [{message: one two}]}]";

#[tokio::test]
async fn a_conversation_is_locked_while_a_response_is_under_way() {
    let server = TestServer::with_fixtures(SLOW).await;
    let conversation = server.post("/v1/conversations", json!({})).await.id();
    let asked = json!({"model": "gpt-4o", "input": "Hi", "conversation": conversation});
    let mut slow = asked.clone();
    slow["background"] = json!(true);
    create(&server, slow).await;
    let locked = "400 Another process is currently operating on this conversation. Please retry in \
                  a few seconds. [\"conversation\" \"conversation_locked\"]";
    let items = format!("/v1/conversations/{conversation}/items");
    let item = json!({"items": [{"role": "user", "content": "x"}]});
    assert_eq!(server.post("/v1/responses", asked.clone()).await.refusal(), locked);
    assert_eq!(server.post(&items, item.clone()).await.refusal(), locked);
    assert_eq!(server.get(&items).await.body["data"], json!([]));
    server.advance(Duration::from_secs(9)).await;
    assert_eq!(server.post(&items, item).await.status, StatusCode::OK);
    assert_eq!(server.get(&items).await.body["data"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn concurrent_requests_get_a_conversation_one_at_a_time() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let conversation = server.post("/v1/conversations", json!({})).await.id();
    let asked = (0..200).map(|number| {
        let body =
            json!({"model": "gpt-4o", "input": number.to_string(), "conversation": conversation});
        server.post("/v1/responses", body)
    });
    let answers = futures_util::future::join_all(asked).await;
    let (done, locked): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == StatusCode::OK);
    assert!(locked.iter().all(|answer| answer.refusal().contains("conversation_locked")));
    let turns = server.get("/_rehearsal/turns").await.body;
    assert_eq!(turns["data"].as_array().unwrap().len(), done.len());
    let page = server.get(&format!("/v1/conversations/{conversation}/items?limit=100")).await.body;
    assert_eq!(page["data"].as_array().unwrap().len(), (2 * done.len()).min(100));
}

#[tokio::test]
async fn a_conversation_that_is_deleted_on_the_way_harms_nobody() {
    let server = TestServer::with_fixtures(SLOW).await;
    let conversation = server.post("/v1/conversations", json!({})).await.id();
    let asked = json!({"model": "gpt-4o", "input": "Hi", "background": true,
        "conversation": conversation});
    let response = create(&server, asked).await;
    let path = format!("/v1/conversations/{conversation}");
    assert_eq!(server.delete(&path).await.status, StatusCode::OK);
    server.advance(Duration::from_secs(9)).await;
    let done =
        server.get(&format!("/v1/responses/{}", response["id"].as_str().unwrap())).await.body;
    assert_eq!((done["status"].as_str(), text(&done)), (Some("completed"), "one two".to_owned()));
    assert_eq!(server.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn snapshots_keep_responses_and_conversations() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let conversation = server.post("/v1/conversations", json!({})).await.id();
    let asked = json!({"model": "gpt-4o", "input": "One", "conversation": conversation});
    let first = create(&server, asked.clone()).await;
    let taken = server.request(Method::PUT, "/_rehearsal/snapshots/one");
    let taken = server.send(taken).await;
    assert!(taken.status.is_success(), "{}", taken.text);
    create(&server, asked.clone()).await;
    server.delete(&format!("/v1/responses/{}", first["id"].as_str().unwrap())).await;
    let restored = server.post("/_rehearsal/snapshots/one/restore", json!({})).await;
    assert!(restored.status.is_success(), "{}", restored.text);
    let path = format!("/v1/responses/{}", first["id"].as_str().unwrap());
    assert_eq!(server.get(&path).await.body, first);
    assert_eq!(
        server.get(&format!("{path}/input_items")).await.body["data"].as_array().unwrap().len(),
        1
    );
    let items = server.get(&format!("/v1/conversations/{conversation}/items")).await.body;
    assert_eq!(items["data"].as_array().unwrap().len(), 2);
    assert_eq!(text(&create(&server, asked).await), "The second: One");
    let removed = server.post("/_rehearsal/reset", json!({})).await.body["removed"].clone();
    assert_eq!((&removed["responses"], &removed["conversations"]), (&json!(2), &json!(1)));
    assert_eq!(server.get(&path).await.status, StatusCode::NOT_FOUND);
}
