//! The OpenAPI documents of the real service, as far as they are at hand: every answer that a test gets is
//! validated against that of its version. `REHEARSAL_API` names another folder for the documents.
//!
//! Where the document and the recorded service part, the recordings win; those places are named once, here.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{LazyLock, Mutex, PoisonError},
};

use jsonschema::Validator;
use rehearsal::types::Version;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Events, say};

/// One of the documents, and where the recorded service parts from it.
struct Document {
    file: &'static str,
    /// Keys that it requires and recorded answers do not have.
    not_sent: &'static [(&'static str, &'static [&'static str])],
    /// Keys that are null in recorded answers and may not be, says the document.
    null: &'static [(&'static str, &'static [&'static str])],
    /// Keywords that real objects went beyond.
    wider: &'static [(&'static str, &'static str)],
}

const V2: Document = Document {
    file: "assistants-v2.openapi.yaml",
    not_sent: &[
        // Answers over REST leave them out, events have them; a modify answers with `file_ids` for `attachments`.
        ("MessageObject", &["status", "incomplete_details", "completed_at", "incomplete_at", "attachments"]),
        ("RunStepObject", &["expired_at", "metadata"]),
        // The files of a batch are listed without it.
        ("VectorStoreFileObject", &["usage_bytes"]),
    ],
    null: &[
        ("RunObject", &["instructions"]),
        ("ListAssistantsResponse", &["first_id", "last_id"]),
        ("ListMessagesResponse", &["first_id", "last_id"]),
        ("ListRunsResponse", &["first_id", "last_id"]),
        ("ListRunStepsResponse", &["first_id", "last_id"]),
        ("ListFilesResponse", &["first_id", "last_id"]),
        ("ListVectorStoresResponse", &["first_id", "last_id"]),
        ("ListVectorStoreFilesResponse", &["first_id", "last_id"]),
        ("OpenAIFile", &["expires_at", "status_details"]),
        ("VectorStoreObject", &["name", "expires_after"]),
        // The first delta of a call says so.
        ("RunStepDeltaStepDetailsToolCallsFunctionObject", &["output"]),
    ],
    // Runs recorded with a budget of 16, and said to end by Azure's filter; batches recorded with another name for
    // themselves.
    wider: &[
        ("RunObject/properties/max_completion_tokens/minimum", "16"),
        (
            "RunObject/properties/incomplete_details/properties/reason/enum",
            r#"["max_completion_tokens", "max_prompt_tokens", "content_filter"]"#,
        ),
        // A purpose that requests may give.
        (
            "OpenAIFile/properties/purpose/enum",
            r#"["assistants", "assistants_output", "batch", "fine-tune", "user_data", "vision", "evals"]"#,
        ),
        ("VectorStoreFileBatchObject/properties/object/enum", r#"["vector_store.file_batch"]"#),
    ],
};

const V1: Document = Document {
    file: "assistants-v1.openapi.yaml",
    not_sent: &[
        ("MessageObject", &["status", "incomplete_details", "completed_at", "incomplete_at"]),
        ("RunStepObject", &["expired_at", "metadata"]),
    ],
    null: &[
        ("RunObject", &["instructions"]),
        ("ListAssistantsResponse", &["first_id", "last_id"]),
        ("ListAssistantFilesResponse", &["first_id", "last_id"]),
        ("ListMessagesResponse", &["first_id", "last_id"]),
        ("ListMessageFilesResponse", &["first_id", "last_id"]),
        ("ListRunsResponse", &["first_id", "last_id"]),
        ("ListRunStepsResponse", &["first_id", "last_id"]),
        ("OpenAIFile", &["expires_at", "status_details"]),
        ("RunStepDeltaStepDetailsToolCallsFunctionObject", &["output"]),
    ],
    // Recorded under v1 too, in April 2024.
    wider: &[
        ("RunObject/properties/max_completion_tokens/minimum", "16"),
        (
            "RunObject/properties/status/enum",
            r#"["queued", "in_progress", "requires_action", "cancelling", "cancelled", "failed", "completed", "expired", "incomplete"]"#,
        ),
        (
            "OpenAIFile/properties/purpose/enum",
            r#"["assistants", "assistants_output", "batch", "fine-tune", "user_data", "vision", "evals"]"#,
        ),
    ],
};

static CONTRACTS: [LazyLock<Option<Contract>>; 2] =
    [LazyLock::new(|| Contract::load(&V1)), LazyLock::new(|| Contract::load(&V2))];

fn contract(version: Version) -> Option<&'static Contract> {
    CONTRACTS[usize::from(version.is_v2())].as_ref()
}

/// The documents of v1 and v2, if they are at hand.
pub fn documents() -> Option<[Value; 2]> {
    Some([contract(Version::V1)?.document.clone(), contract(Version::V2)?.document.clone()])
}

/// The document that the control API serves of itself.
static CONTROL: LazyLock<Contract> = LazyLock::new(|| {
    let document = serde_json::from_str(include_str!("../../src/control/openapi.json")).expect("JSON");
    Contract { document, validators: Mutex::default() }
});

