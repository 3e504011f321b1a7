//! What a response reads: the items of its chain or its conversation, and those that it is given.
//!
//! What does not go together is refused here, before anything is made.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::{
    error::EngineError,
    machine::Prompt,
    prompt::{self, PER_MESSAGE, Reading},
};
use crate::{
    store::Store,
    tokens,
    turns::{AskedMessage, AskedRole, AskedTruncation},
    types::{
        ApiErrorKind, Container, Conversation, Id, Item, Message, Resource, Role, Run, Timestamp,
        container::NewContainer,
        message::{Attachment, AttachmentTool, Content, NewMessage},
        response::{
            input::NewItem,
            item::{FUNCTION_CALL, FUNCTION_CALL_OUTPUT, REASONING},
            question,
            request::NewResponse,
        },
    },
    upstream::{MessagePart, ThreadMessage},
};

/// What a response goes on from: nothing, an earlier response, or a conversation.
#[derive(Debug, Default)]
pub struct ResponseContext {
    /// The items before its own, oldest first, as far as they can matter.
    earlier: Vec<Item>,
    /// Whether these are all that there are.
    is_whole: bool,
    /// The number of the question that was answered last.
    turn: i64,
    pub(super) conversation: Option<Conversation>,
    /// The newest item of the conversation.
    pub(super) conversation_end: Option<i64>,
}

/// What only a response has beside the run that performers see.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in super::super) struct ResponseInputs {
    /// The vector stores of its tools.
    pub stores: Vec<String>,
    /// What is in place of instructions, where there are none.
    pub system: Option<String>,
    pub is_truncated: bool,
    pub conversation: Option<Conversation>,
    pub container: ResponseContainer,
    /// The limits of its searches by the attributes of files, as the client sent them.
    pub filters: Option<Value>,
    /// How the client wants it to reason, for an upstream.
    pub reasoning: Value,
    /// What an upstream is to read, if there is one.
    pub heard: Vec<ThreadMessage>,
    /// What the model has said to the question before, if what it says is to be recorded.
    #[serde(default)]
    pub said: Vec<Item>,
}

impl ResponseInputs {
    pub(in super::super) fn truncation(&self) -> AskedTruncation {
        if self.is_truncated { AskedTruncation::Auto } else { AskedTruncation::Disabled }
    }
}

/// The container in which the code interpreter works.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in super::super) struct ResponseContainer {
    pub id: Id<Container>,
    /// The settings of a new container.
    pub new: Option<NewContainer>,
}

/// All that a response reads, in order.
pub struct Read<'c> {
    pub items: Vec<&'c Item>,
    /// Where its own items begin.
    own: usize,
    is_whole: bool,
}

impl ResponseContext {
    /// Looks up what a request goes on from: as much as fits, and a little more. An id that names
    /// nothing is refused.
    pub(in super::super) async fn load(
        store: &Store,
        request: &NewResponse,
        window: u64,
    ) -> Result<Self, EngineError> {
        let mut context = Self { is_whole: true, ..Self::default() };
        let (mut tokens, model) = (0_u64, request.model.as_str());
        let (earlier, is_whole) = (&mut context.earlier, &mut context.is_whole);
        let mut take = |item: Item| {
            tokens = tokens.saturating_add(tokens_of(model, &item));
            earlier.push(item);
            // One item more than fits, so that it shows that not all do.
            *is_whole = tokens <= window;
            *is_whole
        };
        if let Some(previous) = &request.previous {
            let turn = store.turn_of_response(previous).await?.ok_or_else(|| {
                EngineError::Refused(ApiErrorKind::NoPreviousResponse { id: previous.to_string() })
            })?;
            store.walk_chain(previous, &mut take).await?;
            context.turn = turn;
        } else if let Some(conversation) = &request.conversation {
            let end = store.conversation_end(conversation).await?;
            let end = end.ok_or_else(|| missing(conversation))?;
            store.walk_conversation(conversation, &mut take).await?;
            context.conversation = store.find(conversation).await?;
            (context.turn, context.conversation_end) = (end.turn, Some(end.last));
        }
        context.earlier.reverse();
        Ok(context)
    }

    /// The number of questions up to the end of the input.
    pub(super) fn questions(&self, input: &[Item]) -> i64 {
        question::questions(input, self.turn)
    }

    /// Everything, in order.
    pub(in super::super) fn read<'c>(&'c self, input: &'c [Item]) -> Read<'c> {
        Read {
            items: self.earlier.iter().chain(input).collect(),
            own: self.earlier.len(),
            is_whole: self.is_whole,
        }
    }

