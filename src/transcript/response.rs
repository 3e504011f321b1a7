//! What a model has said to a question of a response, as a reply.
//!
//! A reply may take several responses: each brings the outputs of functions that the one before it
//! asked for. All that the model has said since the question is one reply, as it is of a run. So
//! the reply answers runs, too.

use serde_json::{Map, Value, json};

use super::{
    clean::clean_object,
    escape::{arguments, literal, literal_all, slug},
    generate::{matcher, timing},
    generated::GeneratedReply,
};
use crate::{
    clock::chain_of_response,
    redact::Redactor,
    types::{
        Item, Response, lenient,
        response::{
            ResponseStatus,
            item::{FILE_SEARCH_CALL, FUNCTION_CALL, MESSAGE, REASONING},
        },
        run::Performed,
    },
};

/// A question that a response answers.
#[derive(Debug)]
pub struct AnsweredQuestion<'r> {
    /// What the user said.
    pub question: Option<String>,
    pub turn: i64,
    /// What the model has said to it in earlier responses.
    pub before: &'r [Item],
    pub response: &'r Response,
    pub performed: &'r Performed,
}

impl AnsweredQuestion<'_> {
    /// The reply that says the same again, without a name that is its own.
    pub fn reply(&self, redactor: &Redactor) -> GeneratedReply {
        let question = self.question.as_deref().map(|question| redactor.clean(question));
        let mut when = Map::new();
        if let Some(question) = &question {
            when.insert("message".to_owned(), matcher(question));
        }
        when.insert("turn".to_owned(), self.turn.into());
        let items = self.before.iter().chain(&self.response.output);
        let performed = serde_json::to_value(self.performed).unwrap_or_default();
        GeneratedReply {
            name: question.as_deref().map(slug).unwrap_or_default(),
            when,
            times: None,
            steps: steps(items.map(|item| cleaned(item, redactor))),
            outcome: self.outcome(redactor),
            usage: self.usage(),
            timing: timing(&lenient::read(performed)),
        }
    }

    /// The key of the chain or the conversation that it is of.
    pub fn chain(&self) -> &str {
        chain_of_response(&self.response.id)
    }

    fn outcome(&self, redactor: &Redactor) -> Option<Value> {
        let Response { status, error, reason, .. } = self.response;
        match status {
            ResponseStatus::Failed => Some(match error {
                Some(error) => {
                    let message = redactor.clean(&error.message);
                    json!({"failed": {"code": error.code, "message": message}})
                }
                None => json!("failed"),
            }),
            ResponseStatus::Incomplete => reason.map(|reason| json!({"incomplete": reason})),
            // It stays until its client cancels it again.
            ResponseStatus::Cancelled => Some(json!("hang")),
            _ => None,
        }
    }

    /// The tokens, if one response was all of it: a reply has one figure for all of its responses.
    fn usage(&self) -> Option<Value> {
        let usage = self.response.usage.as_ref().filter(|_| self.before.is_empty())?;
        Some(json!({"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens}))
    }
}

/// An item without secrets.
fn cleaned(item: &Item, redactor: &Redactor) -> Item {
    let mut rest = Value::Object(item.rest.clone());
    clean_object(redactor, &mut rest);
    Item::new(item.id.as_str(), &item.kind, rest)
}

/// The steps of a reply. Functions that are called one after the other are called in one step.
fn steps(items: impl Iterator<Item = Item>) -> Vec<Value> {
    let mut steps: Vec<Value> = Vec::new();
    let mut goes_on = false;
    for item in items {
        let is_call = item.is(FUNCTION_CALL);
        if is_call
            && goes_on
            && let Some(calls) = steps.last_mut().and_then(|step| step["tool_calls"].as_array_mut())
        {
            calls.push(function(&item));
            continue;
        }
        goes_on = is_call;
        steps.push(step(&item));
    }
    steps
}

fn step(item: &Item) -> Value {
    match item.kind.as_str() {
        FUNCTION_CALL => json!({"tool_calls": [function(item)]}),
        MESSAGE => json!({"message": message(item)}),
        REASONING => json!({"reasoning": reasoning(item)}),
        FILE_SEARCH_CALL => {
            let query = item.rest.get("queries").and_then(|queries| queries[0].as_str());
            let query = query.map(|query| ("query".to_owned(), Value::from(literal(query))));
            let search: Map<_, _> = query.into_iter().collect();
            json!({"tool_calls": [{"file_search": search}]})
        }
        kind => {
            let mut shown = Map::from_iter([("type".to_owned(), Value::from(kind))]);
            let rest = item.rest.iter().filter(|(key, _)| *key != "status");
            shown.extend(rest.map(|(key, value)| (key.clone(), literal_all(value.clone()))));
            json!({ "item": shown })
        }
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
        .filter(|annotation| annotation["type"] == "file_citation")
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
