//! Chains, deletions and conversations in any order, compared with a model of the expected state.

use std::collections::HashMap;

use proptest::prelude::*;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::server::TestServer;

#[derive(Clone, Debug)]
enum Doing {
    /// A response, after an earlier one or without one.
    Respond {
        behind: Option<usize>,
        store: bool,
    },
    Converse {
        conversation: usize,
    },
    DeleteResponse(usize),
    DeleteConversation(usize),
    AddItem(usize),
}

fn doing() -> impl Strategy<Value = Doing> {
    let place = 0..6_usize;
    prop_oneof![
        4 => (prop::option::of(place.clone()), any::<bool>())
            .prop_map(|(behind, store)| Doing::Respond { behind, store }),
        3 => (0..2_usize).prop_map(|conversation| Doing::Converse { conversation }),
        1 => place.prop_map(Doing::DeleteResponse),
        1 => (0..2_usize).prop_map(Doing::DeleteConversation),
        1 => (0..2_usize).prop_map(Doing::AddItem),
    ]
}

/// The expected state.
#[derive(Default)]
struct Model {
    /// The responses in their order: the id, whether it exists, and the previous one.
    responses: Vec<(String, bool, Option<usize>)>,
    /// The number of items of each conversation, as long as it exists.
    conversations: Vec<(String, Option<usize>)>,
    made: HashMap<String, usize>,
}

impl Model {
    /// The number of items that a response reads: its own, and those of the remaining chain.
    fn reads(&self, mut place: usize) -> usize {
        let mut items = 1;
        while let Some(before) = self.responses[place].2.filter(|it| self.responses[*it].1) {
            items += 2;
            place = before;
        }
        items
    }
}

async fn play(doings: Vec<Doing>) {
    let server =
        TestServer::with_fixtures("replies: [{steps: [{message: 'Re: {{ message }}'}]}]").await;
    let mut model = Model::default();
    for _ in 0..2 {
        let id = server.post("/v1/conversations", json!({})).await.id();
        model.conversations.push((id, Some(0)));
    }
    for doing in doings {
        perform(&server, &mut model, doing).await;
    }
    for (place, (id, is_there, _)) in model.responses.iter().enumerate() {
        let found = server.get(&format!("/v1/responses/{id}")).await;
        assert_eq!(found.status == StatusCode::OK, *is_there, "{id}");
        let items = server.get(&format!("/v1/responses/{id}/input_items?limit=100")).await;
        if *is_there {
            assert_eq!(items.body["data"].as_array().unwrap().len(), model.reads(place));
        }
    }
    for (id, items) in &model.conversations {
        let listed = server.get(&format!("/v1/conversations/{id}/items?limit=100")).await;
        let count = listed.body["data"].as_array().map(Vec::len);
        assert_eq!(count, *items, "{}", listed.text);
    }
}

async fn perform(server: &TestServer, model: &mut Model, doing: Doing) {
    match doing {
        Doing::Respond { behind, store } => {
            let before = behind.filter(|place| *place < model.responses.len());
            let previous = before.map(|place| model.responses[place].0.clone());
            let body = json!({"model": "gpt-4o", "input": "x", "store": store,
                "previous_response_id": previous});
            let answer = server.post("/v1/responses", body).await;
            let can_be = before.is_none_or(|place| model.responses[place].1);
            assert_eq!(answer.status == StatusCode::OK, can_be, "{}", answer.text);
            if can_be {
                assert!(model.made.insert(answer.id(), 1).is_none(), "an id comes twice");
                model.responses.push((answer.id(), store, before));
            }
        }
        Doing::Converse { conversation } => {
            let (id, items) = &mut model.conversations[conversation];
            let body = json!({"model": "gpt-4o", "input": "x", "store": false, "conversation": id});
            let answer = server.post("/v1/responses", body).await;
            assert_eq!(answer.status == StatusCode::OK, items.is_some(), "{}", answer.text);
            items.iter_mut().for_each(|items| *items += 2);
        }
        Doing::DeleteResponse(place) => {
            if let Some((id, is_there, _)) = model.responses.get_mut(place) {
                let answer = server.delete(&format!("/v1/responses/{id}")).await;
                assert_eq!(answer.status == StatusCode::OK, *is_there, "{}", answer.text);
                *is_there = false;
            }
        }
        Doing::DeleteConversation(place) => {
            let (id, items) = &mut model.conversations[place];
            let answer = server.delete(&format!("/v1/conversations/{id}")).await;
            assert_eq!(answer.status == StatusCode::OK, items.is_some(), "{}", answer.text);
            *items = None;
        }
        Doing::AddItem(place) => {
            let (id, items) = &mut model.conversations[place];
            let item: Value = json!({"items": [{"role": "user", "content": "x"}]});
            let answer = server.post(&format!("/v1/conversations/{id}/items"), item).await;
            assert_eq!(answer.status == StatusCode::OK, items.is_some(), "{}", answer.text);
            items.iter_mut().for_each(|items| *items += 1);
        }
    }
}

#[test]
fn any_order_of_actions_gives_the_expected_state() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        rng_algorithm: prop::test_runner::RngAlgorithm::ChaCha,
        ..ProptestConfig::default()
    });
    let outcome = runner.run(&prop::collection::vec(doing(), 1..16), |doings| {
        runtime.block_on(play(doings));
        Ok(())
    });
    outcome.unwrap();
}
