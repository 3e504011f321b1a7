//! The objects of the API as an answer shows them, as far as a fixture is made of them.
//!
//! Answers of both versions are read, and requests where they say more. What a recording lacks is
//! empty here, and never an error.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value, json};

use crate::types::{
    Item, Response, RunStatus,
    lenient::{self, Items, lenient},
    response::ResponseStatus,
    run::Performed,
};

lenient! {
    pub struct RecordedAssistant {
        pub id: String,
        pub name: Option<String>,
        pub description: Option<String>,
        pub model: Option<String>,
        pub instructions: Option<String>,
        pub tools: Items<Map<String, Value>>,
        pub temperature: Option<Number>,
        pub top_p: Option<Number>,
        pub response_format: Option<Value>,
        pub metadata: Option<Value>,
    }

    /// A message of an answer, or of a request, which has no id.
    pub struct RecordedMessage {
        pub id: Option<String>,
        pub thread_id: String,
        pub run_id: Option<String>,
        pub status: String,
        pub role: String,
        pub created_at: Option<i64>,
        pub content: RecordedContent,
        /// Whether only pieces of its text were seen.
        #[serde(skip_deserializing)]
        pub is_in_pieces: bool,
    }

    pub struct RecordedPart {
        #[serde(rename = "type")]
        pub kind: String,
        pub text: Option<PartText>,
        pub image_file: FileReference,
        pub refusal: Option<String>,
    }

    pub struct AnnotatedText {
        pub value: Option<String>,
        pub annotations: Items<RecordedAnnotation>,
    }

    pub struct RecordedAnnotation {
        #[serde(rename = "type")]
        pub kind: String,
        pub text: String,
        pub start_index: Option<u64>,
        pub file_citation: Option<FileReference>,
        pub file_path: FileReference,
    }

    pub struct FileReference {
        pub file_id: Option<String>,
        pub quote: Option<String>,
    }

    /// A piece of a message.
    pub struct MessageDelta {
        pub id: String,
        pub delta: Delta,
    }

    pub struct Delta {
        pub content: Items<RecordedPart>,
    }

    pub struct RecordedRun {
        pub id: String,
        pub thread_id: String,
        pub assistant_id: String,
        pub status: String,
        pub created_at: Option<i64>,
        pub required_action: RequiredAction,
        pub last_error: RecordedRunError,
        pub incomplete_details: RecordedIncompleteDetails,
        pub usage: RecordedUsage,
        pub model: Option<String>,
        pub instructions: Option<String>,
        pub tools: Items<Map<String, Value>>,
        pub temperature: Option<Number>,
        pub top_p: Option<Number>,
        pub response_format: Option<Value>,
        /// How an upstream performed the run: of runs in the store only.
        pub upstream: Option<RecordedPerformance>,
    }

    pub struct RequiredAction {
        pub submit_tool_outputs: SubmitToolOutputs,
    }

    pub struct SubmitToolOutputs {
        pub tool_calls: Option<Items<RecordedToolCall>>,
    }

    pub struct RecordedRunError {
        pub code: Option<String>,
        pub message: Option<String>,
    }

    pub struct RecordedIncompleteDetails {
        pub reason: Option<String>,
    }

    pub struct RecordedUsage {
        pub prompt_tokens: Option<u64>,
        pub completion_tokens: Option<u64>,
    }

    pub struct RecordedPerformance {
        /// The id of the message that was asked.
        pub asked: Option<String>,
        /// In milliseconds.
        pub first_token: Option<u64>,
        /// In microseconds.
        pub per_token: Option<u64>,
    }

    pub struct RecordedStep {
        pub id: String,
        pub run_id: String,
        pub status: String,
        pub created_at: Option<i64>,
        pub step_details: RecordedStepDetails,
    }

    pub struct RecordedStepDetails {
        pub tool_calls: Option<Items<RecordedToolCall>>,
        pub message_creation: RecordedMessageCreation,
    }

    pub struct RecordedMessageCreation {
        pub message_id: Option<String>,
    }

    pub struct RecordedToolCall {
        pub id: String,
        #[serde(rename = "type")]
        pub kind: Option<String>,
        pub function: RecordedFunctionCall,
        pub code_interpreter: CodeInterpreterCall,
        pub file_search: FileSearchCall,
    }

    pub struct RecordedFunctionCall {
        pub name: Option<String>,
        pub arguments: String,
    }

    pub struct CodeInterpreterCall {
        pub input: String,
        pub outputs: Items<RecordedCodeOutput>,
    }

    pub struct RecordedCodeOutput {
        pub logs: Option<String>,
        pub image: FileReference,
    }

    pub struct FileSearchCall {
        pub query: Option<String>,
        pub results: Items<RecordedSearchResult>,
    }

    pub struct RecordedSearchResult {
        pub file_id: Option<String>,
        pub file_name: Option<String>,
        pub score: Option<Number>,
        pub content: Items<SearchText>,
    }

    pub struct SearchText {
        pub text: Option<String>,
    }

    pub struct RecordedResponse {
        pub id: String,
        pub status: String,
        pub created_at: Option<i64>,
        pub error: RecordedRunError,
        pub incomplete_details: RecordedIncompleteDetails,
        pub output: Items<Item>,
        pub usage: RecordedResponseUsage,
    }

    pub struct RecordedResponseUsage {
        pub input_tokens: Option<u64>,
        pub output_tokens: Option<u64>,
    }

    pub struct RecordedFile {
        pub id: String,
        pub filename: Option<String>,
    }
}

