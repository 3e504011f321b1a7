//! Makes a fixture from the responses in a recording: one reply for each request for a response.
//! Its name is the index of the exchange.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Exchange;

/// The name of the reply for an exchange.
pub fn name(index: usize) -> String {
    format!("exchange-{index}")
}

pub fn document(exchanges: &[Exchange]) -> Value {
    let created = exchanges.iter().enumerate().filter(|(_, exchange)| exchange.creates());
    let replies = created.map(|(index, exchange)| {
        let mut reply = reply(exchange, exchanges);
        reply["name"] = Value::from(name(index));
        reply
    });
    let models = exchanges.iter().filter(|exchange| response_of(exchange).is_some());
    let models = models.filter_map(|it| it.request.body.as_ref()?["model"].as_str());
    json!({"models": models.collect::<Vec<_>>(), "replies": replies.collect::<Vec<_>>(),
        "files": files(exchanges), "vector_stores": stores(exchanges)})
}

/// The vector stores that were made before the recording.
fn stores(exchanges: &[Exchange]) -> Vec<Value> {
    let ids = tools(exchanges).flat_map(|tool| tool["vector_store_ids"].as_array());
    let ids: BTreeSet<_> = ids.flatten().filter_map(Value::as_str).collect();
    ids.into_iter().map(|id| json!({"id": id, "name": "Given"})).collect()
}

/// The tools of all requests.
fn tools(exchanges: &[Exchange]) -> impl Iterator<Item = &Value> {
    let requests = exchanges.iter().filter_map(|exchange| exchange.request.body.as_ref());
    requests.flat_map(|body| body["tools"].as_array().into_iter().flatten())
}

/// The files that were uploaded before the recording, and that containers are given.
fn files(exchanges: &[Exchange]) -> Vec<Value> {
    let ids = tools(exchanges)
        .flat_map(|tool| tool["container"]["file_ids"].as_array().into_iter().flatten());
    let ids: BTreeSet<_> = ids.filter_map(Value::as_str).collect();
    let file = |id| json!({"id": id, "path": {"name": "given.txt", "text": "Given."}});
    ids.into_iter().map(file).collect()
}

/// The response object of an exchange. For a stream, it is the last one.
fn response_of(exchange: &Exchange) -> Option<&Value> {
    let mut events = exchange.response.sse.iter().flatten().map(|event| &event.data["response"]);
    let last = events.rfind(|response| response.is_object());
    last.or(exchange.response.body.as_ref().filter(|body| body["object"] == "response"))
}

/// The last state of the same response, if it was polled.
fn newest<'e>(response: &'e Value, exchanges: &'e [Exchange]) -> &'e Value {
    let mut all = exchanges.iter().rev().filter_map(response_of);
    all.find(|it| it["id"] == response["id"]).unwrap_or(response)
}

fn reply(exchange: &Exchange, exchanges: &[Exchange]) -> Value {
    let Some(response) = response_of(exchange) else { return json!({"steps": []}) };
    let response = newest(response, exchanges);
    let output = response["output"].as_array().cloned().unwrap_or_default();
    let mut steps: Vec<Value> = Vec::new();
    for item in &output {
        let step = step(item);
        // Adjacent calls are one step.
        match (steps.last_mut().and_then(|last| last["tool_calls"].as_array_mut()), &step) {
            (Some(calls), Value::Object(step))
                if is_function(item)
                    && step.contains_key("tool_calls")
                    && calls.iter().all(|call| call["function"].is_object()) =>
            {
                calls.extend(step["tool_calls"].as_array().cloned().unwrap_or_default());
            }
            _ => steps.push(step),
        }
    }
    let mut reply = json!({ "steps": steps });
    match response["status"].as_str() {
        Some("incomplete") => {
            let reason = &response["incomplete_details"]["reason"];
            let reason = if reason == "max_output_tokens" {
                &json!("max_completion_tokens")
            } else {
                reason
            };
            reply["outcome"] = json!({"incomplete": reason});
        }
        Some("failed") => {
            let error = &response["error"];
            reply["outcome"] =
                json!({"failed": {"code": error["code"], "message": error["message"]}});
        }
        Some("cancelled" | "queued" | "in_progress") => reply["outcome"] = json!("hang"),
        _ => {}
    }
    reply
}

fn is_function(item: &Value) -> bool {
    item["type"] == "function_call"
}

fn raw(text: &str) -> String {
    format!("{{% raw %}}{text}{{% endraw %}}")
}

fn step(item: &Value) -> Value {
    let texts = |parts: &Value, key: &str| -> Vec<String> {
        let parts = parts.as_array().into_iter().flatten();
        parts.filter_map(|part| part[key].as_str()).map(raw).collect()
    };
    match item["type"].as_str() {
        Some("message") if is_plain(item) => {
            let text = texts(&item["content"], "text");
            let refusal = texts(&item["content"], "refusal");
            let mut said = Map::new();
            said.extend(text.first().map(|text| ("text".to_owned(), json!(text))));
            said.extend(refusal.first().map(|text| ("refusal".to_owned(), json!(text))));
            json!({ "message": said })
        }
        Some("reasoning") => json!({"reasoning": {"summary": texts(&item["summary"], "text")}}),
        Some("function_call") if item["namespace"].is_null() => {
            json!({"tool_calls": [{"function": {"name": item["name"],
                "arguments": raw(item["arguments"].as_str().unwrap_or_default())}}]})
        }
        _ => {
            let mut item = item.clone();
            item.as_object_mut().unwrap().shift_remove("id");
            json!({ "item": quoted(&item) })
        }
    }
}

/// Whether the fixture format can express a message: one part, without annotations.
fn is_plain(item: &Value) -> bool {
    let parts = item["content"].as_array().cloned().unwrap_or_default();
    let is_bare = |part: &Value| part["annotations"].as_array().is_none_or(Vec::is_empty);
    let has_logprobs = |part: &Value| part["logprobs"].as_array().is_some_and(|it| !it.is_empty());
    let is_final = item["phase"].is_null() || item["phase"] == "final_answer";
    parts.len() == 1 && is_bare(&parts[0]) && !has_logprobs(&parts[0]) && is_final
}

/// An item whose texts are not templates.
fn quoted(value: &Value) -> Value {
    match value {
        Value::String(text)
            if text.contains("{{") || text.contains("{%") || text.contains("{#") =>
        {
            raw(text).into()
        }
        Value::Array(items) => items.iter().map(quoted).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), quoted(value))).collect(),
        other => other.clone(),
    }
}
