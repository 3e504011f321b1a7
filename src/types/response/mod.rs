//! The response: one answer of a model, with all settings in force for it.
//!
//! The order of its keys is the service's, as recorded in August 2026. Answers over REST and
//! events in streams differ in one key.

pub mod client_call;
pub mod compaction;
pub mod input;
pub mod item;
mod loaded_tools;
pub mod model;
pub mod question;
pub mod request;
pub mod text;
pub mod tool;

use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};

pub use self::{compaction::Compaction, item::Item};
use super::{
    Conversation, Id, Metadata, Resource, Timestamp, Usage,
    resource::not_found,
    run::{IncompleteRun, LastError},
};

/// A response as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Response {
    pub id: Id<Self>,
    pub created_at: Timestamp,
    pub status: ResponseStatus,
    pub completed_at: Option<Timestamp>,
    pub error: Option<LastError>,
    /// Why it is incomplete.
    pub reason: Option<IncompleteRun>,
    pub output: Vec<Item>,
    pub usage: Option<ResponseUsage>,
    pub settings: Arc<Settings>,
}

/// The settings in force for a response, after all defaults. The response echoes them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    pub background: bool,
    pub conversation: Option<Id<Conversation>>,
    pub instructions: Option<String>,
    pub max_output_tokens: Option<i64>,
    pub max_tool_calls: Option<i64>,
    pub model: String,
    pub parallel_tool_calls: bool,
    pub previous_response_id: Option<Id<Response>>,
    pub prompt_cache_key: Option<String>,
    pub prompt_cache_retention: Option<String>,
    pub reasoning: Value,
    pub safety_identifier: Option<String>,
    pub service_tier: Option<String>,
    pub store: bool,
    pub temperature: f64,
    pub text: Value,
    pub tool_choice: Value,
    pub tools: Vec<Value>,
    pub top_logprobs: i64,
    pub top_p: f64,
    pub truncation: String,
    pub user: Option<String>,
    pub metadata: Metadata,
    /// The extra data that the client wants. Not echoed, like everything below.
    pub include: Vec<String>,
    /// Whether it was created as a stream.
    pub stream: bool,
    /// The newest item of the conversation when it was created.
    pub conversation_end: Option<i64>,
}

/// How far a response has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseStatus {
    Queued,
    InProgress,
    Completed,
    Incomplete,
    Failed,
    Cancelled,
}

impl ResponseStatus {
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::InProgress)
    }

    pub fn is_cancelled(self) -> bool {
        self == Self::Cancelled
    }

    /// The event of this status. A response that is cancelled ends its streams without one.
    pub fn event(self) -> &'static str {
        match self {
            Self::Queued => "response.queued",
            Self::InProgress => "response.in_progress",
            Self::Completed => "response.completed",
            Self::Incomplete => "response.incomplete",
            Self::Failed => "response.failed",
            Self::Cancelled => "response.cancelled",
        }
    }
}

/// The tokens that a response used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseUsage {
    pub input_tokens: u64,
    input_tokens_details: InputDetails,
    pub output_tokens: u64,
    output_tokens_details: OutputDetails,
    total_tokens: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct InputDetails {
    cache_write_tokens: u64,
    cached_tokens: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct OutputDetails {
    reasoning_tokens: u64,
}

impl ResponseUsage {
    pub fn new(usage: Usage, reasoning_tokens: u64) -> Self {
        Self {
            input_tokens: usage.prompt_tokens,
            input_tokens_details: InputDetails {
                cached_tokens: usage.cached_tokens(),
                ..InputDetails::default()
            },
            output_tokens: usage.completion_tokens,
            output_tokens_details: OutputDetails {
                reasoning_tokens: reasoning_tokens.saturating_add(usage.reasoning_tokens()),
            },
            total_tokens: usage.total_tokens,
        }
    }
}

impl Resource for Response {
    type Key = Id<Self>;

    const PREFIX: &'static str = "resp_";
    const OBJECT: &'static str = "response";
    const DELETED: &'static str = "response.deleted";
    const NOUN: &'static str = "Response";
    const PATH: &'static [&'static str] = &["response_id"];

    fn id(&self) -> &Id<Self> {
        &self.id
    }

    fn missing(ids: &[String]) -> String {
        not_found(Self::NOUN, ids)
    }
}

impl Settings {
    /// Whether the client wants this extra data: `reasoning.encrypted_content`, …
    pub fn includes(&self, what: &str) -> bool {
        self.include.iter().any(|wanted| wanted == what)
    }

    /// Whether it is kept. The service keeps a response in the background until a client polls it.
    pub fn is_kept(&self) -> bool {
        self.store || self.background
    }
}

impl Response {
    /// A response that was just created.
    pub fn begun(id: Id<Self>, created_at: Timestamp, settings: Arc<Settings>) -> Self {
        let background = settings.background;
        Self {
            id,
            created_at,
            status: if background { ResponseStatus::Queued } else { ResponseStatus::InProgress },
            completed_at: None,
            error: None,
            reason: None,
            output: Vec::new(),
            usage: None,
            settings,
        }
    }

