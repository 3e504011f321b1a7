//! The tools of a response as they are echoed: those of the request, and those that its input
//! brings along. All of it recorded.
//!
//! A tool that was found by the service, or added in the input, is echoed in a namespace of its own
//! name. One that the client found is echoed as if the request had it; so is one that is added, by
//! newer models.

use serde_json::{Value, json};

use super::{input::NewItem, model::ModelDefaults, tool::ResponseTool};
use crate::types::reader;

/// The tools in the order in which they are echoed.
pub(super) fn echoed(tools: &[ResponseTool], input: &[NewItem], model: &str) -> Vec<Value> {
    let mut echoed: Vec<Value> = tools.iter().map(|tool| tool.0.clone()).collect();
    let mut namespaces = Vec::new();
    for (tool, is_plain) in input.iter().flat_map(|item| loaded(item, model)) {
        let place = echoed.iter().position(|known| is_same(known, &tool));
        match place {
            Some(place) if is_plain => echoed[place] = tool,
            None if is_plain || tool["name"].is_null() => echoed.push(tool),
            place => {
                if let Some(place) = place {
                    echoed.remove(place);
                }
                namespaces.push(namespace_of(tool));
            }
        }
    }
    // A stable sort: the rest stay in the order of the request.
    echoed.sort_by_key(|tool| match tool["type"].as_str() {
        Some("programmatic_tool_calling") => 0,
        Some("tool_search") => 2,
        _ => 1,
    });
    echoed.extend(namespaces);
    echoed
}

/// Whether two tools have one name. Tools of the service have none.
fn is_same(one: &Value, other: &Value) -> bool {
    one["name"].is_string() && one["name"] == other["name"]
}

fn namespace_of(tool: Value) -> Value {
    let (name, description) = (&tool["name"], &tool["description"]);
    json!({"type": "namespace", "description": description, "name": name, "tools": [tool]})
}

/// The tools that an item brings along, and whether they are echoed as if the request had them.
fn loaded(item: &NewItem, model: &str) -> Vec<(Value, bool)> {
    let is_plain = match item.kind.as_str() {
        "additional_tools" => ModelDefaults::of(model).adds_tools,
        "tool_search_output" => item.rest.get("execution").is_some_and(|by| by == "client"),
        _ => return Vec::new(),
    };
    let tools = item.rest.get("tools").and_then(Value::as_array).into_iter().flatten();
    tools.filter_map(|tool| Some((normal(tool)?, is_plain))).collect()
}

/// A tool with all keys of its type. It is there, so nothing defers it any more.
fn normal(tool: &Value) -> Option<Value> {
    let ResponseTool(mut tool) = reader::read(tool.clone()).ok()?;
    if let Some(tool) = tool.as_object_mut() {
        tool.shift_remove("defer_loading");
    }
    Some(tool)
}
