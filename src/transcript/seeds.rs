//! Assistants as seeds: what a request would say to make them.

use serde_json::{Map, Value, json};

/// An assistant as a seed: what a request would say to make it.
pub(super) fn seed(assistant: &Value) -> Value {
    let mut seed = Map::new();
    seed.insert("id".to_owned(), assistant["id"].clone());
    for key in ["name", "description", "model", "instructions"] {
        if !assistant[key].is_null() {
            seed.insert(key.to_owned(), assistant[key].clone());
        }
    }
    let tools: Vec<_> = assistant["tools"].as_array().into_iter().flatten().map(tool).collect();
    if !tools.is_empty() {
        seed.insert("tools".to_owned(), Value::Array(tools));
    }
    for (key, usual) in [
        ("temperature", json!(1.0)),
        ("top_p", json!(1.0)),
        ("response_format", json!("auto")),
        ("metadata", json!({})),
    ] {
        if !assistant[key].is_null() && assistant[key] != usual {
            seed.insert(key.to_owned(), assistant[key].clone());
        }
    }
    Value::Object(seed)
}

/// An assistant that was never shown itself, as far as one of its runs tells.
pub(super) fn seed_of_run(run: &Value) -> Value {
    let mut assistant = run.clone();
    assistant["id"] = run["assistant_id"].clone();
    // What is said of a run is not said of its assistant.
    assistant["metadata"] = Value::Null;
    if assistant["model"].is_null() {
        assistant["model"] = Value::from("gpt-4o");
    }
    seed(&assistant)
}

fn tool(tool: &Value) -> Value {
    match tool["type"].as_str() {
        Some("retrieval") => json!({"type": "file_search"}),
        Some("file_search") => {
            let most = &tool["file_search"]["max_num_results"];
            if most.is_null() {
                json!({"type": "file_search"})
            } else {
                json!({"type": "file_search", "file_search": {"max_num_results": most}})
            }
        }
        Some("function") => {
            let mut tool = tool.clone();
            if let Some(function) = tool["function"].as_object_mut()
                && function.get("strict") == Some(&Value::Bool(false))
            {
                function.shift_remove("strict");
            }
            tool
        }
        _ => tool.clone(),
    }
}