    /// The number of the question: the next one, unless nothing is asked.
    pub(in super::super) fn turn(&self, input: &[Item], goes_on: Option<i64>) -> i64 {
        question::turn(input, self.turn, goes_on)
    }
}

fn missing(conversation: &Id<Conversation>) -> EngineError {
    let text = Conversation::missing(&[conversation.to_string()]);
    EngineError::Refused(ApiErrorKind::Missing { text, param: None })
}

/// Finds the items that a client only names.
pub(super) async fn resolved(
    store: &Store,
    input: Vec<NewItem>,
) -> Result<Vec<NewItem>, EngineError> {
    let named = |item: &NewItem| item.reference().map(str::to_owned).or_else(|| needs_stored(item));
    let ids: Vec<_> = input.iter().filter_map(named).collect();
    let mut found = store.find_items(&ids).await?.into_iter();
    let mut items = Vec::with_capacity(input.len());
    for item in input {
        let Some(id) = named(&item) else {
            items.push(item);
            continue;
        };
        let Item { id, kind, rest } = found
            .next()
            .flatten()
            .ok_or(EngineError::Refused(ApiErrorKind::ItemNotStored { id }))?;
        items.push(NewItem { id: Some(id.to_string()), kind, rest });
    }
    Ok(items)
}

/// The id of reasoning that was not stored, and that the client does not bring along.
fn needs_stored(item: &NewItem) -> Option<String> {
    const MARK: std::ops::Range<usize> = 19..21;
    let id = item.id.as_ref().filter(|_| item.kind == REASONING)?;
    let is_unstored = id.get(MARK) == Some("01") && !item.rest.contains_key("encrypted_content");
    is_unstored.then(|| id.clone())
}

/// Refuses reasoning that nothing follows which the model has made.
pub(super) fn check_reasoning(input: &[Item]) -> Result<(), EngineError> {
    for (place, item) in input.iter().enumerate().filter(|(_, item)| item.is(REASONING)) {
        if !input.get(place + 1).is_some_and(Item::is_of_model) {
            let id = item.id.to_string();
            return Err(EngineError::Refused(ApiErrorKind::ReasoningAlone { id }));
        }
    }
    Ok(())
}

