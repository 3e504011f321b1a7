//! Validates every response in the tests against the OpenAPI document of its version, if the
//! document is available.

#[path = "../contract/documents.rs"]
mod documents;

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
};

use jsonschema::Validator;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use self::documents::{Document, V1, V2};
use crate::server::Events;
use crate::skipped::{Remedy, skip};

/// The API version of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V1,
    V2,
}

static CONTRACTS: [LazyLock<Option<Contract>>; 2] =
    [LazyLock::new(|| Contract::load(&V1)), LazyLock::new(|| Contract::load(&V2))];

fn contract(version: Version) -> Option<&'static Contract> {
    CONTRACTS[version as usize].as_ref()
}

/// The documents of v1 and v2, if they are available.
pub fn documents() -> Option<[Value; 2]> {
    Some([contract(Version::V1)?.document.clone(), contract(Version::V2)?.document.clone()])
}

/// The document that the control API serves.
static CONTROL: LazyLock<Contract> = LazyLock::new(|| {
    let document =
        serde_json::from_str(include_str!("../../src/control/openapi.json")).expect("JSON");
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
    } else if path.starts_with("/v1/") && !is_sunset(status, body) {
        contract.validate("ErrorResponse", body, path);
    }
}

/// Since the shutdown, such responses have no body.
fn is_sunset(status: StatusCode, body: &Value) -> bool {
    status == StatusCode::NOT_FOUND && body.is_null()
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
    fn load(document: &Document) -> Option<Self> {
        let loaded = document.load();
        if loaded.is_none() {
            let what = format!("the shapes of answers: {} is not at hand", document.file);
            skip(&what, Remedy::None);
        }
        Some(Self { document: loaded?, validators: Mutex::default() })
    }

    /// Every response of the control API has its schema, errors included.
    fn check_control(&self, method: &Method, path: &str, status: StatusCode, body: &Value) {
        let answers = self.operation(method, path).map(|operation| &operation["responses"]);
        let schema = answers.and_then(|answers| {
            let answer = answers.get(status.as_str()).or_else(|| answers.get("default"))?;
            let answer = answer["$ref"]
                .as_str()
                .and_then(|place| self.document.pointer(&place[1..]))
                .unwrap_or(answer);
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

    /// The name of the schema of a successful response.
    fn schema_of(&self, method: &Method, path: &str) -> Option<String> {
        let path = path.strip_prefix("/v1")?;
        let paths = self.document["paths"].as_object()?;
        let templates = paths.iter().filter(|(template, _)| fits(template, path));
        // `/threads/runs` also fits `/threads/{thread_id}`.
        let (_, operations) =
            templates.min_by_key(|(template, _)| template.matches('{').count())?;
        let answer = &operations[method.as_str().to_lowercase()]["responses"]["200"];
        let schema = answer["content"]["application/json"]["schema"]["$ref"].as_str()?;
        schema.rsplit('/').next().map(str::to_owned)
    }

    fn validate(&self, schema: &str, body: &Value, whence: &str) {
        let errors: Vec<_> = self
            .validator(schema)
            .iter_errors(body)
            .map(|error| error.to_string())
            .take(3)
            .collect();
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

fn without_session(path: &str) -> &str {
    path.strip_prefix("/s/").and_then(|rest| Some(&rest[rest.find('/')?..])).unwrap_or(path)
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(&path).all(|(part, got)| part.starts_with('{') || part == got)
}
