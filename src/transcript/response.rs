//! A question of a response, and everything that the model has said to it, as a reply.
//!
//! A reply may take several responses. Each one brings the outputs of the functions that the
//! response before it called. All items since the question are one reply, as they are of a run. So
//! the reply also answers runs.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::{
    clean::clean_object,
    escape::{arguments, literal, literal_all, matcher, slug},
    generated::GeneratedReply,
    recorded::{RecordedPerformance, RecordedResponse},
};
use crate::{
    redact::Redactor,
    types::{
        Item,
        response::{
            client_call,
            item::{
                CODE_INTERPRETER_CALL, FILE_SEARCH_CALL, FUNCTION_CALL, FUNCTION_CALL_OUTPUT,
                MESSAGE, REASONING,
            },
        },
    },
};

/// A question that a response answers, perhaps as the last one of several.
#[derive(Clone, Debug)]
pub struct AnsweredQuestion {
    /// The text of the user.
    pub question: Option<String>,
    pub turn: i64,
    /// Everything that the model has said to it.
    pub items: Vec<Item>,
    /// The last response.
    pub response: RecordedResponse,
    /// How many responses there are.
    pub parts: usize,
    pub performed: Option<RecordedPerformance>,
}

impl AnsweredQuestion {
    /// The reply that says the same again. Its name is not unique yet. With `results`, a file search
    /// finds what it found in the recording.
    pub fn reply(&self, redactor: &Redactor, results: bool) -> GeneratedReply {
        let question = self.question.as_deref().map(|question| redactor.clean(question));
        let mut when = Map::new();
        if let Some(question) = &question {
            when.insert("message".to_owned(), matcher(question));
        }
        when.insert("turn".to_owned(), self.turn.into());
        let items = self.items.iter().map(|item| cleaned(item, redactor));
        GeneratedReply {
            name: question.as_deref().map(slug).unwrap_or_default(),
            when,
            times: None,
            steps: steps(items, results),
            outcome: self.outcome(redactor),
            usage: self.usage(),
            timing: self.performed.as_ref().and_then(RecordedPerformance::timing),
        }
    }

    /// The files that the model cites or finds: ids and names.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        let parts = self.items.iter().flat_map(Item::parts);
        let cited = parts.flat_map(|part| part["annotations"].as_array().into_iter().flatten());
        let cited = cited.filter(|annotation| annotation["type"] == FILE_CITATION);
        let found = self.items.iter().flat_map(results_of);
        cited
            .chain(found)
            .filter_map(|file| Some((file["file_id"].as_str()?, file["filename"].as_str()?)))
    }

    fn outcome(&self, redactor: &Redactor) -> Option<Value> {
        let RecordedResponse { status, error, incomplete_details, .. } = &self.response;
        match status.as_str() {
            "failed" => {
                let code = redactor.clean(error.code.as_deref().unwrap_or("server_error"));
                let message = redactor.clean(error.message.as_deref().unwrap_or_default());
                Some(json!({"failed": {"code": code, "message": message}}))
            }
            "incomplete" => {
                let reason = incomplete_details.reason.as_deref();
                Some(json!({"incomplete": reason.unwrap_or("max_output_tokens")}))
            }
            // It stays until its client cancels it again.
            "cancelled" | "queued" | "in_progress" => Some(json!("hang")),
            _ => None,
        }
    }

    /// The tokens, if one response was all of it: a reply has one figure for all of its responses.
    fn usage(&self) -> Option<Value> {
        let usage = Some(&self.response.usage).filter(|_| self.parts == 1)?;
        let (prompt, completion) = (usage.input_tokens?, usage.output_tokens?);
        Some(json!({"prompt_tokens": prompt, "completion_tokens": completion}))
    }
}

const FILE_CITATION: &str = "file_citation";

/// The results that a file search shows.
fn results_of(item: &Item) -> impl Iterator<Item = &Value> {
    let results = item.rest.get("results").filter(|_| item.is(FILE_SEARCH_CALL));
    results.and_then(Value::as_array).into_iter().flatten()
}

