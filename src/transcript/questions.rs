//! The questions in recorded responses, each with everything that the model said to it.
//!
//! A question may take several responses. Each one brings the outputs of the functions that the
//! response before it called: by `previous_response_id`, by a conversation, or in a list with all
//! earlier items. The ids of the calls connect the responses.

use std::collections::HashMap;

use serde_json::Value;

use super::{recorded::RecordedResponse, response::AnsweredQuestion};
use crate::types::{
    Item,
    lenient::{Items, lenient},
    reader,
    response::{client_call, input::Input, item::FUNCTION_CALL_OUTPUT, question},
};

lenient! {
    /// A request that brings items: for a response, or for a conversation.
    pub struct RecordedInput {
        pub input: Option<Value>,
        pub items: Option<Value>,
        pub previous_response_id: Option<String>,
        pub conversation: Option<Value>,
        pub tools: Items<Value>,
    }
}

/// A request with items, and the response to it, if it was one for a response.
#[derive(Clone, Debug)]
struct RecordedExchange {
    conversation: Option<String>,
    previous: Option<String>,
    input: Vec<Item>,
    /// The vector stores that its tools search.
    stores: Vec<String>,
    response: Option<RecordedResponse>,
}

/// Recorded responses, in their order.
#[derive(Clone, Debug, Default)]
pub struct RecordedQuestions {
    exchanges: Vec<RecordedExchange>,
    /// The place of each response in it, by its id.
    places: HashMap<String, usize>,
}

impl RecordedInput {
    /// The items of the request. Without a request, or with one that cannot be read, there are
    /// none.
    fn items(&self) -> Vec<Item> {
        let given = self.input.clone().or_else(|| self.items.clone()).unwrap_or_default();
        let read = reader::read::<Input>(given).unwrap_or_default();
        read.0.into_iter().map(|item| item.into_item(str::to_owned)).collect()
    }

    fn stores(&self) -> Vec<String> {
        let ids = self.tools.iter().filter_map(|tool| tool["vector_store_ids"].as_array());
        ids.flatten().filter_map(|id| id.as_str().map(str::to_owned)).collect()
    }

    fn conversation(&self) -> Option<String> {
        let named = self.conversation.as_ref()?;
        named.as_str().or_else(|| named["id"].as_str()).map(str::to_owned)
    }
}

impl RecordedQuestions {
    pub fn absorb(&mut self, others: Self) {
        for exchange in others.exchanges {
            self.add(exchange);
        }
    }

    /// Adds a response, with the request for it, or the newest state of a known response.
    pub fn note(&mut self, asked: Option<&RecordedInput>, response: RecordedResponse) {
        if response.id.is_empty() {
            return;
        }
        if let Some(place) = self.places.get(&response.id) {
            let known = &mut self.exchanges[*place].response;
            if known.as_ref().is_none_or(|known| !known.is_over() || response.is_over()) {
                *known = Some(response);
            }
            return;
        }
        // A response that the recording only polls has no question.
        let Some(asked) = asked else { return };
        self.add(RecordedExchange {
            conversation: asked.conversation(),
            previous: asked.previous_response_id.clone(),
            input: asked.items(),
            stores: asked.stores(),
            response: Some(response),
        });
    }

    /// Adds items that a client puts into a conversation.
    pub fn note_items(&mut self, conversation: &str, asked: &RecordedInput) {
        let conversation = Some(conversation.to_owned());
        self.add(RecordedExchange {
            conversation,
            previous: None,
            input: asked.items(),
            stores: Vec::new(),
            response: None,
        });
    }

    fn add(&mut self, exchange: RecordedExchange) {
        if let Some(response) = &exchange.response {
            self.places.insert(response.id.clone(), self.exchanges.len());
        }
        self.exchanges.push(exchange);
    }

    /// The vector stores that responses search.
    pub(super) fn stores(&self) -> impl Iterator<Item = &String> {
        self.exchanges.iter().flat_map(|exchange| &exchange.stores)
    }

    /// The questions in their order.
    pub(super) fn answered(&self) -> Vec<AnsweredQuestion> {
        let mut counted = Counted::default();
        self.exchanges.iter().for_each(|exchange| counted.take(exchange));
        counted.questions
    }
}

/// A question as it was when a response called functions: its place, and its size then.
#[derive(Clone)]
struct Asking {
    place: usize,
    turn: i64,
    items: usize,
    parts: usize,
}

/// Where a chain or a conversation is.
#[derive(Clone, Default)]
struct Context {
    turn: i64,
    /// The newest message of the user.
    question: Option<String>,
}

/// The questions so far, and where each chain and each conversation is.
#[derive(Default)]
struct Counted {
    questions: Vec<AnsweredQuestion>,
    /// By the ids of responses and conversations.
    contexts: HashMap<String, Context>,
    /// The questions that wait for outputs, by the ids of their calls.
    calls: HashMap<String, Asking>,
}

impl Counted {
    fn take(&mut self, exchange: &RecordedExchange) {
        let input = &exchange.input;
        let known = exchange.previous.as_ref().or(exchange.conversation.as_ref());
        let before = known.and_then(|id| self.contexts.get(id)).cloned().unwrap_or_default();
        let asked = input.iter().rfind(|item| item.role() == Some("user")).map(Item::text);
        let question = asked.or(before.question);
        let waiting = question::call_just_answered(input.iter());
        let waiting = waiting.and_then(|call| self.calls.get(call)).cloned();
        let Some(response) = &exchange.response else {
            let turn = question::answered(input, before.turn);
            self.note([exchange.conversation.as_ref()], &Context { turn, question });
            return;
        };
        let goes_on = waiting.as_ref().map(|it| it.turn);
        let turn = question::turn(input, before.turn, goes_on);
        let context = Context { turn, question: question.clone() };
        self.note([Some(&response.id), exchange.conversation.as_ref()], &context);
        let place = match waiting {
            Some(asking) => self.go_on(&asking, response),
            None => {
                self.questions.push(AnsweredQuestion {
                    question,
                    turn,
                    items: response.output.to_vec(),
                    response: response.clone(),
                    parts: 1,
                    performed: None,
                });
                self.questions.len() - 1
            }
        };
        let AnsweredQuestion { turn, items, parts, .. } = &self.questions[place];
        let asking = Asking { place, turn: *turn, items: items.len(), parts: *parts };
        for call in client_call::open_calls(&response.output).filter_map(Item::asks) {
            self.calls.insert(call.to_owned(), asking.clone());
        }
    }

    fn note<'i>(&mut self, ids: impl IntoIterator<Item = Option<&'i String>>, context: &Context) {
        for id in ids.into_iter().flatten() {
            self.contexts.insert(id.clone(), context.clone());
        }
    }

    /// Adds a response to a question, after an output that separates it from the calls before. If
    /// another response has continued the question already, this one is the end of a copy.
    fn go_on(&mut self, asking: &Asking, response: &RecordedResponse) -> usize {
        let mut place = asking.place;
        if self.questions[place].items.len() > asking.items {
            let mut copy = self.questions[place].clone();
            copy.items.truncate(asking.items);
            copy.parts = asking.parts;
            self.questions.push(copy);
            place = self.questions.len() - 1;
        }
        let question = &mut self.questions[place];
        question.items.push(Item::new("", FUNCTION_CALL_OUTPUT, Value::Null));
        question.items.extend(response.output.iter().cloned());
        question.response = response.clone();
        question.parts += 1;
        place
    }
}
