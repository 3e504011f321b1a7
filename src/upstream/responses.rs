//! A run as one or more responses of another server: the requests, and the meaning of the answers.
//!
//! The other server stores nothing: each request brings everything. The note keeps what only that
//! server knows: the ids of its calls, and the reasoning before them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    client::{
        Finish, LONGEST, MessagePart, ThreadMessage, TurnError, Upstream, UpstreamCall,
        UpstreamPiece, UpstreamRequest, content_type, not_asked_for, parsed, too_long, whole,
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
    types::{
        Tool, Usage, limits,
        response::{
            ResponseStatus,
            item::{
                CODE_INTERPRETER_CALL, FUNCTION_CALL, FUNCTION_CALL_OUTPUT, MESSAGE, REASONING,
            },
            model::ModelDefaults,
        },
        run::{IncompleteRun, LastError},
        step::StepDetails,
    },
};

/// Requests one response, and passes on its pieces as they come.
pub(super) async fn perform(
    upstream: &Upstream,
    asked: &UpstreamRequest,
    pieces: &PieceSender,
) -> Result<(), TurnError> {
    let note = Note::deserialize(&asked.note).unwrap_or_default();
    let body = request(upstream, asked, &note);
    let response = upstream.send(upstream.post("/responses"), &body).await?;
    let kind = content_type(&response);
    let mut answer = RemoteAnswer { search: search_name(asked), note, ..RemoteAnswer::default() };
    if kind.starts_with("text/event-stream") {
        let mut events = Events::new(response);
        while let Some(event) = events.next().await? {
            if event.data.trim() == "[DONE]" {
                break;
            }
            let event = parsed(&event.data)?;
            if event["type"].is_null() {
                upstream.refuse_error(&event)?;
            }
            if answer.take(&event, pieces).await? {
                return Ok(());
            }
        }
        let error = answer.error.map(TurnError::from);
        return Err(error.unwrap_or_else(|| TurnError::because("ended its answer in the middle")));
    }
    if !kind.starts_with("application/json") {
        return Err(not_asked_for(&kind, "a response"));
    }
    let response = parsed(&whole(response).await?)?;
    if response["output"].is_null() {
        upstream.refuse_error(&response)?;
    }
    for item in response["output"].as_array().into_iter().flatten() {
        answer.take_item(item, pieces).await?;
    }
    answer.end(&response, pieces).await
}

/// What the next request for the same run needs: the rounds of calls so far.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    rounds: Vec<RemoteRound>,
}

/// Calls of one answer, with the reasoning before them.
#[derive(Debug, Default, Serialize, Deserialize)]
struct RemoteRound {
    reasoning: Vec<Value>,
    calls: Vec<RemoteCall>,
}

/// A call: its id at the other server, and the function.
#[derive(Debug, Serialize, Deserialize)]
struct RemoteCall {
    id: String,
    name: String,
}

impl RemoteRound {
    /// Whether the calls of a step are in this round. The searches of an earlier response are in no
    /// step any more.
    fn has(&self, calls: &[AnsweredCall<'_>]) -> bool {
        calls.iter().all(|call| self.calls.iter().any(|known| known.name == call.name))
    }
}

/// An answer, as far as it has arrived.
#[derive(Debug, Default)]
struct RemoteAnswer {
    /// The name of the search tool, if there is one.
    search: Option<String>,
    note: Note,
    /// Whether a message has begun and is not closed yet. It is closed before the next piece,
    /// because its usage comes last.
    is_open: bool,
    /// Whether the open message has its text from a stream.
    is_streamed: bool,
    /// The size of the answer so far, in bytes.
    said: usize,
    has_said: bool,
    round: RemoteRound,
    calls: Vec<UpstreamCall>,
    /// The error that the stream has reported.
    error: Option<LastError>,
}

impl RemoteAnswer {
    /// Takes an event of a stream. Returns whether it is the last one.
    async fn take(&mut self, event: &Value, pieces: &PieceSender) -> Result<bool, TurnError> {
        match event["type"].as_str().unwrap_or_default() {
            "response.output_text.delta" => {
                let text = event["delta"].as_str().unwrap_or_default();
                self.is_streamed = true;
                self.say(text, pieces).await?;
            }
            "response.output_item.added" if event["item"]["type"] == MESSAGE => {
                self.close(pieces).await?;
                self.begin(pieces).await?;
            }
            "response.output_item.done" => self.take_item(&event["item"], pieces).await?,
            "response.completed"
            | "response.incomplete"
            | "response.failed"
            | "response.cancelled" => {
                self.end(&event["response"], pieces).await?;
                return Ok(true);
            }
            // The end of the response follows, unless the server breaks off.
            "error" => {
                let inner = &event["error"];
                self.error = Some(failure(if inner.is_object() { inner } else { event }));
            }
            _ => {}
        }
        Ok(false)
    }