pub fn check(version: Version, method: &Method, path: &str, status: StatusCode, body: &Value) {
    let path = without_session(path);
    if let Some(path) = path.strip_prefix("/_rehearsal") {
        return CONTROL.check_control(method, path, status, body);
    }
    let Some(contract) = contract(version) else { return };
    if status.is_success() {
        if let Some(schema) = contract.schema_of(method, path).filter(|_| !body.is_null()) {
            contract.validate(&schema, body, path);
        }
    } else if path.starts_with("/v1/") {
        contract.validate("ErrorResponse", body, path);
    }
}

pub fn check_events(version: Version, events: &Events) {
    let Some(contract) = contract(version) else { return };
    for (name, data) in &events.0 {
        contract.validate("AssistantStreamEvent", &json!({"event": name, "data": data}), name);
    }
}

struct Contract {
    document: Value,
    validators: Mutex<HashMap<String, &'static Validator>>,
}

impl Contract {
    fn load(wanted: &Document) -> Option<Self> {
        let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/api");
        let folder = std::env::var_os("REHEARSAL_API").map_or_else(|| PathBuf::from(default), PathBuf::from);
        let path = folder.join(wanted.file);
        let Ok(text) = std::fs::read_to_string(&path) else {
            say(&format!("skipped: answers are not validated, there is no OpenAPI document at {}", path.display()));
            return None;
        };
        let mut document: Value = serde_saphyr::from_str(&text).expect("the OpenAPI document is YAML");
        for (schema, keys) in wanted.not_sent {
            let required = document["components"]["schemas"][*schema]["required"].as_array_mut();
            required.expect("a schema with required keys").retain(|key| !keys.contains(&key.as_str().unwrap_or_default()));
        }
        for (schema, keys) in wanted.null {
            for key in *keys {
                let Some(property) = document["components"]["schemas"].get_mut(*schema).and_then(|it| find_property(it, key))
                else {
                    continue;
                };
                *property = json!({"anyOf": [property.clone(), {"type": "null"}]});
            }
        }
        for (pointer, wider) in wanted.wider {
            let place = document.pointer_mut(&format!("/components/schemas/{pointer}"));
            *place.expect("a keyword") = serde_json::from_str(wider).expect("JSON");
        }
        Some(Self { document, validators: Mutex::default() })
    }

    /// Every answer of the control API has its schema, refusals too.
    fn check_control(&self, method: &Method, path: &str, status: StatusCode, body: &Value) {
        let answers = self.operation(method, path).map(|operation| &operation["responses"]);
        let schema = answers.and_then(|answers| {
            let answer = answers.get(status.as_str()).or_else(|| answers.get("default"))?;
            let answer = answer["$ref"].as_str().and_then(|place| self.document.pointer(&place[1..])).unwrap_or(answer);
            answer["content"]["application/json"]["schema"]["$ref"].as_str()?.rsplit('/').next()
        });
        if status.is_success() && !body.is_null() && path != "/openapi.json" {
            let schema = schema.unwrap_or_else(|| panic!("{method} {path} is not in the document"));
            self.validate(schema, body, path);
        } else if !status.is_success() {
            self.validate(schema.unwrap_or("Error"), body, path);
        }
    }

    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let paths = self.document["paths"].as_object()?;
        let (_, operations) = paths.iter().find(|(template, _)| fits(template, path))?;
        operations.get(method.as_str().to_lowercase())
    }

    /// The name of the schema of a successful answer.
    fn schema_of(&self, method: &Method, path: &str) -> Option<String> {
        let path = path.strip_prefix("/v1")?;
        let paths = self.document["paths"].as_object()?;
        let templates = paths.iter().filter(|(template, _)| fits(template, path));
        // `/threads/runs` also fits `/threads/{thread_id}`.
        let (_, operations) = templates.min_by_key(|(template, _)| template.matches('{').count())?;
        let answer = &operations[method.as_str().to_lowercase()]["responses"]["200"];
        let schema = answer["content"]["application/json"]["schema"]["$ref"].as_str()?;
        schema.rsplit('/').next().map(str::to_owned)
    }

    fn validate(&self, schema: &str, body: &Value, whence: &str) {
        let errors: Vec<_> = self.validator(schema).iter_errors(body).map(|error| error.to_string()).take(3).collect();
        assert!(errors.is_empty(), "{whence} is not a {schema}: {errors:#?}\n{body:#}");
    }

    fn validator(&self, schema: &str) -> &'static Validator {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        validators.entry(schema.to_owned()).or_insert_with(|| {
            let root = json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$ref": format!("#/components/schemas/{schema}"),
                "components": self.document["components"],
            });
            Box::leak(Box::new(jsonschema::validator_for(&root).expect("a JSON schema")))
        })
    }
}

/// A property of a schema, or of one of the schemas that it is put together from.
fn find_property<'v>(schema: &'v mut Value, key: &str) -> Option<&'v mut Value> {
    if schema["properties"].get(key).is_some() {
        return schema["properties"].get_mut(key);
    }
    // A function's properties stand one level deeper in the schemas of calls.
    schema["properties"].as_object_mut()?.values_mut().find_map(|property| property.get_mut("properties")?.get_mut(key))
}

fn without_session(path: &str) -> &str {
    path.strip_prefix("/s/").and_then(|rest| Some(&rest[rest.find('/')?..])).unwrap_or(path)
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len() && template.iter().zip(&path).all(|(part, got)| part.starts_with('{') || part == got)
}
