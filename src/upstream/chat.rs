//! A run as one or more chat completions: the requests, and the meaning of the answers.

use serde_json::{Map, Value, json};

use super::{
    client::{
        Finish, LONGEST, MessagePart, ThreadMessage, TurnError, Upstream, UpstreamPiece,
        UpstreamRequest, content_type, not_asked_for, parsed, too_long, usage_of, whole,
    },
    model_tools::{
        AnsweredCall, SEARCHES, answered, call, search_name, search_parameters, tokens_left,
        tool_choice,
    },
    pieces::PieceSender,
    stream::Events,
};
use crate::{
    turns::AskedRole,
    types::{Tool, Usage, run::IncompleteRun, step::StepDetails},
};

/// Requests one completion, and passes on its pieces as they come.
pub(super) async fn perform(
    upstream: &Upstream,
    asked: &UpstreamRequest,
    pieces: &PieceSender,
) -> Result<(), TurnError> {
    let response =
        upstream.send(upstream.post("/chat/completions"), &request(upstream, asked)).await?;
    let kind = content_type(&response);
    let mut completion = Completion { search: search_name(asked), ..Completion::default() };
    if kind.starts_with("text/event-stream") {
        let mut events = Events::new(response);
        while let Some(event) = events.next().await? {
            if event.data.trim() == "[DONE]" {
                completion.is_done = true;
                break;
            }
            let chunk = parsed(&event.data)?;
            upstream.refuse_error(&chunk)?;
            completion.take(&chunk, "delta", pieces).await?;
        }
    } else if kind.starts_with("application/json") {
        let answer = parsed(&whole(response).await?)?;
        upstream.refuse_error(&answer)?;
        completion.take(&answer, "message", pieces).await?;
    } else {
        return Err(not_asked_for(&kind, "a completion"));
    }
    completion.end(pieces).await
}

/// A completion, as far as it has arrived.
#[derive(Debug, Default)]
struct Completion {
    /// The name of the search tool, if there is one.
    search: Option<String>,
    has_begun: bool,
    /// The size of the answer so far, in bytes.
    said: usize,
    refusal: String,
    calls: Vec<Called>,
    usage: Option<Usage>,
    finish: Option<String>,
    is_done: bool,
}

impl Completion {
    async fn take(
        &mut self,
        chunk: &Value,
        part: &str,
        pieces: &PieceSender,
    ) -> Result<(), TurnError> {
        self.usage = usage_of(&chunk["usage"]).or(self.usage);
        let choice = &chunk["choices"][0];
        let said = &choice[part];
        if let Some(text) = said["content"].as_str().filter(|text| !text.is_empty()) {
            self.said += text.len();
            self.begin(pieces).await?;
            pieces.give(UpstreamPiece::Text(text.to_owned())).await?;
        }
        self.refusal += said["refusal"].as_str().unwrap_or_default();
        for call in said["tool_calls"].as_array().into_iter().flatten() {
            self.said += called(&mut self.calls, call);
        }
        if self.said + self.refusal.len() > LONGEST {
            return Err(too_long());
        }
        if let Some(finish) = choice["finish_reason"].as_str() {
            self.finish = Some(finish.to_owned());
        }
        Ok(())
    }

    async fn begin(&mut self, pieces: &PieceSender) -> Result<(), TurnError> {
        if !self.has_begun {
            self.has_begun = true;
            pieces.give(UpstreamPiece::Message).await?;
        }
        Ok(())
    }

    async fn end(mut self, pieces: &PieceSender) -> Result<(), TurnError> {
        if self.finish.is_none() && !self.is_done {
            return Err(TurnError::because("ended its answer in the middle"));
        }
        let cut_off = match self.finish.as_deref() {
            Some("length") => Some(IncompleteRun::MaxCompletionTokens),
            Some("content_filter") => Some(IncompleteRun::ContentFilter),
            _ => None,
        };
        if let Some(reason) = cut_off {
            // Calls that were cut off do not count.
            return pieces.give(UpstreamPiece::End(Finish::Incomplete(reason, self.usage))).await;
        }
        if !self.refusal.is_empty() {
            self.begin(pieces).await?;
            pieces.give(UpstreamPiece::Refusal(std::mem::take(&mut self.refusal))).await?;
        }
        if self.calls.is_empty() {
            // An empty answer is a message too.
            self.begin(pieces).await?;
            pieces.give(UpstreamPiece::Said(self.usage)).await?;
            return pieces.give(UpstreamPiece::End(Finish::Completed(None))).await;
        }
        if self.has_begun {
            // The usage of both is counted at the end.
            pieces.give(UpstreamPiece::Said(Some(Usage::default()))).await?;
        }
        let calls = std::mem::take(&mut self.calls).into_iter();
        let calls = calls
            .map(|called| call(self.search.as_deref(), called.name, called.arguments))
            .collect::<Result<Vec<_>, _>>()?;
        pieces.give(UpstreamPiece::Calls(calls, self.usage)).await
    }
}

/// A call, as far as it has arrived.
#[derive(Debug, Default)]
struct Called {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
}