    /// Takes an item that is complete. A message may have come already, as a stream.
    async fn take_item(&mut self, item: &Value, pieces: &PieceSender) -> Result<(), TurnError> {
        let Some(kind) = item["type"].as_str() else { return Ok(()) };
        let text = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
        match kind {
            MESSAGE => self.take_message(item, pieces).await?,
            REASONING => self.take_reasoning(item, pieces).await?,
            // A call that was cut off does not count.
            FUNCTION_CALL if item["status"] == "incomplete" => {}
            FUNCTION_CALL => {
                self.grows_by(text("arguments").len())?;
                self.round.calls.push(RemoteCall { id: text("call_id"), name: text("name") });
                let call = call(self.search.as_deref(), text("name"), text("arguments"))?;
                self.calls.push(call);
            }
            CODE_INTERPRETER_CALL => {
                let outputs = item["outputs"].as_array().into_iter().flatten();
                let logs = outputs.filter_map(|output| output["logs"].as_str().map(str::to_owned));
                let logs: Vec<_> = logs.collect();
                self.grows_by(text("code").len() + logs.iter().map(String::len).sum::<usize>())?;
                let call = UpstreamCall::Interpreter { input: text("code"), logs };
                self.close(pieces).await?;
                let usage = Some(Usage::default());
                pieces.give(UpstreamPiece::Calls(vec![call], usage)).await?;
            }
            _ => {
                let mut item = item.as_object().cloned().unwrap_or_default();
                item.shift_remove("id");
                self.grows_by(Value::Object(item.clone()).to_string().len())?;
                self.close(pieces).await?;
                pieces.give(UpstreamPiece::Item(item)).await?;
            }
        }
        Ok(())
    }

    async fn take_message(&mut self, item: &Value, pieces: &PieceSender) -> Result<(), TurnError> {
        if !self.is_open {
            self.begin(pieces).await?;
        }
        for part in item["content"].as_array().into_iter().flatten() {
            if let Some(text) = part["text"].as_str().filter(|_| !self.is_streamed) {
                self.say(text, pieces).await?;
            }
            if let Some(refusal) = part["refusal"].as_str() {
                self.grows_by(refusal.len())?;
                pieces.give(UpstreamPiece::Refusal(refusal.to_owned())).await?;
            }
        }
        Ok(())
    }

    async fn take_reasoning(
        &mut self,
        item: &Value,
        pieces: &PieceSender,
    ) -> Result<(), TurnError> {
        let parts = item["summary"].as_array().into_iter().flatten();
        let summary: Vec<_> =
            parts.filter_map(|part| part["text"].as_str().map(str::to_owned)).collect();
        self.grows_by(summary.iter().map(String::len).sum())?;
        // The other server stores nothing, so only encrypted reasoning can come back to it.
        if let Some(encrypted) = item["encrypted_content"].as_str() {
            self.grows_by(encrypted.len())?;
            self.round.reasoning.push(json!({"type": REASONING, "summary": item["summary"],
                "encrypted_content": encrypted}));
        }
        self.close(pieces).await?;
        pieces.give(UpstreamPiece::Reasoning(summary)).await
    }

    async fn begin(&mut self, pieces: &PieceSender) -> Result<(), TurnError> {
        (self.is_open, self.is_streamed, self.has_said) = (true, false, true);
        pieces.give(UpstreamPiece::Message).await
    }

    async fn say(&mut self, text: &str, pieces: &PieceSender) -> Result<(), TurnError> {
        self.grows_by(text.len())?;
        if !std::mem::replace(&mut self.is_open, true) {
            self.has_said = true;
            pieces.give(UpstreamPiece::Message).await?;
        }
        pieces.give(UpstreamPiece::Text(text.to_owned())).await
    }

    /// Closes the open message, whose usage is counted with the end.
    async fn close(&mut self, pieces: &PieceSender) -> Result<(), TurnError> {
        match std::mem::take(&mut self.is_open) {
            true => pieces.give(UpstreamPiece::Said(Some(Usage::default()))).await,
            false => Ok(()),
        }
    }

    fn grows_by(&mut self, bytes: usize) -> Result<(), TurnError> {
        self.said += bytes;
        if self.said > LONGEST { Err(too_long()) } else { Ok(()) }
    }

