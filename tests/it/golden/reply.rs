//! From the answers in a recording to a fixture that gives them again: one reply per run, in order.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Exchange;

/// What is known of a recorded run.
#[derive(Default)]
struct Recorded {
    run: Value,
    /// The last that was said of each step, in the order in which they were first seen, and made.
    steps: Vec<Value>,
    messages: BTreeMap<String, Value>,
    /// The functions that it waited for.
    calls: Vec<Value>,
    cancelled: bool,
}

pub fn fixture(exchanges: &[Exchange]) -> Value {
    let mut runs: Vec<(String, Recorded)> = Vec::new();
    for exchange in exchanges {
        for answer in exchange.answers() {
            let items = answer["data"].as_array().cloned().unwrap_or_else(|| vec![answer.clone()]);
            for item in items {
                note(&mut runs, &item, exchange.request.path.ends_with("/cancel"));
            }
        }
    }
    let replies: Vec<Value> = runs.into_iter().map(|(_, recorded)| recorded.reply()).collect();
    json!({ "replies": replies })
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
            if let Some(calls) = item["required_action"]["submit_tool_outputs"]["tool_calls"].as_array() {
                recorded.calls.clone_from(calls);
            }
            recorded.cancelled |= cancels;
            recorded.run = item.clone();
        }
        "thread.run.step" => match recorded.steps.iter_mut().find(|step| step["id"] == item["id"]) {
            Some(step) => *step = item.clone(),
            None => recorded.steps.push(item.clone()),
        },
        "thread.message" => _ = recorded.messages.insert(item["id"].as_str().unwrap_or_default().to_owned(), item.clone()),
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
                // Searches cannot be given by a fixture yet: such a step is missing here.
                Some(calls) if calls.iter().any(|call| call["type"] == "file_search") => {}
                Some(calls) if !calls.is_empty() => steps.push(functions(calls)),
                Some(_) if self.calls.is_empty() => {}
                Some(_) => steps.push(functions(&self.calls)),
                None => {
                    let message = details["message_creation"]["message_id"].as_str().unwrap_or_default();
                    steps.push(self.messages.get(message).map_or_else(|| json!({"message": "Not recorded."}), said));
                }
            }
        }
        json!({"times": 1, "steps": steps})
    }
}

fn said(message: &Value) -> Value {
    let text = message["content"][0]["text"]["value"].as_str().unwrap_or_default();
    json!({"message": format!("{{% raw %}}{text}{{% endraw %}}")})
}

fn functions(calls: &[Value]) -> Value {
    let calls: Vec<_> = calls
        .iter()
        .map(|call| match call["type"].as_str() {
            Some("code_interpreter") => {
                let outputs = call["code_interpreter"]["outputs"].as_array().cloned().unwrap_or_default();
                let logs: Vec<_> = outputs
                    .iter()
                    .filter(|output| output["type"] == "logs")
                    .map(|output| json!({"logs": output["logs"]}))
                    .collect();
                let input = call["code_interpreter"]["input"].as_str().unwrap_or_default();
                json!({"code_interpreter": {"input": format!("{{% raw %}}{input}{{% endraw %}}"), "outputs": logs}})
            }
            _ => json!({"function": {"name": call["function"]["name"], "arguments": call["function"]["arguments"]}}),
        })
        .collect();
    json!({ "tool_calls": calls })
}