/// Adds a piece to its call. The index selects the call. The id selects it where servers give all
/// calls the same index or none. Returns the length of the piece.
fn called(calls: &mut Vec<Called>, piece: &Value) -> usize {
    let (index, id) = (piece["index"].as_u64(), piece["id"].as_str().unwrap_or_default());
    let is_it = |call: &Called| {
        let is_other = !id.is_empty() && !call.id.is_empty() && call.id != id;
        !is_other && (index.is_none() || call.index == index)
    };
    let place = match calls.iter().rposition(is_it) {
        Some(place) => place,
        None => {
            calls.push(Called { index, ..Called::default() });
            calls.len() - 1
        }
    };
    let call = &mut calls[place];
    if call.id.is_empty() {
        id.clone_into(&mut call.id);
    }
    let name = piece["function"]["name"].as_str().unwrap_or_default();
    // Some servers send the whole name with every piece.
    if call.name != name {
        call.name += name;
    }
    let before = call.arguments.len();
    match &piece["function"]["arguments"] {
        Value::String(more) => call.arguments.push_str(more),
        Value::Null => {}
        // Some servers send the arguments parsed.
        whole => call.arguments = whole.to_string(),
    }
    name.len() + call.arguments.len().saturating_sub(before)
}

fn request(upstream: &Upstream, asked: &UpstreamRequest) -> Value {
    let run = &asked.run;
    let mut body = Map::new();
    body.insert("model".to_owned(), Value::from(upstream.model(&run.model)));
    body.insert("messages".to_owned(), Value::Array(messages(asked)));
    let tools = tools(asked);
    if !tools.is_empty() {
        body.insert("tools".to_owned(), Value::Array(tools));
        let function = |name: &str| json!({"type": "function", "function": {"name": name}});
        if let Some(choice) = tool_choice(asked, function) {
            body.insert("tool_choice".to_owned(), choice);
        }
        if !run.parallel_tool_calls {
            body.insert("parallel_tool_calls".to_owned(), Value::Bool(false));
        }
    }
    let format = json!(run.response_format);
    if format != "auto" {
        body.insert("response_format".to_owned(), format);
    }
    for (name, value) in [("temperature", run.temperature), ("top_p", run.top_p)] {
        if value != 1.0 {
            body.insert(name.to_owned(), Value::from(value));
        }
    }
    if let Some(effort) = &run.reasoning_effort {
        body.insert("reasoning_effort".to_owned(), json!(effort));
    }
    if let Some(left) = tokens_left(asked) {
        body.insert("max_completion_tokens".to_owned(), Value::from(left));
    }
    body.insert("stream".to_owned(), Value::Bool(true));
    body.insert("stream_options".to_owned(), json!({"include_usage": true}));
    Value::Object(body)
}

fn messages(asked: &UpstreamRequest) -> Vec<Value> {
    let mut messages = Vec::new();
    if let Some(instructions) = asked.run.instructions.as_deref().filter(|text| !text.is_empty()) {
        messages.push(json!({"role": "system", "content": instructions}));
    }
    messages.extend(asked.conversation.messages.iter().map(heard));
    for step in &asked.steps {
        match &step.step_details {
            StepDetails::MessageCreation { message_creation } => {
                let said = asked.conversation.own.get(message_creation.message_id.as_str());
                messages
                    .push(json!({"role": "assistant", "content": said.map_or("", String::as_str)}));
            }
            StepDetails::ToolCalls { tool_calls } => {
                let (mut calls, mut outputs) = (Vec::new(), Vec::new());
                for call in tool_calls.iter().filter_map(|call| answered(asked, call)) {
                    let AnsweredCall { id, name, arguments, output } = call;
                    let function = json!({"name": name, "arguments": arguments});
                    calls.push(json!({"id": id, "type": "function", "function": function}));
                    outputs.push(json!({"role": "tool", "tool_call_id": id, "content": output}));
                }
                call_in(&mut messages, calls);
                messages.extend(outputs);
            }
        }
    }
    messages
}

/// Calls that follow a text of the model belong to the same message.
fn call_in(messages: &mut Vec<Value>, calls: Vec<Value>) {
    let said = messages
        .last_mut()
        .filter(|last| last["role"] == "assistant" && last.get("tool_calls").is_none());
    match said {
        Some(said) => said["tool_calls"] = Value::Array(calls),
        None => messages.push(json!({"role": "assistant", "content": null, "tool_calls": calls})),
    }
}

fn heard(message: &ThreadMessage) -> Value {
    let has_image = message.parts.iter().any(|part| matches!(part, MessagePart::Image(_)));
    // Only messages of users may have images.
    if !has_image || message.role == AskedRole::Assistant {
        let texts = message.parts.iter().filter_map(|part| {
            if let MessagePart::Text(text) = part { Some(text.as_str()) } else { None }
        });
        return json!({"role": message.role, "content": texts.collect::<Vec<_>>().join("\n")});
    }
    let parts = message.parts.iter().map(|part| match part {
        MessagePart::Text(text) => json!({"type": "text", "text": text}),
        MessagePart::Image(url) => json!({"type": "image_url", "image_url": {"url": url}}),
    });
    json!({"role": message.role, "content": parts.collect::<Vec<_>>()})
}

fn tools(asked: &UpstreamRequest) -> Vec<Value> {
    let mut tools = Vec::new();
    for tool in &asked.run.tools {
        match tool {
            Tool::Function { function } => {
                let mut shown = json!({"name": function.name, "parameters": function.parameters});
                if let Some(description) = &function.description {
                    shown["description"] = Value::from(description.as_str());
                }
                if function.strict {
                    shown["strict"] = Value::Bool(true);
                }
                tools.push(json!({"type": "function", "function": shown}));
            }
            Tool::FileSearch { .. } | Tool::CodeInterpreter | Tool::Other(_) => {}
        }
    }
    if let Some(name) = search_name(asked) {
        let parameters = search_parameters();
        tools.push(json!({"type": "function",
            "function": {"name": name, "description": SEARCHES, "parameters": parameters}}));
    }
    tools
}
