//! Random requests, valid and invalid, from the OpenAPI documents. No response is an error of the
//! server, and every response fits the document of its version. Schemathesis generates them from a
//! fixed seed.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::skipped::{Remedy, skip};
use crate::{
    clients::{SCHEMATHESIS, succeed},
    documents::{Document, V1, V2},
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
    let (fixtures, schema) = (folder.path().join("there.yaml"), folder.path().join("openapi.json"));
    fs::write(&fixtures, THERE).expect("fixtures");
    fs::write(&schema, prepared.to_string()).expect("a document");
    let server =
        Running::with(&["--fixtures", path(&fixtures), "--log", "error", "--journal", "0"]);
    let authorization = format!("Authorization: Bearer {KEY}");
    let beta = format!("OpenAI-Beta: assistants={beta}");
    succeed(
        Command::new(&*SCHEMATHESIS)
            .args(["run", path(&schema), "--url", &server.base, "-H", &authorization, "-H", &beta])
            .args(["--checks", "not_a_server_error,response_schema_conformance", "--mode", "all"])
            .args([
                "--phases",
                "examples,coverage,fuzzing",
                "--max-examples",
                "25",
                "--seed",
                "7",
                "--no-shrink",
            ])
            .args([
                "--suppress-health-check",
                "all",
                "--warnings",
                "off",
                "--no-color",
                "--generation-database",
                "none",
            ])
            .current_dir(folder.path()),
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
