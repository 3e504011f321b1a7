//! A run on another server that speaks the Assistants API. Its assistant and its thread are created
//! there. The client gets the events of the run as they come, and the run gets the outputs of the
//! client's functions.
//!
//! Files and vector stores stay where they are. The remote thread is kept for later runs.

use std::collections::HashSet;

use reqwest::RequestBuilder;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    client::{
        Finish, MessagePart, ThreadMessage, TurnError, Upstream, UpstreamCall, UpstreamPiece,
        UpstreamRequest, usage_of, whole,
    },
    pieces::PieceSender,
    remote_objects::RemoteThread,
    stream::Events,
};
use crate::types::{
    Tool,
    run::{IncompleteRun, LastError},
};

/// Begins the remote run, or gives it the outputs that it waits for.
pub(super) async fn perform(
    upstream: &Upstream,
    asked: &UpstreamRequest,
    pieces: &PieceSender,
) -> Result<(), TurnError> {
    let events = match Waiting::new(asked) {
        Some(waiting) => waiting.submit(upstream).await?,
        None => begin(upstream, asked).await?,
    };
    pass_on(upstream, events, pieces).await
}

/// A remote run that waits for the outputs of functions.
struct Waiting<'a> {
    thread: &'a str,
    run: &'a str,
    outputs: Vec<Value>,
}

impl<'a> Waiting<'a> {
    fn new(asked: &'a UpstreamRequest) -> Option<Self> {
        let (thread, run) = (asked.note["thread"].as_str()?, asked.note["run"].as_str()?);
        let calls = asked.note["calls"].as_array()?.iter();
        let given = asked.steps.last()?.function_outputs();
        let outputs =
            calls.zip(given).map(|(id, output)| json!({"tool_call_id": id, "output": output}));
        Some(Self { thread, run, outputs: outputs.collect() })
    }

    async fn submit(self, upstream: &Upstream) -> Result<Events, TurnError> {
        let Self { thread, run, outputs } = self;
        let path = format!("/threads/{thread}/runs/{run}/submit_tool_outputs");
        upstream.stream(&path, &json!({"tool_outputs": outputs, "stream": true})).await
    }
}

impl Upstream {
    fn beta(&self, path: &str) -> RequestBuilder {
        self.post(path).header("openai-beta", "assistants=v2")
    }

    async fn stream(&self, path: &str, body: &Value) -> Result<Events, TurnError> {
        Ok(Events::new(self.send(self.beta(path), body).await?))
    }

    /// Creates a remote object, and returns its id.
    async fn make(&self, path: &str, body: &Value) -> Result<String, TurnError> {
        let answer = whole(self.send(self.beta(path), body).await?).await?;
        let made = serde_json::from_str::<Value>(&answer).unwrap_or_default();
        self.refuse_error(&made)?;
        let id = made["id"].as_str().map(str::to_owned);
        id.ok_or_else(|| {
            TurnError::because(format_args!(
                "answered {path} with something that is no object of the Assistants API"
            ))
        })
    }
}

async fn begin(upstream: &Upstream, asked: &UpstreamRequest) -> Result<Events, TurnError> {
    let known = upstream.remote.threads.lock().get(asked.run.thread_id.as_str()).cloned();
    if let Some(remote_thread) = known
        && let Ok(events) = begin_on(upstream, asked, remote_thread).await
    {
        return Ok(events);
    }
    // There is no such thread, or not any more, or an earlier run still holds it.
    let given: Vec<_> = asked.conversation.messages.iter().collect();
    let messages: Vec<_> = given.iter().filter_map(|heard| message(heard)).collect();
    let id = upstream.make("/threads", &json!({ "messages": messages })).await?;
    let given = given.into_iter().map(|heard| heard.id.clone()).collect();
    begin_on(upstream, asked, RemoteThread { id, given, runs: HashSet::new() }).await
}

