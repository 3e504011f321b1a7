//! Random requests, valid and invalid, from the OpenAPI documents. No response is an error of the
//! server, and every response fits the document of its version. Schemathesis generates them from a
//! fixed seed.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::skipped::{Remedy, skip};
use crate::{
    clients::{SCHEMATHESIS, succeed},
    documents::{Document, RESPONSES, V1, V2},
    running::{KEY, Running},
};

/// The objects that the requests can use. Every other id belongs to no object.
const THERE: &str = r#"
assistants: [{id: asst_there, model: gpt-4, tools: [{type: code_interpreter}]}, {id: asst_goes, model: gpt-4}]
threads:
  - {id: thread_there, messages: [{role: user, content: Hello}]}
  - {id: thread_goes}
files: [{id: file-there, path: {name: a.txt, text: apples}}, {id: file-goes, path: {name: b.txt, text: pears}}]
vector_stores: [{id: vs_there, name: A, files: [file-there]}, {id: vs_goes, name: B}]
replies: [{name: answers, steps: [{message: Hello.}]}]
"#;

/// The document, with existing ids and with the form of errors.
fn prepared(document: &Document) -> Option<Value> {
    let mut prepared = document.load()?;
    let refusal = json!({"description": "A refusal.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorResponse"}}}});
    for operations in prepared["paths"].as_object_mut().expect("paths").values_mut() {
        for (method, operation) in operations.as_object_mut().expect("operations") {
            if !operation["responses"].is_object() {
                continue;
            }
            operation["responses"]["default"] = refusal.clone();
            let wanted = if method == "delete" { "goes" } else { "there" };
            for parameter in
                operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten()
            {
                let prefix = match parameter["name"].as_str().unwrap_or_default() {
                    "assistant_id" => "asst_",
                    "thread_id" => "thread_",
                    "file_id" => "file-",
                    "vector_store_id" => "vs_",
                    _ => continue,
                };
                if parameter["in"] == "path" {
                    parameter["schema"] = json!({"type": "string",
                        "enum": [format!("{prefix}{wanted}"), format!("{prefix}nobody")]});
                }
            }
        }
    }
    for request in ["CreateRunRequest", "CreateThreadAndRunRequest"] {
        prepared["components"]["schemas"][request]["properties"]["assistant_id"] =
            json!({"type": "string", "enum": ["asst_there", "asst_nobody"]});
    }
    Some(prepared)
}

fn hold_to(document: &Document, beta: &str) {
    let Some(prepared) = prepared(document) else {
        skip(&format!("requests of {}, which is not at hand", document.file), Remedy::None);
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let server = begin(folder.path());
    let beta = format!("OpenAI-Beta: assistants={beta}");
    ask(
        &server,
        &prepared,
        folder.path(),
        &["--phases", "examples,coverage,fuzzing", "--max-examples", "25", "-H", &beta],
    );
}

/// A server with the objects that the requests can use.
fn begin(folder: &Path) -> Running {
    let fixtures = folder.join("there.yaml");
    fs::write(&fixtures, THERE).expect("fixtures");
    Running::with(&["--fixtures", path(&fixtures), "--log", "error", "--journal", "0"])
}

/// Sends random requests of a document, and checks the answers.
fn ask(server: &Running, document: &Value, folder: &Path, more: &[&str]) {
    let schema = folder.join("openapi.json");
    fs::write(&schema, document.to_string()).expect("a document");
    let authorization = format!("Authorization: Bearer {KEY}");
    succeed(
        Command::new(&*SCHEMATHESIS)
            .args(["run", path(&schema), "--url", &server.base, "-H", &authorization])
            .args(more)
            .args(["--checks", "not_a_server_error,response_schema_conformance", "--mode", "all"])
            .args(["--seed", "7", "--no-shrink"])
            .args([
                "--suppress-health-check",
                "all",
                "--warnings",
                "off",
                "--no-color",
                "--generation-database",
                "none",
            ])
            .current_dir(folder),
    );
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn random_requests_of_v1_are_answered_as_its_document_says() {
    hold_to(&V1, "v1");
}

#[test]
fn random_requests_of_v2_are_answered_as_its_document_says() {
    hold_to(&V2, "v2");
}

#[tokio::test]
async fn random_requests_of_responses_are_answered_as_their_document_says() {
    let Some(mut document) = prepared(&RESPONSES) else {
        skip(&format!("requests of {}, which is not at hand", RESPONSES.file), Remedy::None);
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let server = begin(folder.path());
    repair(&mut document["components"]["schemas"]);
    let paths = document["paths"].as_object_mut().expect("paths");
    // Other APIs.
    let others = ["/chat", "/embeddings"];
    paths.retain(|path, _| !others.iter().any(|it| path.starts_with(it)));
    let ids = made(&server).await;
    for operations in paths.values_mut() {
        for (method, operation) in operations.as_object_mut().expect("operations") {
            let wanted = usize::from(method == "delete");
            // The document shows the inner object only. Recordings have the usual form of errors.
            operation["responses"].as_object_mut().expect("responses").remove("404");
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
            for parameter in parameters.into_iter().flatten() {
                let known = ids.iter().find(|(name, _)| parameter["name"] == *name);
                if let Some((_, known)) = known.filter(|_| parameter["in"] == "path") {
                    parameter["schema"] = json!({"type": "string", "enum": [known[wanted], "x"]});
                }
            }
        }
    }
    // Its schemas are large, and so are the values.
    ask(
        &server,
        &document,
        folder.path(),
        &["--phases", "examples,fuzzing", "--max-examples", "10"],
    );
}

/// Restores the name `y` in lists of required keys: readers of YAML 1.1 read it as a boolean.
/// Removes discriminators, because they do not name the schemas by the values of `type`.
fn repair(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            for key in map.get_mut("required").and_then(Value::as_array_mut).into_iter().flatten() {
                if key.is_boolean() {
                    *key = json!("y");
                }
            }
            if map.get("discriminator").is_some_and(Value::is_object) {
                map.remove("discriminator");
            }
            map.values_mut().for_each(repair);
        }
        Value::Array(items) => items.iter_mut().for_each(repair),
        _ => {}
    }
}

/// Two objects of each kind, by the names of their ids: one to keep, and one to delete.
async fn made(server: &Running) -> [(&'static str, [String; 2]); 3] {
    rehearsal::internals::prepare_tls();
    let http = reqwest::Client::new();
    let post = async |path: &str, body: Value| -> Value {
        let request = http.post(format!("{}{path}", server.base)).bearer_auth(KEY).json(&body);
        request.send().await.expect("an answer").json().await.expect("JSON")
    };
    let id = |object: &Value| object["id"].as_str().expect("an id").to_owned();
    let item = json!({"role": "user", "content": "Hello"});
    let there = id(&post("/conversations", json!({})).await);
    let added = json!({"items": [item, item]});
    let added = post(&format!("/conversations/{there}/items"), added).await;
    let goes = id(&post("/conversations", json!({})).await);
    let asked = json!({"model": "gpt-4o", "input": "Hello", "background": true, "stream": false});
    let responses =
        [id(&post("/responses", asked.clone()).await), id(&post("/responses", asked).await)];
    [
        ("conversation_id", [there, goes]),
        ("item_id", [id(&added["data"][0]), id(&added["data"][1])]),
        ("response_id", responses),
    ]
}
