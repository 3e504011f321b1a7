//! The OpenAPI documents of the real service, as far as they are at hand, and where the recorded
//! service parts from them: there the recordings win, and those places are named once, here.
//! `REHEARSAL_API` names another folder for the documents.

use std::path::PathBuf;

use serde_json::{Value, json};

/// One of the documents, and where the recorded service parts from it.
pub struct Document {
    pub file: &'static str,
    /// Keys that it requires and recorded answers do not have.
    not_sent: &'static [(&'static str, &'static [&'static str])],
    /// Keys that are null in recorded answers and may not be, says the document.
    null: &'static [(&'static str, &'static [&'static str])],
    /// Keywords that real objects went beyond.
    wider: &'static [(&'static str, &'static str)],
}

pub const V2: Document = Document {
    file: "assistants-v2.openapi.yaml",
    not_sent: &[
        // Answers over REST leave them out, events have them; a modify answers with `file_ids` for
        // `attachments`.
        (
            "MessageObject",
            &["status", "incomplete_details", "completed_at", "incomplete_at", "attachments"],
        ),
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
    // Runs recorded with a budget of 16, and said to end by Azure's filter; batches recorded with
    // another name for themselves.
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
        // Recorded in the other spelling too.
        ("FileSearchRanker/enum", r#"["auto", "default_2024_08_21", "default-2024-08-21"]"#),
    ],
};

pub const V1: Document = Document {
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

impl Document {
    /// The document as the recorded service keeps to it. None where it is not at hand.
    pub fn load(&self) -> Option<Value> {
        let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/api");
        let folder =
            std::env::var_os("REHEARSAL_API").map_or_else(|| PathBuf::from(default), PathBuf::from);
        let path = folder.join(self.file);
        let Ok(text) = std::fs::read_to_string(&path) else {
            return None;
        };
        let mut document: Value =
            serde_saphyr::from_str(&text).expect("the OpenAPI document is YAML");
        for (schema, keys) in self.not_sent {
            let required = document["components"]["schemas"][*schema]["required"].as_array_mut();
            required
                .expect("a schema with required keys")
                .retain(|key| !keys.contains(&key.as_str().unwrap_or_default()));
        }
        for (schema, keys) in self.null {
            for key in *keys {
                let Some(property) = document["components"]["schemas"]
                    .get_mut(*schema)
                    .and_then(|it| find_property(it, key))
                else {
                    continue;
                };
                *property = json!({"anyOf": [property.clone(), {"type": "null"}]});
            }
        }
        for (pointer, wider) in self.wider {
            let place = document.pointer_mut(&format!("/components/schemas/{pointer}"));
            *place.expect("a keyword") = serde_json::from_str(wider).expect("JSON");
        }
        Some(document)
    }
}

/// A property of a schema, or of one of the schemas that it is put together from.
fn find_property<'v>(schema: &'v mut Value, key: &str) -> Option<&'v mut Value> {
    if schema["properties"].get(key).is_some() {
        return schema["properties"].get_mut(key);
    }
    // A function's properties stand one level deeper in the schemas of calls.
    schema["properties"]
        .as_object_mut()?
        .values_mut()
        .find_map(|property| property.get_mut("properties")?.get_mut(key))
}
