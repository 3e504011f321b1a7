//! The OpenAPI documents of the real service, if they are available. If the recorded service
//! differs from them, the recordings have priority. All such places are listed here.
//! `REHEARSAL_API` selects another folder for the documents.

use std::path::PathBuf;

use serde_json::{Value, json};

/// One of the documents, and its differences from the recorded service.
pub struct Document {
    pub file: &'static str,
    /// Required keys that recorded responses do not have.
    not_sent: &'static [(&'static str, &'static [&'static str])],
    /// Keys that are null in recorded responses, although the document does not allow that.
    null: &'static [(&'static str, &'static [&'static str])],
    /// Keywords with limits that real objects exceeded.
    wider: &'static [(&'static str, &'static str)],
}

pub const V2: Document = Document {
    file: "assistants-v2.openapi.yaml",
    not_sent: &[
        // Responses over REST do not have them, but events do. The response to a modify has
        // `file_ids` in place of `attachments`.
        (
            "MessageObject",
            &["status", "incomplete_details", "completed_at", "incomplete_at", "attachments"],
        ),
        ("RunStepObject", &["expired_at", "metadata"]),
        // Lists of the files of a batch do not have it.
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
        // The first delta of a call has this null.
        ("RunStepDeltaStepDetailsToolCallsFunctionObject", &["output"]),
    ],
    // Recordings have runs with a budget of 16, runs that Azure's filter ended, and batches with
    // another object name.
    wider: &[
        ("RunObject/properties/max_completion_tokens/minimum", "16"),
        (
            "RunObject/properties/incomplete_details/properties/reason/enum",
            r#"["max_completion_tokens", "max_prompt_tokens", "content_filter"]"#,
        ),
        // A purpose that requests may have.
        (
            "OpenAIFile/properties/purpose/enum",
            r#"["assistants", "assistants_output", "batch", "fine-tune", "user_data", "vision", "evals"]"#,
        ),
        ("VectorStoreFileBatchObject/properties/object/enum", r#"["vector_store.file_batch"]"#),
        // The recordings have the other spelling, too.
        ("FileSearchRanker/enum", r#"["auto", "default_2024_08_21", "default-2024-08-21"]"#),
    ],
};

/// Responses and Conversations.
#[allow(dead_code, reason = "one of the two suites with this module does not use it")]
pub const RESPONSES: Document = Document {
    file: "responses-conversations.openapi.yaml",
    not_sent: &[],
    null: &[
        ("ModelResponseProperties", &["user", "safety_identifier", "prompt_cache_key"]),
        ("ConversationItemList", &["first_id", "last_id"]),
        ("ResponseItemList", &["first_id", "last_id"]),
    ],
    wider: &[],
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
    // The recordings have this under v1, too, in April 2024.
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
    /// The document with the differences of the recorded service. `None` if it is not available.
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

/// A property of a schema, or of one of its parts.
fn find_property<'v>(schema: &'v mut Value, key: &str) -> Option<&'v mut Value> {
    if schema["properties"].get(key).is_some() {
        return schema["properties"].get_mut(key);
    }
    // In the schemas of calls, the properties of a function are one level deeper.
    schema["properties"]
        .as_object_mut()?
        .values_mut()
        .find_map(|property| property.get_mut("properties")?.get_mut(key))
}