    /// Ends it as failed.
    pub fn fail(&mut self, error: LastError) {
        self.status = ResponseStatus::Failed;
        self.error = Some(error);
    }

    pub fn over_rest(&self) -> ResponseView<'_> {
        ResponseView { response: self, over_rest: true }
    }

    pub fn in_stream(&self) -> ResponseView<'_> {
        ResponseView { response: self, over_rest: false }
    }
}

/// A response as the wire shows it.
#[derive(Clone, Copy, Debug)]
pub struct ResponseView<'r> {
    response: &'r Response,
    over_rest: bool,
}

impl ResponseView<'_> {
    /// Recorded: only REST shows who pays. A response in the background shows it once it has
    /// completed.
    fn shows_billing(&self) -> bool {
        let Response { status, settings, .. } = self.response;
        self.over_rest && (!settings.background || *status == ResponseStatus::Completed)
    }
}

/// The tier in force: `auto` until the real tier is known.
fn service_tier(response: &Response) -> &str {
    let done = matches!(response.status, ResponseStatus::Completed | ResponseStatus::Incomplete);
    match response.settings.service_tier.as_deref() {
        None | Some("auto") => {
            if done {
                "default"
            } else {
                "auto"
            }
        }
        Some("fast") => "priority",
        Some(tier) => tier,
    }
}

/// The usage of tools that only the service had: the web searches in the fixture, and nothing else.
fn tool_usage(output: &[Item]) -> Value {
    let searches = output.iter().filter(|item| {
        item.is(item::WEB_SEARCH_CALL)
            && item.rest.get("action").is_some_and(|action| action["type"] == "search")
    });
    json!({
        "image_gen": {
            "input_tokens": 0,
            "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
            "output_tokens": 0,
            "output_tokens_details": {"image_tokens": 0, "text_tokens": 0},
            "total_tokens": 0,
        },
        "web_search": {"num_requests": searches.count()},
    })
}

/// The API's word for the reason why a response is incomplete.
fn word_for(reason: IncompleteRun) -> &'static str {
    match reason {
        IncompleteRun::ContentFilter => "content_filter",
        IncompleteRun::MaxCompletionTokens | IncompleteRun::MaxPromptTokens => "max_output_tokens",
    }
}

impl Serialize for ResponseView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Response { settings, .. } = self.response;
        let response = self.response;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &response.id)?;
        map.serialize_entry("object", Response::OBJECT)?;
        map.serialize_entry("created_at", &response.created_at)?;
        map.serialize_entry("status", &response.status)?;
        map.serialize_entry("background", &settings.background)?;
        if self.shows_billing() {
            map.serialize_entry("billing", &json!({"payer": "developer"}))?;
        }
        map.serialize_entry("completed_at", &response.completed_at)?;
        if let Some(id) = &settings.conversation {
            map.serialize_entry("conversation", &json!({"id": id}))?;
        }
        map.serialize_entry("error", &response.error)?;
        map.serialize_entry("frequency_penalty", &0.0)?;
        let details = response.reason.map(|reason| json!({"reason": word_for(reason)}));
        map.serialize_entry("incomplete_details", &details)?;
        map.serialize_entry("instructions", &settings.instructions)?;
        map.serialize_entry("max_output_tokens", &settings.max_output_tokens)?;
        map.serialize_entry("max_tool_calls", &settings.max_tool_calls)?;
        map.serialize_entry("model", &settings.model)?;
        map.serialize_entry("moderation", &())?;
        map.serialize_entry("output", &response.output)?;
        map.serialize_entry("parallel_tool_calls", &settings.parallel_tool_calls)?;
        map.serialize_entry("presence_penalty", &0.0)?;
        map.serialize_entry("previous_response_id", &settings.previous_response_id)?;
        map.serialize_entry("prompt_cache_key", &settings.prompt_cache_key)?;
        map.serialize_entry("prompt_cache_retention", &settings.prompt_cache_retention)?;
        map.serialize_entry("reasoning", &settings.reasoning)?;
        map.serialize_entry("safety_identifier", &settings.safety_identifier)?;
        map.serialize_entry("service_tier", service_tier(response))?;
        map.serialize_entry("store", &settings.store)?;
        map.serialize_entry("temperature", &settings.temperature)?;
        map.serialize_entry("text", &settings.text)?;
        map.serialize_entry("tool_choice", &settings.tool_choice)?;
        map.serialize_entry("tool_usage", &tool_usage(&response.output))?;
        map.serialize_entry("tools", &settings.tools)?;
        map.serialize_entry("top_logprobs", &settings.top_logprobs)?;
        map.serialize_entry("top_p", &settings.top_p)?;
        map.serialize_entry("truncation", &settings.truncation)?;
        map.serialize_entry("usage", &response.usage)?;
        map.serialize_entry("user", &settings.user)?;
        map.serialize_entry("metadata", &settings.metadata)?;
        map.end()
    }
}
