//! Assistants as seeds: what a request would say to make them.

use serde_json::{Map, Value, json};

use super::recorded::RecordedAssistant;
use crate::types::lenient::{self, lenient};

lenient! {
    /// A tool, as far as a seed says it in another way than an answer.
    struct RecordedTool {
        #[serde(rename = "type")]
        kind: String,
        file_search: RecordedFileSearch,
    }

    struct RecordedFileSearch {
        max_num_results: Option<Value>,
    }
}

/// An assistant as a seed: what a request would say to make it.
pub(super) fn seed(assistant: &RecordedAssistant) -> Value {
    let mut seed = Map::new();
    seed.insert("id".to_owned(), Value::from(assistant.id.as_str()));
    for (key, text) in [
        ("name", &assistant.name),
        ("description", &assistant.description),
        ("model", &assistant.model),
        ("instructions", &assistant.instructions),
    ] {
        if let Some(text) = text {
            seed.insert(key.to_owned(), Value::from(text.as_str()));
        }
    }
    let tools: Vec<_> = assistant.tools.iter().map(tool).collect();
    if !tools.is_empty() {
        seed.insert("tools".to_owned(), Value::Array(tools));
    }
    for (key, value, usual) in [
        ("temperature", assistant.temperature.clone().map(Value::Number), json!(1.0)),
        ("top_p", assistant.top_p.clone().map(Value::Number), json!(1.0)),
        ("response_format", assistant.response_format.clone(), json!("auto")),
        ("metadata", assistant.metadata.clone(), json!({})),
    ] {
        if let Some(value) = value.filter(|value| *value != usual) {
            seed.insert(key.to_owned(), value);
        }
    }
    Value::Object(seed)
}

/// A tool as it was, but for what no request says.
fn tool(tool: &Map<String, Value>) -> Value {
    let known: RecordedTool = lenient::read(Value::Object(tool.clone()));
    let mut tool = tool.clone();
    match (known.kind.as_str(), known.file_search.max_num_results) {
        ("file_search", Some(most)) => {
            return json!({"type": "file_search", "file_search": {"max_num_results": most}});
        }
        ("file_search" | "retrieval", _) => return json!({"type": "file_search"}),
        ("function", _) => {
            if let Some(Value::Object(function)) = tool.get_mut("function")
                && function.get("strict") == Some(&Value::Bool(false))
            {
                function.shift_remove("strict");
            }
        }
        _ => {}
    }
    Value::Object(tool)
}
