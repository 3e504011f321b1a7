//! The tools of a response in their echoed form: those of the request, and those that its input
//! adds. All of this is recorded.
//!
//! A tool that the service found, or that the input adds, is echoed in a namespace with the name of
//! the tool. A tool that the client found is echoed like a tool of the request. Newer models echo
//! an added tool like that, too.

use serde_json::{Value, json};

use super::{input::NewItem, model::ModelDefaults, tool::ResponseTool};
use crate::types::reader;

/// The tools in their echoed order.
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
    // The sort is stable: the other tools keep the order of the request.
    echoed.sort_by_key(|tool| match tool["type"].as_str() {
        Some("programmatic_tool_calling") => 0,
        Some("tool_search") => 2,
        _ => 1,
    });
    echoed.extend(namespaces);
    echoed
}

/// Whether two tools have the same name. Tools of the service have no name.
fn is_same(one: &Value, other: &Value) -> bool {
    one["name"].is_string() && one["name"] == other["name"]
}

fn namespace_of(tool: Value) -> Value {
    let (name, description) = (&tool["name"], &tool["description"]);
    json!({"type": "namespace", "description": description, "name": name, "tools": [tool]})
}

/// The tools that an item adds, and whether they are echoed like tools of the request.
fn loaded(item: &NewItem, model: &str) -> Vec<(Value, bool)> {
    let is_plain = match item.kind.as_str() {
        "additional_tools" => ModelDefaults::of(model).adds_tools,
        "tool_search_output" => item.rest.get("execution").is_some_and(|by| by == "client"),
        _ => return Vec::new(),
    };
    let tools = item.rest.get("tools").and_then(Value::as_array).into_iter().flatten();
    tools.filter_map(|tool| Some((normal(tool)?, is_plain))).collect()
}

/// A tool with all keys of its type. It is loaded already, so it is not deferred any more.
fn normal(tool: &Value) -> Option<Value> {
    let ResponseTool(mut tool) = reader::read(tool.clone()).ok()?;
    if let Some(tool) = tool.as_object_mut() {
        tool.shift_remove("defer_loading");
    }
    Some(tool)
}
