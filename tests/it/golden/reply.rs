//! Makes a fixture from the responses in a recording: one reply per run, in order.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Exchange, compare::is_id};

/// The known facts of a recorded run.
#[derive(Default)]
struct Recorded {
    run: Value,
    /// The last state of each step, in the order of first appearance and creation.
    steps: Vec<Value>,
    messages: BTreeMap<String, Value>,
    /// The functions that the run waited for.
    calls: Vec<Value>,
    cancelled: bool,
}

/// One reply for each recorded run. Its name is the id of the run.
pub fn replies(exchanges: &[Exchange]) -> Value {
    let mut runs: Vec<(String, Recorded)> = Vec::new();
    for exchange in exchanges {
        // A run without a recorded object has at least a name.
        let named =
            exchange.request.path.split('/').find(|part| part.starts_with("run_") && is_id(part));
        if let Some(run) = named.filter(|run| !runs.iter().any(|(id, _)| id == run)) {
            runs.push((run.to_owned(), Recorded::default()));
        }
        for item in exchange.objects() {
            note(&mut runs, &item, exchange.request.path.ends_with("/cancel"));
        }
    }
    let replies = runs.into_iter().map(|(id, recorded)| {
        let mut reply = recorded.reply();
        reply["name"] = Value::from(id);
        reply
    });
    Value::Array(replies.collect())
}

fn note(runs: &mut Vec<(String, Recorded)>, item: &Value, cancels: bool) {
    let object = item["object"].as_str().unwrap_or_default();
    let run = if object == "thread.run" { &item["id"] } else { &item["run_id"] };
    let Some(run) = run.as_str() else { return };
    let place = runs.iter().position(|(id, _)| id == run).unwrap_or_else(|| {
        runs.push((run.to_owned(), Recorded::default()));
        runs.len() - 1
    });
    let recorded = &mut runs[place].1;
    match object {
        "thread.run" => {
            if let Some(calls) =
                item["required_action"]["submit_tool_outputs"]["tool_calls"].as_array()
            {
                recorded.calls.clone_from(calls);
            }
            recorded.cancelled |= cancels;
            recorded.run = item.clone();
        }
        "thread.run.step" => {
            match recorded.steps.iter_mut().find(|step| step["id"] == item["id"]) {
                Some(step) => *step = item.clone(),
                None => recorded.steps.push(item.clone()),
            }
        }
        "thread.message" => {
            _ = recorded
                .messages
                .insert(item["id"].as_str().unwrap_or_default().to_owned(), item.clone())
        }
        _ => {}
    }
}

impl Recorded {
    fn reply(mut self) -> Value {
        if self.cancelled {
            return json!({"times": 1, "outcome": "hang"});
        }
        self.steps.sort_by_key(|step| step["created_at"].as_i64());
        let mut steps = Vec::new();
        if self.steps.is_empty() {
            if !self.calls.is_empty() {
                steps.push(functions(&self.calls));
            }
            let mut messages: Vec<_> = self.messages.values().collect();
            messages.sort_by_key(|message| message["created_at"].as_i64());
            steps.extend(messages.into_iter().map(said));
        }
        for step in &self.steps {
            let details = &step["step_details"];
            match details["tool_calls"].as_array() {
                Some(calls) if !calls.is_empty() => steps.push(functions(calls)),
                Some(_) if self.calls.is_empty() => {}
                Some(_) => steps.push(functions(&self.calls)),
                None => {
                    let message =
                        details["message_creation"]["message_id"].as_str().unwrap_or_default();
                    steps.push(
                        self.messages
                            .get(message)
                            .map_or_else(|| json!({"message": "Not recorded."}), said),
                    );
                }
            }
        }
        json!({"times": 1, "steps": steps})
    }
}

fn said(message: &Value) -> Value {
    let parts = message["content"].as_array().cloned().unwrap_or_default();
    let text = parts.iter().find_map(|part| part["text"]["value"].as_str()).unwrap_or_default();
    let annotations = parts
        .iter()
        .find_map(|part| part["text"]["annotations"].as_array())
        .cloned()
        .unwrap_or_default();
    let (mut text, mut citations) = (raw(text), Vec::new());
    for annotation in annotations.iter().filter(|annotation| annotation["type"] == "file_citation")
    {
        let marker = annotation["text"].as_str().unwrap_or_default();
        text = text.replacen(marker, "{% endraw %}{{ cite }}{% raw %}", 1);
        let name = marker.trim_end_matches('】').rsplit('†').next().unwrap_or_default();
        citations.push(json!({"file": raw(name)}));
    }
    let images: Vec<_> =
        parts.iter().filter_map(|part| part["image_file"]["file_id"].as_str()).map(image).collect();
    json!({"message": {"text": text, "citations": citations, "images": images}})
}

fn raw(text: &str) -> String {
    format!("{{% raw %}}{text}{{% endraw %}}")
}

/// A replacement for a recorded image.
fn image(id: &str) -> Value {
    json!({"name": format!("{id}.png"), "text": id})
}

fn functions(calls: &[Value]) -> Value {
    let calls: Vec<_> = calls
        .iter()
        .map(|call| match call["type"].as_str() {
            Some("code_interpreter") => {
                let outputs =
                    call["code_interpreter"]["outputs"].as_array().cloned().unwrap_or_default();
                let outputs =
                    outputs.iter().map(|output| match output["image"]["file_id"].as_str() {
                        Some(id) => json!({"image": image(id)}),
                        None => json!({"logs": raw(output["logs"].as_str().unwrap_or_default())}),
                    });
                let outputs: Vec<_> = outputs.collect();
                let input = raw(call["code_interpreter"]["input"].as_str().unwrap_or_default());
                json!({"code_interpreter": {"input": input, "outputs": outputs}})
            }
            Some("retrieval") => json!({"file_search": {}}),
            Some("file_search") => {
                let results =
                    call["file_search"]["results"].as_array().cloned().unwrap_or_default();
                let results = results.iter().map(|result| {
                    let text = result["content"][0]["text"].as_str().unwrap_or("Not recorded.");
                    json!({"file": raw(result["file_name"].as_str().unwrap_or_default()),
                        "score": result["score"], "text": raw(text)})
                });
                json!({"file_search": {"results": results.collect::<Vec<_>>()}})
            }
            _ => json!({"function": {"name": call["function"]["name"],
                "arguments": call["function"]["arguments"]}}),
        })
        .collect();
    json!({ "tool_calls": calls })
}