/// An item without secrets.
fn cleaned(item: &Item, redactor: &Redactor) -> Item {
    let mut rest = Value::Object(item.rest.clone());
    clean_object(redactor, &mut rest);
    Item::new(item.id.as_str(), &item.kind, rest)
}

/// The steps of a reply. An output separates the parts that two responses made.
fn steps(items: impl Iterator<Item = Item>, results: bool) -> Vec<Value> {
    let items: Vec<_> = items.collect();
    let parts: Vec<_> = items.split(|item| item.is(FUNCTION_CALL_OUTPUT)).collect();
    let mut steps = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let asks = client_call::open_calls(part).any(|item| !is_plain_call(item));
        let calls_functions = part.iter().any(is_plain_call);
        steps.extend(steps_of_part(part, results));
        // Functions wait by themselves.
        if asks && !calls_functions && number + 1 < parts.len() {
            steps.push(json!({"await": "outputs"}));
        }
    }
    steps
}

/// The steps of one response. Adjacent calls of functions are one step. They end the response, so
/// other calls of the client come before them.
fn steps_of_part(part: &[Item], results: bool) -> Vec<Value> {
    let part = without_open_ids(part);
    let first_call = part.iter().position(is_plain_call).unwrap_or(part.len());
    let (before, rest) = part.split_at(first_call);
    let (asking, others): (Vec<_>, Vec<_>) =
        rest.iter().partition(|item| item.asks().is_some() && !is_plain_call(item));
    let mut steps: Vec<Value> =
        before.iter().chain(asking).map(|item| step(item, results)).collect();
    let mut goes_on = false;
    for item in others {
        let is_call = is_plain_call(item);
        match steps.last_mut().and_then(|step| step["tool_calls"].as_array_mut()) {
            Some(calls) if is_call && goes_on => calls.push(function(item)),
            _ => steps.push(step(item, results)),
        }
        goes_on = is_call;
    }
    steps
}

/// The items without the ids of calls that the client answers. Each performance draws other ones.
fn without_open_ids(part: &[Item]) -> Vec<Item> {
    let open: HashSet<_> = client_call::open_calls(part).filter_map(Item::asks).collect();
    let drawn = |item: &Item| item.asks().is_some_and(|id| open.contains(id));
    let mut items = part.to_vec();
    for item in items.iter_mut().filter(|item| drawn(item) && !is_plain_call(item)) {
        item.rest.shift_remove("call_id");
    }
    items
}

/// Whether the format has words for a call of a function: it has no keys that only some tools have.
fn is_plain_call(item: &Item) -> bool {
    item.is(FUNCTION_CALL)
        && !["namespace", "caller"]
            .iter()
            .any(|key| item.rest.get(*key).is_some_and(|value| !value.is_null()))
}

fn step(item: &Item, results: bool) -> Value {
    match item.kind.as_str() {
        FUNCTION_CALL if is_plain_call(item) => json!({"tool_calls": [function(item)]}),
        MESSAGE if has_words(item) => json!({"message": message(item)}),
        REASONING => json!({"reasoning": reasoning(item)}),
        FILE_SEARCH_CALL => json!({"tool_calls": [{"file_search": search(item, results)}]}),
        CODE_INTERPRETER_CALL => {
            json!({"tool_calls": [{"code_interpreter": interpreter(item)}]})
        }
        kind => {
            let mut shown = Map::from_iter([("type".to_owned(), Value::from(kind))]);
            let is_usual = |key: &str, value: &Value| key == "status" && value == "completed";
            let rest = item.rest.iter().filter(|(key, value)| !is_usual(key, value));
            shown.extend(rest.map(|(key, value)| (key.clone(), literal_all(value.clone()))));
            json!({ "item": shown })
        }
    }
}

