//! What holds for any input: nothing panics, the index finds what trying each reply finds, and what
//! is accepted when it is checked is accepted when it is served.

use proptest::prelude::*;
use rehearsal::{
    fixture::{
        Fixtures,
        matching::{Captures, Metadata, Subject},
        template::{self, Variables},
    },
    serve::{Config, Server},
};
use serde_json::{Value, json};

use crate::server::config;

fn subject<'a>(message: &'a str, model: &'a str, turn: i64) -> Subject<'a> {
    Subject {
        assistant_id: "asst_a",
        assistant_name: Some(model),
        model,
        instructions: Some(message),
        message: Some(message),
        turn,
        tools: &[],
        attachments: false,
        files: false,
        metadata: Metadata([None, None, None]),
    }
}

/// A text in which the words of the matchers below occur.
fn words() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof!["[ab ]{0,3}", "(rain|snow|Rain|weather in |order #[0-9]|x{1,4})", "\\PC{0,4}"],
        0..5,
    )
    .prop_map(|parts| parts.concat())
}

fn matcher() -> impl Strategy<Value = Value> {
    let pattern = prop_oneof![
        Just("weather in (?<city>\\w+)"),
        Just("(?i)RAIN|snow"),
        Just("^.*order #\\d.*$"),
        Just("x{2,3}$"),
        Just("a|b*"),
        Just("(a|b)+ ?(x)?")
    ];
    let leaf = prop_oneof![
        words().prop_map(Value::from),
        words().prop_map(|text| json!({"equals": text})),
        words().prop_map(|text| json!({"contains": text})),
        pattern.prop_map(|pattern| json!({"matches": pattern})),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(|any| json!({"any": any})),
            inner.prop_map(|not| json!({"not": not})),
        ]
    })
}

fn when() -> impl Strategy<Value = Value> {
    let keys = prop_oneof![Just("message"), Just("instructions"), Just("model"), Just("assistant")];
    let matchers = prop::collection::hash_map(keys, matcher(), 0..3);
    (matchers, prop::option::of(1_i64..3)).prop_map(|(matchers, turn)| {
        let mut when: serde_json::Map<_, _> =
            matchers.into_iter().map(|(key, matcher)| (key.to_owned(), matcher)).collect();
        when.extend(turn.map(|turn| ("turn".to_owned(), json!(turn))));
        Value::Object(when)
    })
}

const TEMPLATES: &str = concat!(
    r"(\{\{|\}\}|\{%|%\}",
    r#"|[a-z |.'"0-9()~*\[\]-]|for x in |set |if |message|\PC){0,40}"#
);

const DOCUMENTS: &str = concat!(
    r"(replies:|faults:|  - |when: |message: ",
    r#"|\{|\}|\[|\]|, |\n|&a |\*a|'|"|[a-z:]|\PC){0,60}"#
);

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_finds_what_trying_each_reply_finds(
        whens in prop::collection::vec(when(), 1..12),
        said in words(),
        model in words(),
    ) {
        let replies: Vec<_> = whens.iter().map(|when| json!({"when": when})).collect();
        let document = json!({"replies": replies}).to_string();
        let fixtures = Fixtures::parse([("x.yaml".to_owned(), document)]).unwrap();
        let subject = subject(&said, &model, 1);
        let admitted = |reply: &std::sync::Arc<rehearsal::fixture::Reply>| {
            reply.when.admits(&subject).map(|captures| (reply.key, captures))
        };
        let tried = fixtures.replies.iter().find_map(admitted);
        let found = fixtures.candidates(&subject).find_map(admitted);
        prop_assert_eq!(tried, found);
        // Whatever misses explains itself.
        for reply in &fixtures.replies {
            prop_assert_eq!(reply.when.distance(&subject), reply.when.misses(&subject).len());
        }
    }

    #[test]
    fn templates_never_panic(text in TEMPLATES, value in "\\PC{0,20}") {
        if template::check(&text).is_ok() {
            let message = [("message", json!(value))];
            _ = template::render(&text, &Variables::new(&Captures::new(), message));
        }
    }

    #[test]
    fn documents_never_panic(text in DOCUMENTS) {
        _ = Fixtures::parse([("x.yaml".to_owned(), text)]);
    }
}

/// Documents that are right, or nearly.
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
            Server::open(Config { fixtures: vec![path.clone()], ..config() })
                .await
                .map(|server| drop(server.leftovers()))
                .is_ok()
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