/// What a message says: a request may say it in one text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RecordedContent {
    Text(String),
    Parts(Items<RecordedPart>),
}

impl Default for RecordedContent {
    fn default() -> Self {
        Self::Parts(Items::default())
    }
}

/// The text of a part: a request has it without annotations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PartText {
    Plain(String),
    Annotated(AnnotatedText),
}

impl PartText {
    pub fn value(&self) -> Option<&str> {
        match self {
            Self::Plain(text) => Some(text),
            Self::Annotated(text) => text.value.as_deref(),
        }
    }
}

impl RecordedPart {
    /// A text without annotations, as an answer shows it.
    pub fn of_text(text: String) -> Self {
        let text = AnnotatedText { value: Some(text), ..AnnotatedText::default() };
        Self { kind: "text".to_owned(), text: Some(PartText::Annotated(text)), ..Self::default() }
    }
}

impl RecordedMessage {
    pub fn parts(&self) -> &[RecordedPart] {
        match &self.content {
            RecordedContent::Text(_) => &[],
            RecordedContent::Parts(parts) => parts,
        }
    }

    /// The text of the message, as an answer shows it or as a request says it.
    pub fn text(&self) -> String {
        match &self.content {
            RecordedContent::Text(text) => text.clone(),
            RecordedContent::Parts(parts) => {
                let texts = parts.iter().filter_map(|part| part.text.as_ref()?.value());
                texts.collect::<Vec<_>>().join("\n")
            }
        }
    }
}

impl RecordedPerformance {
    /// How an upstream performed a run of the store.
    pub fn of(performed: &Performed) -> Self {
        lenient::read(serde_json::to_value(performed).unwrap_or_default())
    }

    /// The speed of the upstream, in the notation of fixtures.
    pub fn timing(&self) -> Option<Value> {
        let (first_token, per_token) = (self.first_token?, self.per_token?);
        let (first_token, per_token) = (format!("{first_token}ms"), format!("{per_token}us"));
        Some(json!({"first_token": first_token, "per_token": per_token}))
    }
}

impl RecordedResponse {
    /// A response of the store.
    pub fn of(response: &Response) -> Self {
        lenient::read(serde_json::to_value(response.over_rest()).unwrap_or_default())
    }

    /// Whether nothing can happen to the response any more.
    pub fn is_over(&self) -> bool {
        let status = serde_json::from_value::<ResponseStatus>(Value::from(self.status.as_str()));
        status.is_ok_and(ResponseStatus::is_final)
    }
}

impl RecordedRun {
    /// Whether nothing can happen to the run any more.
    pub fn is_over(&self) -> bool {
        let status = RunStatus::ALL.iter().find(|status| status.name() == self.status);
        status.is_some_and(|status| status.is_terminal())
    }

    /// The calls that the run waits for.
    pub fn required_calls(&self) -> Option<&[RecordedToolCall]> {
        self.required_action.submit_tool_outputs.tool_calls.as_deref()
    }

    /// The assistant, as far as the run tells. What is said of a run is not said of its assistant.
    pub fn assistant(&self) -> RecordedAssistant {
        RecordedAssistant {
            id: self.assistant_id.clone(),
            model: self.model.clone().or_else(|| Some("gpt-4o".to_owned())),
            instructions: self.instructions.clone(),
            tools: self.tools.clone(),
            temperature: self.temperature.clone(),
            top_p: self.top_p.clone(),
            response_format: self.response_format.clone(),
            ..RecordedAssistant::default()
        }
    }
}

/// The ids of all files that are named somewhere in a value, in their order.
pub fn file_ids(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().flat_map(file_ids).collect(),
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| match value {
                Value::String(id) if key == "file_id" => vec![id.as_str()],
                other => file_ids(other),
            })
            .collect(),
        _ => Vec::new(),
    }
}
