//! The reply that would answer a response.

use serde_json::{Value, json};

use super::{WEATHER, create};
use crate::server::TestServer;

#[tokio::test]
async fn the_body_of_a_response_is_matched_and_nothing_is_made() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let twin = TestServer::with_fixtures(WEATHER).await;
    let ask = async |body: Value| server.post("/_rehearsal/match", body).await.body;
    let first = create(&server, json!({"model": "gpt-4o", "input": "Hello"})).await;
    assert_eq!(
        create(&twin, json!({"model": "gpt-4o", "input": "Hello"})).await["id"],
        first["id"]
    );

    let answer = ask(json!({"model": "gpt-4o", "input": "The weather?"})).await;
    assert_eq!(answer["reply"]["name"], "weather");
    let chained = json!({"model": "gpt-4o", "input": "More", "previous_response_id": first["id"]});
    assert_eq!(ask(chained.clone()).await["reply"]["name"], "second");
    let list = json!([{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "You"},
        {"role": "user", "content": "More"}]);
    let listed = json!({"model": "gpt-4o", "input": list});
    assert_eq!(ask(listed).await["reply"]["name"], "second");
    let said =
        server.post("/_rehearsal/match?turn=2", json!({"model": "gpt-4o", "input": "x"})).await;
    assert_eq!(said.body["reply"]["name"], "second");
    let named =
        json!({"model": "gpt-4o", "input": "x", "metadata": {"rehearsal_reply": "weather"}});
    assert_eq!(ask(named).await["reply"]["name"], "weather");
    let gone = json!({"model": "gpt-4o", "input": "x", "previous_response_id": "resp_none"});
    let refused = server.post("/_rehearsal/match", gone).await;
    assert_eq!(refused.body["error"]["code"], "previous_response_not_found");

    // The call used no id and no lock.
    let (one, other) = (create(&server, chained.clone()).await, create(&twin, chained).await);
    assert_eq!(one["id"], other["id"]);
    assert_eq!(server.get("/_rehearsal/turns").await.body["data"].as_array().unwrap().len(), 2);
}