    /// Takes the end of the response.
    async fn end(&mut self, response: &Value, pieces: &PieceSender) -> Result<(), TurnError> {
        let usage = usage_of(&response["usage"]);
        let finish = match ResponseStatus::deserialize(&response["status"]) {
            Ok(ResponseStatus::Completed) => return self.complete(usage, pieces).await,
            Ok(ResponseStatus::Incomplete) => {
                let reason = match response["incomplete_details"]["reason"].as_str() {
                    Some("content_filter") => IncompleteRun::ContentFilter,
                    _ => IncompleteRun::MaxCompletionTokens,
                };
                // Calls that were cut off do not count.
                Finish::Incomplete(reason, usage)
            }
            Ok(ResponseStatus::Failed) => Finish::Failed(failure(&response["error"])),
            _ => Finish::Unanswered(LastError::server_error(
                "The upstream ended its response without an answer.",
            )),
        };
        pieces.give(UpstreamPiece::End(finish)).await
    }

    async fn complete(
        &mut self,
        usage: Option<Usage>,
        pieces: &PieceSender,
    ) -> Result<(), TurnError> {
        if self.calls.is_empty() {
            if !self.has_said {
                // An empty answer is a message too.
                self.begin(pieces).await?;
            }
            // An item behind the last message has closed it.
            let total = if std::mem::take(&mut self.is_open) {
                pieces.give(UpstreamPiece::Said(usage)).await?;
                None
            } else {
                usage
            };
            return pieces.give(UpstreamPiece::End(Finish::Completed(total))).await;
        }
        self.close(pieces).await?;
        let mut note = std::mem::take(&mut self.note);
        note.rounds.push(std::mem::take(&mut self.round));
        pieces.give(UpstreamPiece::Note(json!(note))).await?;
        pieces.give(UpstreamPiece::Calls(std::mem::take(&mut self.calls), usage)).await
    }
}

/// The error of a response or of a stream.
fn failure(error: &Value) -> LastError {
    let code = error["code"].as_str().unwrap_or("server_error").to_owned();
    let message = error["message"].as_str();
    let message = message.unwrap_or("The response failed at the upstream, which did not say why.");
    LastError { code, message: message.to_owned() }
}

/// The usage that a response reports, if it does.
fn usage_of(usage: &Value) -> Option<Usage> {
    let of = |details: &str, key: &str| usage[details][key].as_u64().unwrap_or_default();
    let all = Usage::new(usage["input_tokens"].as_u64()?, usage["output_tokens"].as_u64()?);
    let cached = of("input_tokens_details", "cached_tokens");
    Some(all.with_details(cached, of("output_tokens_details", "reasoning_tokens")))
}

fn request(upstream: &Upstream, asked: &UpstreamRequest, note: &Note) -> Value {
    let run = &asked.run;
    let model = upstream.model(&run.model);
    let mut body = Map::from_iter([
        ("model".to_owned(), Value::from(model)),
        ("input".to_owned(), Value::Array(input(asked, note))),
        ("store".to_owned(), Value::Bool(false)),
        ("stream".to_owned(), Value::Bool(true)),
    ]);
    let mut add = |key: &str, value: Value| body.insert(key.to_owned(), value);
    if let Some(instructions) = run.instructions.as_deref().filter(|text| !text.is_empty()) {
        add("instructions", instructions.into());
    }
    let tools = tools(asked);
    if !tools.is_empty() {
        add("tools", Value::Array(tools));
        let function = |name: &str| json!({"type": "function", "name": name});
        if let Some(choice) = tool_choice(asked, function) {
            add("tool_choice", choice);
        }
        if !run.parallel_tool_calls {
            add("parallel_tool_calls", Value::Bool(false));
        }
    }
    if let Some(format) = format(&json!(run.response_format)) {
        add("text", json!({ "format": format }));
    }
    for (name, value) in [("temperature", run.temperature), ("top_p", run.top_p)] {
        if value != 1.0 {
            add(name, value.into());
        }
    }
    let reasons = ModelDefaults::of(model).reasons();
    let reasoning = reasoning(asked);
    if !reasoning.is_empty() {
        add("reasoning", reasoning.into());
    }
    let mut include = Vec::new();
    if reasons {
        include.push("reasoning.encrypted_content");
    }
    if run.tools.contains(&Tool::CodeInterpreter) {
        include.push("code_interpreter_call.outputs");
    }
    if !include.is_empty() {
        add("include", include.into());
    }
    if let Some(left) = tokens_left(asked) {
        add("max_output_tokens", left.max(FEWEST).into());
    }
    Value::Object(body)
}

/// The service refuses a lower limit.
const FEWEST: u64 = limits::COMPLETION_BUDGET.unsigned_abs();

/// How the model is to reason, as the client has said it.
fn reasoning(asked: &UpstreamRequest) -> Map<String, Value> {
    if let Value::Object(reasoning) = &asked.conversation.reasoning {
        let given = reasoning.iter().filter(|(_, value)| !value.is_null());
        return given.map(|(key, value)| (key.clone(), value.clone())).collect();
    }
    let effort = asked.run.reasoning_effort.as_ref();
    effort.map(|effort| ("effort".to_owned(), json!(effort))).into_iter().collect()
}

/// The form of the answer, if it is not plain text.
fn format(format: &Value) -> Option<Value> {
    match format["type"].as_str()? {
        kind @ "json_schema" => {
            let mut flat = Map::from_iter([("type".to_owned(), Value::from(kind))]);
            flat.extend(format[kind].as_object().cloned().unwrap_or_default());
            Some(Value::Object(flat))
        }
        "json_object" => Some(format.clone()),
        _ => None,
    }
}

fn input(asked: &UpstreamRequest, note: &Note) -> Vec<Value> {
    let mut input: Vec<_> = asked.conversation.messages.iter().map(heard).collect();
    let mut rounds = note.rounds.iter();
    for step in &asked.steps {
        match &step.step_details {
            StepDetails::MessageCreation { message_creation } => {
                let said = asked.conversation.own.get(message_creation.message_id.as_str());
                input.extend(said.map(|text| said_by_model(text)));
            }
            StepDetails::ToolCalls { tool_calls } => {
                let calls = tool_calls.iter().filter_map(|call| answered(asked, call));
                let calls: Vec<_> = calls.collect();
                if calls.is_empty() {
                    continue;
                }
                let round = rounds.find(|round| round.has(&calls));
                let mut known: Vec<_> = round.iter().flat_map(|round| &round.calls).collect();
                input.extend(round.into_iter().flat_map(|round| round.reasoning.clone()));
                let mut outputs = Vec::new();
                for AnsweredCall { id, name, arguments, output } in calls {
                    let place = known.iter().position(|call| call.name == name);
                    let id = place.map_or(id, |place| known.remove(place).id.as_str());
                    input.push(json!({"type": FUNCTION_CALL, "call_id": id, "name": name,
                        "arguments": arguments}));
                    outputs.push(json!({"type": FUNCTION_CALL_OUTPUT, "call_id": id,
                        "output": output}));
                }
                input.extend(outputs);
            }
        }
    }
    input
}

fn said_by_model(text: &str) -> Value {
    json!({"role": "assistant", "content": [{"type": "output_text", "text": text}]})
}

fn heard(message: &ThreadMessage) -> Value {
    let is_of_model = message.role == AskedRole::Assistant;
    let parts = message.parts.iter().filter_map(|part| match part {
        MessagePart::Text(text) if is_of_model => {
            Some(json!({"type": "output_text", "text": text}))
        }
        MessagePart::Text(text) => Some(json!({"type": "input_text", "text": text})),
        // Only messages of users may have images.
        MessagePart::Image(_) if is_of_model => None,
        MessagePart::Image(url) => {
            Some(json!({"type": "input_image", "image_url": url, "detail": "auto"}))
        }
    });
    json!({"role": message.role, "content": parts.collect::<Vec<_>>()})
}

/// The tools that the other server may use: functions, which the client performs, and what the
/// server performs itself.
fn tools(asked: &UpstreamRequest) -> Vec<Value> {
    const HOSTED: [&str; 5] = [
        "web_search",
        "web_search_preview",
        "web_search_2025_08_26",
        "web_search_preview_2025_03_11",
        "mcp",
    ];
    let mut tools = Vec::new();
    for tool in &asked.run.tools {
        match tool {
            Tool::Function { function } => {
                tools.push(json!({"type": tool.kind(), "name": function.name,
                    "description": function.description, "parameters": function.parameters,
                    "strict": function.strict}));
            }
            Tool::CodeInterpreter => {
                tools.push(json!({"type": tool.kind(), "container": {"type": "auto"}}));
            }
            Tool::Other(given) if HOSTED.contains(&tool.kind()) => {
                let given = given.iter().filter(|(_, value)| !value.is_null());
                tools.push(given.map(|(key, value)| (key.clone(), value.clone())).collect());
            }
            Tool::FileSearch { .. } | Tool::Other(_) => {}
        }
    }
    if let Some(name) = search_name(asked) {
        tools.push(json!({"type": "function", "name": name, "description": SEARCHES,
            "parameters": search_parameters(), "strict": false}));
    }
    tools
}