/// Begins a run on a remote thread. Before that, the thread gets all messages that it lacks.
async fn begin_on(
    upstream: &Upstream,
    asked: &UpstreamRequest,
    mut remote_thread: RemoteThread,
) -> Result<Events, TurnError> {
    let assistant = assistant(upstream, asked).await?;
    for heard in &asked.conversation.messages {
        let is_its_own = heard.run.as_ref().is_some_and(|run| remote_thread.runs.contains(run));
        if !is_its_own
            && remote_thread.given.insert(heard.id.clone())
            && let Some(message) = message(heard)
        {
            upstream.make(&format!("/threads/{}/messages", remote_thread.id), &message).await?;
        }
    }
    let events = upstream
        .stream(&format!("/threads/{}/runs", remote_thread.id), &order(asked, &assistant))
        .await?;
    remote_thread.runs.insert(asked.run.id.to_string());
    // A response on its own has no thread, so it sends all messages each time.
    if !asked.run.thread_id.as_str().is_empty() {
        upstream.remote.threads.lock().insert(asked.run.thread_id.to_string(), remote_thread);
    }
    Ok(events)
}

/// The remote assistant: the same for all runs with the same settings.
async fn assistant(upstream: &Upstream, asked: &UpstreamRequest) -> Result<String, TurnError> {
    let run = &asked.run;
    let mut body = json!({
        "model": upstream.model(&run.model),
        "instructions": run.instructions,
        "tools": run.tools.iter().map(tool).collect::<Vec<_>>(),
        "temperature": run.temperature,
        "top_p": run.top_p,
        "response_format": run.response_format,
    });
    if let Some(assistant) = &asked.assistant {
        body["name"] = json!(assistant.name);
        body["description"] = json!(assistant.description);
        body["metadata"] = json!(assistant.metadata);
    }
    let key = body.to_string();
    let known = upstream.remote.assistants.lock().get(&key).cloned();
    if let Some(id) = known {
        return Ok(id);
    }
    let id = upstream.make("/assistants", &body).await?;
    upstream.remote.assistants.lock().insert(key, id.clone());
    Ok(id)
}

fn tool(tool: &Tool) -> Value {
    match tool {
        Tool::Function { function } => json!({"type": tool.kind(), "function": function}),
        Tool::CodeInterpreter | Tool::FileSearch { .. } | Tool::Other(_) => {
            json!({"type": tool.kind()})
        }
    }
}

fn order(asked: &UpstreamRequest, assistant: &str) -> Value {
    let run = &asked.run;
    let mut order = Map::new();
    order.insert("assistant_id".to_owned(), Value::from(assistant));
    for (name, most) in [
        ("max_completion_tokens", run.max_completion_tokens),
        ("max_prompt_tokens", run.max_prompt_tokens),
    ] {
        if let Some(most) = most {
            order.insert(name.to_owned(), Value::from(most));
        }
    }
    order.insert("truncation_strategy".to_owned(), json!(run.truncation_strategy));
    order.insert("tool_choice".to_owned(), json!(run.tool_choice));
    order.insert("parallel_tool_calls".to_owned(), json!(run.parallel_tool_calls));
    order.insert("metadata".to_owned(), json!(run.metadata));
    order.insert("stream".to_owned(), Value::Bool(true));
    Value::Object(order)
}

/// A message in the form of a request; `None` if no part of it can be sent.
fn message(heard: &ThreadMessage) -> Option<Value> {
    let parts = heard.parts.iter().filter_map(|part| match part {
        MessagePart::Text(text) if text.is_empty() => None,
        MessagePart::Text(text) => Some(json!({"type": "text", "text": text})),
        // A file of the thread, which the other server does not have.
        MessagePart::Image(url) if url.starts_with("data:") => None,
        MessagePart::Image(url) => Some(json!({"type": "image_url", "image_url": {"url": url}})),
    });
    let parts: Vec<_> = parts.collect();
    (!parts.is_empty()).then(|| json!({"role": heard.role, "content": parts}))
}

