//! The body of a request for a response.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{
    Response, Settings,
    input::{Input, NewItem},
    loaded_tools,
    model::{self, ModelDefaults},
    text::TextSettings,
    tool::ResponseTool,
};
use crate::types::{
    ApiErrorKind, Conversation, Id, Metadata, limits,
    reader::{
        Few, Fields, Path, Read, Text, ValidationErrorKind, ValidationErrors, decimal_up_to,
        integer_between,
    },
};

/// A request for a response.
#[derive(Clone, Debug)]
pub struct NewResponse {
    pub model: String,
    pub input: Option<Input>,
    pub stream: bool,
    /// Whether the pieces of streams are padded, to hide their lengths.
    pub obfuscates: bool,
    pub prompt: Option<String>,
    pub tools: Vec<ResponseTool>,
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub reasoning: Value,
    pub conversation: Option<Id<Conversation>>,
    pub previous: Option<Id<Response>>,
    pub instructions: Option<String>,
    pub max_output_tokens: Option<i64>,
    pub metadata: Metadata,
    pub truncation: &'static str,
    background: bool,
    store: bool,
    pub max_tool_calls: Option<i64>,
    parallel_tool_calls: Option<bool>,
    prompt_cache_key: Option<String>,
    prompt_cache_retention: Option<String>,
    safety_identifier: Option<String>,
    service_tier: Option<String>,
    text: TextSettings,
    pub tool_choice: Value,
    top_logprobs: Option<i64>,
    user: Option<String>,
    include: Vec<String>,
}

impl NewResponse {
    /// Rejects settings that contradict each other.
    pub fn check(&self) -> Result<(), ApiErrorKind> {
        if self.conversation.is_some() && self.previous.is_some() {
            return Err(ApiErrorKind::ConversationAndPrevious);
        }
        if let Some(id) = &self.prompt {
            let text = format!("Prompt with id '{id}' not found.");
            return Err(ApiErrorKind::Missing { text, param: None });
        }
        let defaults = ModelDefaults::of(&self.model);
        let effort = self.reasoning["effort"].as_str();
        let unsupported = if defaults.takes_sampling(effort) {
            None
        } else if self.temperature.is_some_and(|temperature| temperature != 1.0) {
            Some("temperature")
        } else if self.top_p.is_some_and(|top_p| top_p != defaults.top_p) {
            Some("top_p")
        } else {
            None
        };
        match unsupported {
            Some(name) => Err(ApiErrorKind::UnsupportedOfResponses { name }),
            None => Ok(()),
        }
    }

    /// The number of tokens that its model reads.
    pub fn window(&self) -> u64 {
        ModelDefaults::of(&self.model).window
    }

    /// Whether it is stored, so that a client can retrieve it.
    pub fn is_kept(&self) -> bool {
        self.store || self.background
    }

    pub fn is_in_background(&self) -> bool {
        self.background
    }

    /// The settings in force for it.
    pub fn settings(&self, conversation_end: Option<i64>, input: &[NewItem]) -> Arc<Settings> {
        let defaults = ModelDefaults::of(&self.model);
        let retention = self.prompt_cache_retention.clone();
        Arc::new(Settings {
            background: self.background,
            conversation: self.conversation.clone(),
            instructions: self.instructions.clone(),
            max_output_tokens: self.max_output_tokens,
            max_tool_calls: self.max_tool_calls,
            model: model::dated(&self.model).to_owned(),
            parallel_tool_calls: self.parallel_tool_calls.unwrap_or(true),
            previous_response_id: self.previous.clone(),
            prompt_cache_key: self.prompt_cache_key.clone(),
            prompt_cache_retention: retention.or(Some(defaults.cache_retention.to_owned())),
            reasoning: defaults.reasoning(&self.reasoning),
            safety_identifier: self.safety_identifier.clone(),
            service_tier: self.service_tier.clone(),
            store: self.store,
            temperature: self.temperature.unwrap_or(1.0),
            text: self.text.0.clone(),
            tool_choice: self.tool_choice.clone(),
            tools: loaded_tools::echoed(&self.tools, input, &self.model),
            top_logprobs: self.top_logprobs.unwrap_or(0),
            top_p: self.top_p.unwrap_or(defaults.top_p),
            truncation: self.truncation.to_owned(),
            user: self.user.clone(),
            metadata: self.metadata.clone(),
            include: self.include.clone(),
            stream: self.stream,
            conversation_end,
        })
    }
}

/// Parameters that are accepted and change nothing. The types of the official SDKs declare them.
const WITHOUT_EFFECT: [&str; 5] =
    ["access_programs", "context_management", "image", "moderation", "prompt_cache_options"];