/// Whether the format has words for a message: a text that cites nothing but files, and a refusal.
fn has_words(item: &Item) -> bool {
    let only_files = |part: &Value| {
        let annotations = part["annotations"].as_array().into_iter().flatten();
        annotations.into_iter().all(|annotation| annotation["type"] == FILE_CITATION)
    };
    let has_logprobs = |part: &Value| part["logprobs"].as_array().is_some_and(|it| !it.is_empty());
    let texts = item.parts().iter().filter(|part| part["text"].is_string()).count();
    let is_final = item.text_at("phase").is_none_or(|phase| phase == "final_answer");
    texts <= 1
        && is_final
        && item.parts().iter().all(|part| only_files(part) && !has_logprobs(part))
}

fn search(item: &Item, with_results: bool) -> Map<String, Value> {
    let query = item.rest.get("queries").and_then(|queries| queries[0].as_str());
    let query = query.map(|query| ("query".to_owned(), Value::from(literal(query))));
    let mut search: Map<_, _> = query.into_iter().collect();
    let results = results_of(item).filter_map(|result| {
        let file = result["filename"].as_str().or_else(|| result["file_id"].as_str())?;
        let text = result["text"].as_str().unwrap_or_default();
        Some(json!({"file": literal(file), "score": result["score"], "text": literal(text)}))
    });
    let results: Vec<_> = results.collect();
    if with_results && !results.is_empty() {
        search.insert("results".to_owned(), results.into());
    }
    search
}

fn interpreter(item: &Item) -> Value {
    let outputs = item.rest.get("outputs").and_then(Value::as_array).into_iter().flatten();
    let logs =
        outputs.filter_map(|output| Some(json!({"logs": literal(output["logs"].as_str()?)})));
    let logs: Vec<_> = logs.collect();
    let input = literal(item.text_at("code").unwrap_or_default());
    if logs.is_empty() {
        json!({ "input": input })
    } else {
        json!({"input": input, "outputs": logs})
    }
}

fn function(call: &Item) -> Value {
    let name = call.text_at("name").unwrap_or_default();
    let arguments = arguments(call.text_at("arguments").unwrap_or_default());
    json!({"function": {"name": name, "arguments": arguments}})
}

fn reasoning(item: &Item) -> Value {
    let parts = item.rest.get("summary").and_then(Value::as_array).into_iter().flatten();
    let summary: Vec<_> = parts.filter_map(|part| part["text"].as_str()).map(literal).collect();
    if summary.is_empty() { json!({}) } else { json!({ "summary": summary }) }
}

fn message(item: &Item) -> Value {
    let (mut text, mut citations) = (String::new(), Vec::new());
    for part in item.parts() {
        let said = part["text"].as_str().unwrap_or_default();
        text += &marked(said, &part["annotations"], &mut citations);
    }
    let refusal = item.parts().iter().find_map(|part| part["refusal"].as_str());
    let mut said = Map::new();
    if !text.is_empty() {
        said.insert("text".to_owned(), Value::from(text.clone()));
    }
    if let Some(refusal) = refusal {
        said.insert("refusal".to_owned(), literal(refusal).into());
    }
    if !citations.is_empty() {
        said.insert("citations".to_owned(), citations.into());
    }
    if said.keys().all(|key| key == "text") { Value::from(text) } else { Value::Object(said) }
}

/// A text with marks where it cites a file.
fn marked(text: &str, annotations: &Value, citations: &mut Vec<Value>) -> String {
    let annotations = annotations.as_array().into_iter().flatten();
    let mut cited: Vec<_> = annotations
        .filter(|annotation| annotation["type"] == FILE_CITATION)
        .filter_map(|annotation| {
            let index = usize::try_from(annotation["index"].as_u64()?).ok()?;
            let place = text.char_indices().nth(index).map_or(text.len(), |(place, _)| place);
            Some((place, annotation["filename"].as_str()?))
        })
        .collect();
    cited.sort_by_key(|(place, _)| *place);
    let (mut marked, mut done) = (String::new(), 0);
    for (place, file) in cited {
        marked += &literal(&text[done..place]);
        marked += "{{ cite }}";
        citations.push(json!({ "file": literal(file) }));
        done = place;
    }
    marked + &literal(&text[done..])
}