/// Passes on the events of the remote run.
async fn pass_on(
    upstream: &Upstream,
    mut events: Events,
    pieces: &PieceSender,
) -> Result<(), TurnError> {
    while let Some(event) = events.next().await? {
        if event.name == "done" {
            break;
        }
        let Ok(object) = serde_json::from_str::<Value>(&event.data) else {
            return Err(TurnError::because("sent something that is not JSON"));
        };
        upstream.refuse_error(&object)?;
        match event.name.as_str() {
            "thread.message.created" => pieces.give(UpstreamPiece::Message).await?,
            "thread.message.delta" => {
                for part in object["delta"]["content"].as_array().into_iter().flatten() {
                    if let Some(text) = part["text"]["value"].as_str() {
                        pieces.give(UpstreamPiece::Text(text.to_owned())).await?;
                    }
                }
            }
            "thread.message.completed" => {
                for refusal in object["content"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|part| part["refusal"].as_str())
                {
                    pieces.give(UpstreamPiece::Refusal(refusal.to_owned())).await?;
                }
            }
            "thread.run.step.completed" => {
                if let Some(piece) = step(&object) {
                    pieces.give(piece).await?;
                }
            }
            "thread.run.requires_action" => {
                let calls = object["required_action"]["submit_tool_outputs"]["tool_calls"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default();
                let ids: Vec<_> = calls.iter().map(|call| call["id"].clone()).collect();
                let note =
                    json!({"thread": object["thread_id"], "run": object["id"], "calls": ids});
                pieces.give(UpstreamPiece::Note(note)).await?;
                return pieces
                    .give(UpstreamPiece::Calls(calls.iter().map(function).collect(), None))
                    .await;
            }
            name => {
                if let Some(finish) = finish(name, &object) {
                    return pieces.give(UpstreamPiece::End(finish)).await;
                }
            }
        }
    }
    Err(TurnError::because("ended its answer in the middle"))
}

fn function(call: &Value) -> UpstreamCall {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    UpstreamCall::Function {
        name: text(&call["function"]["name"]),
        arguments: text(&call["function"]["arguments"]),
    }
}

/// A step that has ended. Its functions were passed on when the run began to wait for them.
fn step(step: &Value) -> Option<UpstreamPiece> {
    let usage = usage_of(&step["usage"]);
    let Some(calls) = step["step_details"]["tool_calls"].as_array() else {
        return Some(UpstreamPiece::Said(usage));
    };
    let calls = calls.iter().filter_map(|call| match call["type"].as_str()? {
        "code_interpreter" => {
            let interpreter = &call["code_interpreter"];
            let outputs = interpreter["outputs"].as_array().into_iter().flatten();
            let logs =
                outputs.filter_map(|output| output["logs"].as_str().map(str::to_owned)).collect();
            Some(UpstreamCall::Interpreter {
                input: interpreter["input"].as_str().unwrap_or_default().to_owned(),
                logs,
            })
        }
        "file_search" => Some(UpstreamCall::Searched),
        _ => None,
    });
    let calls: Vec<_> = calls.collect();
    (!calls.is_empty()).then_some(UpstreamPiece::Calls(calls, usage))
}

fn finish(event: &str, run: &Value) -> Option<Finish> {
    Some(match event {
        "thread.run.completed" => Finish::Completed(usage_of(&run["usage"])),
        "thread.run.failed" => {
            Finish::Failed(LastError::deserialize(&run["last_error"]).unwrap_or_else(|_| {
                LastError::server_error("The run failed at the upstream, which did not say why.")
            }))
        }
        "thread.run.incomplete" => {
            let reason = IncompleteRun::deserialize(&run["incomplete_details"]["reason"]);
            // Its steps have already reported their usage.
            Finish::Incomplete(reason.unwrap_or(IncompleteRun::MaxCompletionTokens), None)
        }
        "thread.run.expired" => Finish::Expired,
        "thread.run.cancelled" => {
            Finish::Unanswered(LastError::server_error("The run was cancelled at the upstream."))
        }
        _ => return None,
    })
}