impl Read for NewResponse {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let prompt = fields.optional::<StoredPrompt>("prompt");
        let has_prompt = matches!(prompt, Some(Some(_)));
        let model = if has_prompt { fields.or_default("model") } else { fields.required("model") };
        let input = fields.optional::<Input>("input");
        let instructions = fields.optional::<Text<{ limits::INPUT_TEXT }>>("instructions");
        let stream = fields.or_default("stream");
        let options = fields.or_default::<StreamOptions>("stream_options");
        let tools = fields.or_default::<Few<ResponseTool, { limits::RESPONSE_TOOLS }>>("tools");
        let tool_choice = fields.optional::<ToolChoice>("tool_choice");
        let temperature = decimal(&mut fields, "temperature", limits::TEMPERATURE);
        let top_p = decimal(&mut fields, "top_p", limits::TOP_P);
        let reasoning = fields.optional::<Reasoning>("reasoning");
        let conversation = fields.optional::<ConversationParam>("conversation");
        let previous = fields.optional::<String>("previous_response_id");
        let max_output_tokens =
            integer(&mut fields, "max_output_tokens", limits::COMPLETION_BUDGET, i64::MAX);
        let max_tool_calls = integer(&mut fields, "max_tool_calls", 1, i64::MAX);
        let metadata = fields.or_default("metadata");
        let parallel_tool_calls = fields.optional("parallel_tool_calls");
        let background = fields.or_default("background");
        let store = fields.optional("store");
        let include = fields.or_default::<Vec<Includable>>("include");
        let text = fields.or_default("text");
        let truncation = fields.optional::<TruncationWord>("truncation");
        let service_tier = fields.optional::<ServiceTier>("service_tier");
        let prompt_cache_key = fields.optional("prompt_cache_key");
        let prompt_cache_retention = fields.optional("prompt_cache_retention");
        let safety_identifier = fields.optional("safety_identifier");
        let user = fields.optional("user");
        let top_logprobs = integer(&mut fields, "top_logprobs", 0, limits::TOP_LOGPROBS);
        for unused in WITHOUT_EFFECT {
            fields.optional::<Value>(unused)?;
        }
        let read = Self {
            model: model?,
            input: input?,
            stream: stream?,
            obfuscates: options?.obfuscates,
            prompt: prompt?.map(|prompt| prompt.id),
            tools: tools?.0,
            temperature: temperature?,
            top_p: top_p?,
            reasoning: reasoning?.map_or(Value::Null, |reasoning| reasoning.0),
            conversation: conversation?.map(|it| it.0),
            previous: previous?.map(Id::new),
            instructions: instructions?.map(|text| text.0),
            max_output_tokens: max_output_tokens?,
            metadata: metadata?,
            truncation: truncation?.map_or("disabled", |it| it.0),
            background: background?,
            store: store?.unwrap_or(true),
            max_tool_calls: max_tool_calls?,
            parallel_tool_calls: parallel_tool_calls?,
            prompt_cache_key: prompt_cache_key?,
            prompt_cache_retention: prompt_cache_retention?,
            safety_identifier: safety_identifier?,
            service_tier: service_tier?.map(|tier| tier.0.to_owned()),
            text: text?,
            tool_choice: tool_choice?.map_or_else(|| json!("auto"), |choice| choice.0),
            top_logprobs: top_logprobs?,
            user: user?,
            include: include?.into_iter().map(|it| it.0.to_owned()).collect(),
        };
        let continues = read.previous.is_some() || read.conversation.is_some();
        if read.input.is_none() && read.prompt.is_none() && !continues {
            return fields.error("input", ValidationErrorKind::Missing);
        }
        fields.finish();
        Some(read)
    }
}

fn decimal(fields: &mut Fields<'_, '_>, key: &'static str, max: f64) -> Option<Option<f64>> {
    match fields.optional::<f64>(key)?.map(|got| decimal_up_to(got, max)) {
        None => Some(None),
        Some(Ok(got)) => Some(Some(got)),
        Some(Err(kind)) => fields.error(key, kind),
    }
}

fn integer(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    min: i64,
    max: i64,
) -> Option<Option<i64>> {
    match fields.optional::<i64>(key)?.map(|got| integer_between(got, min, max)) {
        None => Some(None),
        Some(Ok(got)) => Some(Some(got)),
        Some(Err(kind)) => fields.error(key, kind),
    }
}

/// A prompt that was stored in the dashboard. Here no such prompts exist.
struct StoredPrompt {
    id: String,
}

impl Read for StoredPrompt {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let id = fields.required("id");
        fields.optional::<String>("version")?;
        fields.optional::<Map<String, Value>>("variables")?;
        fields.finish();
        Some(Self { id: id? })
    }
}

struct StreamOptions {
    obfuscates: bool,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self { obfuscates: true }
    }
}

