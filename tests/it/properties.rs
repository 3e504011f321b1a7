//! A fixture that the check accepts is also accepted by the server.

use proptest::prelude::*;
use rehearsal::{Config, Server};
use serde_json::{Value, json};

use crate::server::config;

/// Documents that are correct, or nearly correct.
fn document() -> impl Strategy<Value = Value> {
    let message = prop_oneof![
        Just(json!("Hi")),
        Just(json!("{{ message }}")),
        Just(json!("{{ nobody }}")),
        Just(json!({"text": "a", "images": [{"name": "a.png", "base64": "AA=="}]})),
        Just(json!({"images": ["missing.png"]}))
    ];
    let step = prop_oneof![
        4 => message.prop_map(|message| json!({"message": message})),
        1 => Just(json!({"pause": "1s"})),
        1 => Just(json!({"pause": "soon"})),
        1 => Just(json!({"disconnect": true})),
    ];
    let reply =
        (prop::collection::vec(step, 0..3), prop::option::of("[ab]")).prop_map(|(steps, name)| {
            match name {
                Some(name) => json!({"name": name, "steps": steps}),
                None => json!({"steps": steps}),
            }
        });
    let assistant = prop_oneof![
        Just(json!({"id": "asst_a", "model": "m"})),
        Just(json!({"id": "b", "model": "m"})),
        Just(json!({"id": "asst_c", "model": "m",
                "tool_resources": {"file_search": {"vector_store_ids": ["vs_a"]}}})),
    ];
    let store = prop_oneof![
        Just(json!({"id": "vs_a"})),
        Just(json!({"id": "vs_a", "files": ["file-none"]})),
        Just(json!({"id": "vs_a", "files": [{"name": "a.txt", "text": "a"}]})),
    ];
    (prop::collection::vec(reply, 0..3), prop::option::of(assistant), prop::option::of(store))
        .prop_map(|(replies, assistant, store)| {
            json!({"replies": replies,
            "assistants": Vec::from_iter(assistant), "vector_stores": Vec::from_iter(store)})
        })
}

#[test]
fn check_accepts_exactly_what_serve_accepts() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 40,
        failure_persistence: None,
        rng_algorithm: prop::test_runner::RngAlgorithm::ChaCha,
        ..ProptestConfig::default()
    });
    let outcome = runner.run(&document(), |document| {
        let path = folder.path().join("x.yaml");
        std::fs::write(&path, document.to_string()).unwrap();
        let served = runtime.block_on(async {
            Server::start(Config { fixtures: vec![path.clone()], ..config() }).await.is_ok()
        });
        let checked = std::process::Command::new(env!("CARGO_BIN_EXE_rehearsal"))
            .arg("check")
            .arg(&path)
            .output()
            .unwrap();
        prop_assert_eq!(checked.status.code(), Some(if served { 0 } else { 1 }), "{}", document);
        Ok(())
    });
    outcome.unwrap();
}