impl Read<'_> {
    /// Refuses outputs of the client without a call before them, and calls without an output.
    pub(super) fn check_calls(&self) -> Result<(), EngineError> {
        let refused = |kind| Err(EngineError::Refused(kind));
        let (mut calls, mut known, mut answered) = (Vec::new(), HashSet::new(), HashSet::new());
        for (place, item) in self.items.iter().enumerate() {
            let Some(call) = item.checked_call() else { continue };
            if let Some(call_id) = item.answers() {
                // The call may be in front of what was read, or deleted.
                if place >= self.own && self.is_whole && !known.contains(&(call, call_id)) {
                    let call_id = call_id.to_owned();
                    return refused(ApiErrorKind::NoCallForOutput { call, call_id });
                }
                answered.insert((call, call_id));
            } else if let Some(call_id) =
                item.call_id().filter(|_| item.text_at("status") != Some("incomplete"))
            {
                calls.push((call, call_id));
                known.insert((call, call_id));
            }
        }
        match calls.into_iter().find(|call| !answered.contains(call)) {
            Some((call, call_id)) => {
                refused(ApiErrorKind::NoOutputForCall { call, call_id: call_id.to_owned() })
            }
            None => Ok(()),
        }
    }

    /// The call whose output is the last thing that was said, but for messages of the client.
    pub(super) fn call_just_answered(&self) -> Option<&str> {
        question::call_just_answered(self.items.iter().copied())
    }

    /// The answers of the client, by the ids of the calls.
    pub(super) fn outputs(&self) -> HashMap<&str, String> {
        let answers = self.items.iter().filter_map(|item| Some((item.answers()?, item.output())));
        answers.collect()
    }

    /// How many tokens all of it is.
    pub(super) fn length(&self, run: &Run) -> u64 {
        let items = self.items.iter().map(|item| tokens_of(&run.model, item));
        prompt::fixed(run).saturating_add(items.sum())
    }

    /// The newest message of a user, as conditions and templates see it.
    pub(super) fn question(&self, run: &Run, at: Timestamp) -> Option<Message> {
        let item = self.items.iter().rfind(|item| item.role() == Some("user"))?;
        let files = item.parts().iter().filter(|part| part["type"] == "input_file");
        let attachments = files.map(|part| Attachment {
            file_id: part["file_id"].as_str().unwrap_or_default().to_owned(),
            tools: vec![AttachmentTool::FileSearch],
        });
        let new = NewMessage {
            role: Role::User,
            content: vec![Content::text(item.text())],
            attachments: attachments.collect(),
            metadata: crate::types::Metadata::default(),
        };
        Some(Message::sent(Id::new(item.id.as_str()), at, run.thread_id.clone(), new))
    }

    /// What is in place of instructions: the messages of the system and the developer.
    pub(super) fn system(&self) -> Option<String> {
        let is_system = |item: &&&Item| matches!(item.role(), Some("system" | "developer"));
        let texts: Vec<_> = self.items.iter().filter(is_system).map(|item| item.text()).collect();
        (!texts.is_empty()).then(|| texts.join("\n"))
    }

    /// The items of the model since the newest question, and the outputs between them.
    pub(super) fn said(&self) -> Vec<Item> {
        let question = self.items.iter().rposition(|item| item.role() == Some("user"));
        let since = self.items.iter().skip(question.map_or(0, |place| place + 1));
        let is_said = |item: &&&Item| item.is_of_model() || item.is(FUNCTION_CALL_OUTPUT);
        since.filter(is_said).map(|item| (*item).clone()).collect()
    }

    /// The messages as an upstream is to read them.
    pub(super) fn heard(&self) -> Vec<ThreadMessage> {
        let messages = self.items.iter().filter_map(|item| Some((item, asked_role(item.role()?))));
        let heard = messages.map(|(item, role)| ThreadMessage {
            id: item.id.to_string(),
            run: None,
            role,
            parts: item.parts().iter().filter_map(part).collect(),
        });
        heard.collect()
    }

    /// How long the prompt is, and what is said in it. What does not fit is refused, or left out
    /// from its beginning on.
    pub(super) fn measure(
        &self,
        run: &Run,
        window: u64,
        drops: bool,
    ) -> Result<Reading, EngineError> {
        let fixed = prompt::fixed(run);
        let (mut prompt, mut messages) = (Prompt { tokens: fixed, fewest: fixed }, Vec::new());
        let mut is_answering = true;
        for item in self.items.iter().rev() {
            is_answering &= item.role() != Some("user");
            let mut tokens = tokens_of(&run.model, item);
            if is_answering && item.role() == Some("assistant") {
                // What the model has just said counts as it does within a run.
                tokens = tokens.saturating_sub(PER_MESSAGE);
            }
            if prompt.tokens + tokens > window {
                if drops && !messages.is_empty() {
                    break;
                }
                return Err(EngineError::Refused(ApiErrorKind::TooLong));
            }
            prompt.tokens += tokens;
            if let Some(role) = item.role() {
                if role == "user" && prompt.fewest == fixed {
                    prompt.fewest += tokens;
                }
                messages.push(AskedMessage { role: asked_role(role), content: item.text().into() });
            }
        }
        messages.reverse();
        Ok(Reading { prompt, messages })
    }
}

fn part(part: &Value) -> Option<MessagePart> {
    let text = part["text"].as_str().or_else(|| part["refusal"].as_str());
    let image = part["image_url"].as_str();
    text.map(|text| MessagePart::Text(text.to_owned()))
        .or_else(|| image.map(|url| MessagePart::Image(url.to_owned())))
}

fn asked_role(role: &str) -> AskedRole {
    match role {
        "assistant" => AskedRole::Assistant,
        "system" => AskedRole::System,
        "developer" => AskedRole::Developer,
        _ => AskedRole::User,
    }
}

/// How many tokens of the prompt an item is, counted as those of a run are.
pub(super) fn tokens_of(model: &str, item: &Item) -> u64 {
    let count = |text: &str| tokens::count(model, text);
    match item.kind.as_str() {
        FUNCTION_CALL => {
            let of = |key: &str| item.text_at(key).map_or(0, count);
            of("name") + of("arguments")
        }
        FUNCTION_CALL_OUTPUT => count(&item.output()),
        _ if item.role().is_some() => PER_MESSAGE + count(&item.text()),
        REASONING => PER_MESSAGE,
        _ => PER_MESSAGE + item.rest.values().map(|it| count(&it.to_string())).sum::<u64>(),
    }
}