impl Read for StreamOptions {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let obfuscates = fields.optional::<bool>("include_obfuscation");
        fields.finish();
        Some(Self { obfuscates: obfuscates?.unwrap_or(true) })
    }
}

/// A conversation: a string with its id, or an object with its id.
struct ConversationParam(Id<Conversation>);

impl Read for ConversationParam {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        match value {
            Value::String(id) => Some(Self(Id::new(id))),
            Value::Object(_) => {
                let mut fields = Fields::new(value, at, errors)?;
                let id = fields.required::<String>("id");
                fields.finish();
                Some(Self(Id::new(id?)))
            }
            other => errors.wrong_type(at, "one of a conversation ID or object", &other),
        }
    }
}

/// The client's settings for the model's reasoning.
struct Reasoning(Value);

impl Read for Reasoning {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let given = value.clone();
        let mut fields = Fields::new(value, at, errors)?;
        word(&mut fields, "effort", &["none", "minimal", "low", "medium", "high", "xhigh", "max"])?;
        word(&mut fields, "summary", &["concise", "detailed", "auto"])?;
        word(&mut fields, "generate_summary", &["concise", "detailed", "auto"])?;
        fields.optional::<Value>("context")?;
        fields.optional::<Value>("mode")?;
        fields.finish();
        Some(Self(given))
    }
}

/// An optional key that must have one of these words.
fn word(fields: &mut Fields<'_, '_>, key: &'static str, words: &[&'static str]) -> Option<()> {
    match fields.optional::<String>(key)? {
        Some(got) if !words.contains(&got.as_str()) => {
            fields.error(key, ValidationErrorKind::NotOneOf { got, supported: words.to_vec() })
        }
        _ => Some(()),
    }
}

macro_rules! words {
    ($($Name:ident: $count:literal = $words:expr;)*) => {
        $(struct $Name(&'static str);

        impl Read for $Name {
            const PLURAL: &'static str = "strings";

            fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
                const WORDS: [&str; $count] = $words;
                let word = String::read(value, at, errors)?;
                match WORDS.into_iter().find(|known| *known == word) {
                    Some(known) => Some(Self(known)),
                    None => errors.not_one_of(at, &word, &WORDS),
                }
            }
        })*
    };
}

words! {
    TruncationWord: 2 = ["auto", "disabled"];
    ServiceTier: 6 = ["auto", "default", "fast", "flex", "priority", "scale"];
    Includable: 8 = [
        "file_search_call.results",
        "web_search_call.results",
        "web_search_call.action.sources",
        "message.input_image.image_url",
        "computer_call_output.output.image_url",
        "code_interpreter_call.outputs",
        "reasoning.encrypted_content",
        "message.output_text.logprobs",
    ];
}

/// A word, or an object that names tools. It is echoed unchanged, with the type first.
struct ToolChoice(Value);

impl Read for ToolChoice {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        const WORDS: [&str; 3] = ["none", "auto", "required"];
        match value {
            Value::String(word) if WORDS.contains(&word.as_str()) => Some(Self(word.into())),
            Value::String(word) => errors.not_one_of(at, &word, &WORDS),
            Value::Object(mut map) => {
                let kind = match map.shift_remove("type") {
                    Some(kind) => String::read(kind, &at.key("type"), errors)?,
                    None => {
                        errors.note(&at.key("type"), ValidationErrorKind::Missing);
                        return None;
                    }
                };
                let mut choice = Map::from_iter([("type".to_owned(), Value::from(kind))]);
                choice.extend(map);
                Some(Self(Value::Object(choice)))
            }
            other => errors.wrong_type(at, "one of a tool choice mode or object", &other),
        }
    }
}

/// A request to count the input tokens of a response.
pub struct CountTokens(pub NewResponse);

impl Read for CountTokens {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut map = Map::read(value, at, errors)?;
        // A count needs neither a model nor input.
        map.entry("model").or_insert_with(|| json!(""));
        map.entry("input").or_insert_with(|| json!([]));
        // Only a count accepts it. It changes nothing.
        map.remove("personality");
        NewResponse::read(Value::Object(map), at, errors).map(Self)
    }
}

/// New items for a conversation.
pub struct NewItems(pub Input);

impl Read for NewItems {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let items = fields.required::<Few<_, { limits::CONVERSATION_ITEMS }>>("items");
        fields.finish();
        Some(Self(Input(items?.0)))
    }
}

/// A new conversation.
pub struct NewConversation {
    pub metadata: Metadata,
    pub items: Input,
}

impl Read for NewConversation {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let metadata = fields.or_default("metadata");
        let items = fields.or_default::<Few<_, { limits::CONVERSATION_ITEMS }>>("items");
        fields.finish();
        Some(Self { metadata: metadata?, items: Input(items?.0) })
    }
}
