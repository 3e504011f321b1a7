//! Every error of the API, with its text, `param` and `code`: the one place for them all.
//!
//! Clients match these texts with regular expressions, so every letter must stay the same.
//! `http/error.rs` has the status of each error.
//!
//! Sources: recorded exchanges with the real service and error bodies quoted in public issue
//! trackers, for the thread lock, cancel, tool outputs, authentication and beta texts; the general
//! vocabulary of the service's validator for the rest.

use std::fmt;

use super::{
    Api, RunStatus,
    file::Purpose,
    limits, python,
    reader::{ValidationError, ValidationErrorKind, quoted_list},
    upload::UploadStatus,
};

/// The reason why the API rejects a request.
#[derive(Clone, Debug, PartialEq)]
pub enum ApiErrorKind {
    // Authentication.
    NoKey,
    WrongKey {
        key: String,
        of: Api,
    },
    // The version of the API.
    NoBeta,
    UnknownBeta {
        name: String,
    },
    V1Deprecated {
        in_both: bool,
    },
    // Errors that only Azure's gateway has.
    AccessDenied,
    ResourceNotFound,
    // The protocol.
    UnknownUrl {
        method: String,
        path: String,
    },
    /// The Assistants API is switched off.
    Sunset,
    WrongBase {
        method: String,
        path: String,
        advice: String,
    },
    WrongMethod {
        method: String,
        path: String,
    },
    UnsupportedContentType {
        content_type: String,
    },
    NotJson,
    NotAForm {
        content_type: String,
    },
    /// A form where v1 wanted JSON.
    NotADict,
    BrokenForm,
    TooLarge {
        limit: u64,
        read: u64,
    },
    SessionKeyNeeded {
        method: String,
        path: String,
    },
    // Ids and fields.
    Invalid(Box<ValidationError>),
    // Existence.
    Missing {
        text: String,
        param: Option<&'static str>,
    },
    MissingStores {
        ids: Vec<String>,
    },
    MissingModel {
        model: String,
    },
    UnknownModel {
        model: String,
    },
    NotInV1 {
        model: String,
    },
    NotForAssistants {
        model: String,
    },
    /// A setting that the model does not have.
    UnsupportedParameter {
        name: &'static str,
    },
    /// A setting that the model does not have, in the words of the Responses API.
    UnsupportedOfResponses {
        name: &'static str,
    },
    /// A schema of the answer excludes all tools but functions.
    OnlyFunctions,
    // State.
    ActiveRunBlocksMessages {
        thread: String,
        run: String,
    },
    ThreadHasActiveRun {
        thread: String,
        run: String,
    },
    NothingToRun,
    CannotCancel {
        status: RunStatus,
    },
    CannotUpdate {
        status: RunStatus,
    },
    NoOutputsWanted {
        status: RunStatus,
    },
    WrongOutputs {
        expected: Vec<String>,
        got: Vec<String>,
    },
    // Responses and conversations.
    ConversationAndPrevious,
    NoPreviousResponse {
        id: String,
    },
    ConversationLocked,
    NoCallForOutput {
        call: &'static str,
        call_id: String,
    },
    NoOutputForCall {
        call: &'static str,
        call_id: String,
    },
    ReasoningAlone {
        id: String,
    },
    ItemNotStored {
        id: String,
    },
    TooLong,
    NotInBackground,
    NotStreamed,
    InvalidBody,
    ContainerExpired,
    // Files and vector stores.
    NotForDownload {
        purpose: Purpose,
    },
    EmptyFile,
    NoFilename,
    NotForRetrieval {
        extensions: Vec<String>,
    },
    StoreExpired {
        id: String,
    },
    RunOnExpiredStore {
        id: String,
    },
    StoreFull {
        id: String,
    },
    UploadNotPending {
        id: String,
        status: UploadStatus,
    },
    NoSuchPart {
        part: String,
        upload: String,
    },
    WrongBytes {
        expected: u64,
        got: u64,
    },
    WrongChecksum {
        expected: String,
        got: String,
    },
    // Errors of the emulator itself.
    HostRefused {
        host: String,
    },
    HostMissing,
    HostInvalid {
        host: String,
    },
    ForeignOrigin {
        what: &'static str,
        value: String,
    },
    UnknownSnapshot {
        name: String,
    },
    BadName {
        name: String,
    },
    FaultyFixture {
        diagnostics: String,
    },
    FaultyExpectation {
        diagnostics: String,
        /// The path of the first wrong value.
        path: String,
    },
    UnsupportedControlBody {
        content_type: String,
    },
    TooManySessions {
        max: usize,
    },
    // The errors of a fault whose fixture gives no error itself.
    RateLimited,
    Overloaded,
    Faulty {
        status: u16,
    },
    Internal {
        request_id: String,
    },
}

impl fmt::Display for ApiErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str(
                "You didn't provide an API key. You need to provide your API key in an \
                 Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY), or \
                 as the password field (with blank username) if you're accessing the API from your \
                 browser and are prompted for a username and password. You can obtain an API key \
                 from https://platform.openai.com/account/api-keys.",
            ),
            Self::WrongKey { key, of } => write!(
                f,
                "Incorrect API key provided: {}. You can find your API key at \
                 https://platform.openai.com/account/api-keys.",
                match of {
                    Api::Assistants => masked(key),
                    Api::Responses => masked_of_responses(key),
                }
            ),
            Self::NoBeta => f.write_str(
                "You must provide the 'OpenAI-Beta' header to access the Assistants API. Please \
                 try again by setting the header 'OpenAI-Beta: assistants=v2'.",
            ),
            Self::UnknownBeta { name } => write!(f, "Unknown beta requested: '{name}'."),
            Self::V1Deprecated { in_both } => {
                // Reported: if only v1 has the path, the text does not suggest another header.
                let again = if *in_both {
                    "Please try again by setting the header 'OpenAI-Beta: assistants=v2'. "
                } else {
                    ""
                };
                write!(
                    f,
                    "The v1 Assistants API has been deprecated. {again}See the migration guide for \
                     more information: https://platform.openai.com/docs/assistants/migration."
                )
            }
            Self::AccessDenied => f.write_str(
                "Access denied due to invalid subscription key or wrong API endpoint. Make sure to \
                 provide a valid key for an active subscription and use a correct regional API \
                 endpoint for your resource.",
            ),
            Self::ResourceNotFound => f.write_str("Resource not found"),
            Self::UnknownUrl { method, path } => write!(f, "Invalid URL ({method} {path})"),
            // There is no body.
            Self::Sunset => Ok(()),
            Self::WrongBase { method, path, advice } => {
                write!(f, "Invalid URL ({method} {path}). {advice}")
            }
            Self::WrongMethod { method, path } => {
                write!(
                    f,
                    "Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a \
                     different HTTP method?)"
                )
            }
            Self::UnsupportedContentType { content_type } => write!(
                f,
                "Unsupported content type: '{content_type}'. This API method only accepts \
                 'application/json' requests, but you specified the header 'Content-Type: \
                 {content_type}'. Please try again with a supported content type."
            ),
            Self::NotJson => f.write_str(
                "We could not parse the JSON body of your request. (HINT: This likely means you \
                 aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, \
                 but what was sent was not valid JSON. If you have trouble figuring out how to fix \
                 this, please contact us through our help center at help.openai.com.)",
            ),
            Self::NotAForm { content_type } => write!(
                f,
                "Invalid Content-Type header ({content_type}), expected multipart/form-data. \
                 (HINT: If you're using curl, you can pass -H 'Content-Type: multipart/form-data')"
            ),
            Self::NotADict => f.write_str(
                "1 validation error for Request\nbody\n  value is not a valid dict \
                 (type=type_error.dict)",
            ),
            Self::BrokenForm => f.write_str("Could not parse multipart form"),
            Self::TooLarge { limit, read } => {
                write!(f, "Maximum content size limit ({limit}) exceeded ({read} bytes read)")
            }
            Self::SessionKeyNeeded { method, path } => write!(
                f,
                "Your request to {method} {path} must be made with a session key (that is, it can \
                 only be made from the browser). You made it with the following key type: secret."
            ),
            Self::Invalid(fault) => write_fault(f, fault),
            Self::Missing { text, .. } => f.write_str(text),
            Self::MissingStores { ids } => {
                write!(f, "Vector store with id {} not found.", python::list(ids))
            }
            Self::UnknownModel { model } => {
                write!(f, "The requested model '{model}' does not exist.")
            }
            Self::NotInV1 { model } => write!(
                f,
                "The requested model '{model}' cannot be used with the Assistants API in v1. \
                 Follow the migration guide to upgrade to v2: \
                 https://platform.openai.com/docs/assistants/migration."
            ),
            Self::NotForAssistants { model } => {
                write!(f, "The requested model '{model}' cannot be used with the Assistants API.")
            }
            Self::UnsupportedParameter { name } | Self::UnsupportedOfResponses { name } => {
                write!(f, "Unsupported parameter: '{name}' is not supported with this model.")
            }
            Self::OnlyFunctions => f.write_str(
                "Invalid tools: all tools must be of type `function` when `response_format` is of \
                 type `json_schema`",
            ),
            Self::MissingModel { model } => write!(f, "The model '{model}' does not exist"),
            Self::ActiveRunBlocksMessages { thread, run } => {
                write!(f, "Can't add messages to {thread} while a run {run} is active.")
            }
            Self::ThreadHasActiveRun { thread, run } => {
                write!(f, "Thread {thread} already has an active run {run}.")
            }
            Self::NothingToRun => f.write_str(
                "Run creation requires a Thread with a user message or an assistant with \
                 instructions.",
            ),
            Self::CannotCancel { status } => write!(f, "Cannot cancel run with status '{status}'."),
            Self::CannotUpdate { status } => write!(f, "Cannot update run with status '{status}'."),
            Self::NoOutputsWanted { status } => {
                write!(f, "Runs in status \"{status}\" do not accept tool outputs.")
            }
            Self::WrongOutputs { expected, got } => {
                write!(
                    f,
                    "Expected tool outputs for call_ids {}, got {}",
                    python::list(expected),
                    python::list(got)
                )
            }
            // The recording cut the name of the first one out.
            Self::ConversationAndPrevious => f.write_str(
                "Mutually exclusive parameters: ''. Ensure you are only providing one of: \
                 'previous_response_id' or 'conversation'.",
            ),
            Self::NoPreviousResponse { id } => {
                write!(f, "Previous response with id '{id}' not found.")
            }
            Self::ConversationLocked => f.write_str(
                "Another process is currently operating on this conversation. Please retry in a \
                 few seconds.",
            ),
            Self::NoCallForOutput { call, call_id } => {
                write!(f, "No tool call found for {call} output with call_id {call_id}.")
            }
            Self::NoOutputForCall { call, call_id } => {
                write!(f, "No tool output found for {call} {call_id}.")
            }
            Self::ReasoningAlone { id } => write!(
                f,
                "Item '{id}' of type 'reasoning' was provided without its required following item."
            ),
            Self::ItemNotStored { id } => write!(
                f,
                "Item with id '{id}' not found. Items are not persisted when `store` is set to \
                 false. Try again with `store` set to true, or remove this item from your input."
            ),
            Self::TooLong => f.write_str(
                "Your input exceeds the context window of this model. Please adjust your input and \
                 try again.",
            ),
            Self::NotInBackground => f.write_str("Cannot cancel a synchronous response."),
            // Not recorded. The wording is ours.
            Self::NotStreamed => f.write_str(
                "This response cannot be streamed: only a response that was created with both \
                 'background' and 'stream' can.",
            ),
            Self::InvalidBody => f.write_str(
                "Invalid body: failed to parse JSON value. Please check the value to ensure it is \
                 valid JSON. (Common errors include trailing commas, missing closing brackets, \
                 missing quotation marks, etc.)",
            ),
            Self::ContainerExpired => f.write_str("Container is expired."),
            Self::NotForDownload { purpose } => {
                write!(f, "Not allowed to download files of purpose: {}", purpose.name())
            }
            Self::EmptyFile => f.write_str("File is empty."),
            Self::NoFilename => f.write_str(
                "Invalid 'file': expected a file with a filename, but got a value without one.",
            ),
            Self::NotForRetrieval { extensions } => write!(
                f,
                "Files with extensions [{}] are not supported for retrieval. See \
                 https://platform.openai.com/docs/assistants/tools/file-search/supported-files",
                extensions.join(", ")
            ),
            Self::StoreExpired { id } => write!(f, "Vector store '{id}' has expired."),
            Self::RunOnExpiredStore { id } => write!(f, "Vector store {id} is expired"),
            Self::StoreFull { id } => {
                write!(
                    f,
                    "Vector store '{id}' cannot have more than {} files.",
                    limits::STORE_FILES
                )
            }
            Self::UploadNotPending { id, status } => {
                write!(f, "Upload '{id}' takes no more changes: its status is '{}'.", status.name())
            }
            Self::NoSuchPart { part, upload } => {
                write!(f, "Part '{part}' does not belong to upload '{upload}'.")
            }
            Self::WrongBytes { expected, got } => {
                write!(
                    f,
                    "The parts add up to {got} bytes, but the upload was created for {expected} \
                     bytes."
                )
            }
            Self::WrongChecksum { expected, got } => {
                write!(
                    f,
                    "The md5 checksum of the uploaded bytes is '{got}', but '{expected}' was \
                     expected."
                )
            }
            Self::HostRefused { host } => write!(
                f,
                "This server does not answer to the host name '{host}'. Start it with --allow-host \
                 {host} if it should."
            ),
            Self::HostMissing => f.write_str("A request needs exactly one Host header."),
            Self::HostInvalid { host } => {
                write!(
                    f,
                    "'{host}' is not a host: give a name or an address, with or without a port."
                )
            }
            Self::ForeignOrigin { what, value } => {
                write!(
                    f,
                    "Refused: the header '{what}: {value}' says that this request comes from a web \
                     page of another origin."
                )
            }
            Self::UnknownSnapshot { name } => write!(f, "No snapshot found with name '{name}'."),
            Self::BadName { name } => {
                write!(
                    f,
                    "'{name}' is not a name: a name is 1 to 64 letters, digits, dots, underscores \
                     and dashes."
                )
            }
            Self::FaultyExpectation { diagnostics, .. } => {
                write!(f, "There are mistakes in the expectations.\n\n{diagnostics}")
            }
            Self::FaultyFixture { diagnostics } => {
                write!(f, "There are mistakes in the fixtures.\n\n{diagnostics}")
            }
            Self::UnsupportedControlBody { content_type } => write!(
                f,
                "Unsupported content type: '{content_type}'. The control API accepts \
                 'application/json', and for fixtures also 'application/yaml'."
            ),
            Self::TooManySessions { max } => write!(
                f,
                "There are {max} sessions, the limit of this server, and none of them is idle and \
                 empty. To make room, reset a session with 'POST \
                 /_rehearsal/reset?fixtures=true', or start the server with a larger \
                 '--max-sessions'."
            ),
            Self::RateLimited => {
                f.write_str("You've exceeded the rate limit, please slow down and try again later.")
            }
            Self::Overloaded => {
                f.write_str("The engine is currently overloaded, please try again later")
            }
            Self::Faulty { status } => write!(f, "A fault of the fixtures answers {status} here."),
            Self::Internal { request_id } => write!(
                f,
                "The server had an error processing your request. Sorry about that! You can retry \
                 your request, or contact us through our help center at help.openai.com if you \
                 keep seeing this error. (Please include the request ID {request_id} in your \
                 email.)"
            ),
        }
    }
}

impl ApiErrorKind {
    /// One thing wrong with the value at this path.
    pub fn invalid(path: impl Into<String>, kind: ValidationErrorKind) -> Self {
        Self::Invalid(Box::new(ValidationError::new(path, kind)))
    }

    /// Whether it is an error of Azure's gateway, which has another form for errors.
    pub fn is_of_gateway(&self) -> bool {
        matches!(self, Self::AccessDenied | Self::ResourceNotFound)
    }

    /// The field with the error, if there is one.
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::MissingModel { .. } | Self::UnknownModel { .. } => Some("model"),
            Self::NotInV1 { .. }
            | Self::NotForAssistants { .. }
            | Self::UnsupportedParameter { .. } => Some("model"),
            Self::Missing { param, .. } => *param,
            Self::UnsupportedOfResponses { name } => Some(name),
            Self::NoPreviousResponse { .. } => Some("previous_response_id"),
            Self::ConversationLocked => Some("conversation"),
            Self::NoCallForOutput { .. }
            | Self::NoOutputForCall { .. }
            | Self::ReasoningAlone { .. }
            | Self::ItemNotStored { .. }
            | Self::TooLong => Some("input"),
            Self::NotForRetrieval { .. } => Some("file_ids"),
            Self::NoSuchPart { .. } => Some("part_ids"),
            Self::WrongChecksum { .. } => Some("md5"),
            Self::EmptyFile | Self::NoFilename => Some("file"),
            Self::FaultyExpectation { path, .. } => (!path.is_empty()).then_some(path.as_str()),
            // The service does not say which one.
            Self::Invalid(fault) if fault.kind == ValidationErrorKind::FileUrl => Some("input"),
            Self::Invalid(fault) => (!fault.path.is_empty()).then_some(fault.path.as_str()),
            _ => None,
        }
    }

    /// The machine-readable code, if the service gave one.
    pub fn code(&self) -> Option<&'static str> {
        Some(match self {
            Self::WrongKey { .. } => "invalid_api_key",
            Self::NoBeta | Self::UnknownBeta { .. } | Self::V1Deprecated { .. } => "invalid_beta",
            Self::NotInV1 { .. } | Self::NotForAssistants { .. } => "unsupported_model",
            Self::UnsupportedParameter { .. } => "unsupported_parameter",
            Self::AccessDenied => "401",
            Self::ResourceNotFound => "404",
            Self::UnsupportedContentType { .. } | Self::UnsupportedControlBody { .. } => {
                "unsupported_content_type"
            }
            Self::MissingModel { .. } | Self::UnknownModel { .. } => "model_not_found",
            Self::RateLimited | Self::TooManySessions { .. } => "rate_limit_exceeded",
            Self::FaultyFixture { .. } => "invalid_fixture",
            Self::FaultyExpectation { .. } => "invalid_expectation",
            Self::NothingToRun => "invalid_thread",
            Self::ConversationAndPrevious => "mutually_exclusive_parameters",
            Self::NoPreviousResponse { .. } => "previous_response_not_found",
            Self::ConversationLocked => "conversation_locked",
            Self::TooLong => "context_length_exceeded",
            Self::InvalidBody => "invalid_json",
            Self::NotForRetrieval { .. } => "unsupported_file",
            Self::Invalid(fault) => return fault_code(&fault.kind),
            _ => return None,
        })
    }
}

fn write_fault(
    f: &mut fmt::Formatter<'_>,
    ValidationError { path, kind, .. }: &ValidationError,
) -> fmt::Result {
    match kind {
        ValidationErrorKind::Unknown { .. } => write!(f, "Unknown parameter: '{path}'."),
        ValidationErrorKind::Missing => write!(f, "Missing required parameter: '{path}'."),
        ValidationErrorKind::Misspelt { key, got } => {
            write!(
                f,
                "Missing required parameter: '{path}'. You provided '{got}', did you mean to \
                 provide '{key}'?"
            )
        }
        ValidationErrorKind::WrongType { expected, got } if path.is_empty() => {
            write!(f, "Invalid type: expected {expected}, but got {got} instead.")
        }
        ValidationErrorKind::WrongType { expected, got } => {
            write!(f, "Invalid type for '{path}': expected {expected}, but got {got} instead.")
        }
        ValidationErrorKind::NotOneOf { got, supported } => {
            let verb = if supported.len() == 1 { "value is" } else { "values are" };
            write!(f, "Invalid value: '{got}'. Supported {verb}: {}.", quoted_list(supported))
        }
        ValidationErrorKind::StringTooLong { max, got } => write!(
            f,
            "Invalid '{path}': string too long. Expected a string with maximum length {max}, but \
             got a string with length {got} instead."
        ),
        ValidationErrorKind::EmptyString => {
            write!(
                f,
                "Invalid '{path}': empty string. Expected a string with minimum length 1, but got \
                 an empty string instead."
            )
        }
        ValidationErrorKind::ArrayTooLong { max, got } => write!(
            f,
            "Invalid '{path}': array too long. Expected an array with maximum length {max}, but \
             got an array with length {got} instead."
        ),
        ValidationErrorKind::EmptyArray => {
            write!(
                f,
                "Invalid '{path}': empty array. Expected an array with minimum length 1, but got \
                 an empty array instead."
            )
        }
        ValidationErrorKind::TooManyProperties { max, got } => write!(
            f,
            "Invalid '{path}': too many properties. Expected an object with at most {max} \
             properties, but got an object with {got} properties instead."
        ),
        ValidationErrorKind::PropertyNameTooLong { name, max, got } => write!(
            f,
            "Invalid property name in '{path}': '{name}' is too long. Expected a string with \
             maximum length {max}, but got a string with length {got} instead."
        ),
        ValidationErrorKind::IntegerBelow { min, got } => {
            write!(
                f,
                "Invalid '{path}': integer below minimum value. Expected a value >= {min}, but got \
                 {got} instead."
            )
        }
        ValidationErrorKind::IntegerAbove { max, got } => {
            write!(
                f,
                "Invalid '{path}': integer above maximum value. Expected a value <= {max}, but got \
                 {got} instead."
            )
        }
        ValidationErrorKind::DecimalBelow { min, got } => {
            write!(
                f,
                "Invalid '{path}': decimal below minimum value. Expected a value >= {min}, but got \
                 {got} instead."
            )
        }
        ValidationErrorKind::DecimalAbove { max, got } => {
            write!(
                f,
                "Invalid '{path}': decimal above maximum value. Expected a value <= {max}, but got \
                 {got} instead."
            )
        }
        ValidationErrorKind::Pattern { pattern } => {
            write!(
                f,
                "Invalid '{path}': string does not match pattern. Expected a string that matches \
                 the pattern '{pattern}'."
            )
        }
        ValidationErrorKind::IdPrefix { prefix, got } => {
            write!(f, "Invalid '{path}': '{got}'. Expected an ID that begins with '{prefix}'.")
        }
        ValidationErrorKind::IdCharacters { got } => write!(
            f,
            "Invalid '{path}': '{got}'. Expected an ID that contains letters, numbers, \
             underscores, or dashes, but this value contained additional characters."
        ),
        ValidationErrorKind::NotInEnum { got, supported } => {
            write!(f, "'{got}' is not one of {} - '{path}'", python::list(supported))
        }
        ValidationErrorKind::NotGiven => write!(f, "'{path}' is a required property"),
        ValidationErrorKind::Extension { got, supported } => {
            let names: Vec<_> = supported.iter().map(|name| format!("\"{name}\"")).collect();
            write!(f, "Invalid extension {got}. Supported formats: {}", names.join(", "))
        }
        ValidationErrorKind::NoUrl => {
            write!(
                f,
                "Invalid '{path}'. Expected a valid URL, but got a value with an invalid format."
            )
        }
        ValidationErrorKind::OutputsTooLarge => {
            write!(
                f,
                "'{path}' too large: the combined tool outputs must be less than {}kb.",
                limits::TOOL_OUTPUTS >> 10
            )
        }
        ValidationErrorKind::FunctionSchema { function, what } => {
            write!(f, "Invalid schema for function '{function}': {what}")
        }
        ValidationErrorKind::FormatSchema { format, what }
        | ValidationErrorKind::ResponseSchema { format, what } => {
            write!(f, "Invalid schema for response_format '{format}': {what}")
        }
        ValidationErrorKind::FileData { mime } => write!(
            f,
            "Invalid file data: '{path}'. Expected a base64-encoded data URL with a valid file MIME \
             type (e.g. 'data:text/plain;base64,SGVsbG8sIFdvcmxkIQ=='), but got unsupported MIME \
             type '{mime}'. Please see \
             https://platform.openai.com/docs/assistants/tools/file-search#supported-files for \
             supported file types."
        ),
        ValidationErrorKind::FileUrl => {
            f.write_str("The file type you uploaded is not supported. Please try again with a pdf")
        }
        ValidationErrorKind::TooDeep { max } => {
            write!(f, "Invalid '{path}': nested too deeply. Expected at most {max} levels.")
        }
        ValidationErrorKind::Excludes { other } => {
            write!(
                f,
                "Invalid '{path}': mutually exclusive with '{other}'. Expected only one of the two."
            )
        }
        ValidationErrorKind::Other(what)
        | ValidationErrorKind::Key(what)
        | ValidationErrorKind::Template { what, .. } => f.write_str(what),
    }
}

fn fault_code(kind: &ValidationErrorKind) -> Option<&'static str> {
    Some(match kind {
        ValidationErrorKind::Unknown { .. } => "unknown_parameter",
        ValidationErrorKind::Missing | ValidationErrorKind::Misspelt { .. } => {
            "missing_required_parameter"
        }
        ValidationErrorKind::WrongType { .. } => "invalid_type",
        ValidationErrorKind::NotOneOf { .. }
        | ValidationErrorKind::Pattern { .. }
        | ValidationErrorKind::IdPrefix { .. }
        | ValidationErrorKind::IdCharacters { .. } => "invalid_value",
        ValidationErrorKind::StringTooLong { .. }
        | ValidationErrorKind::PropertyNameTooLong { .. } => "string_above_max_length",
        ValidationErrorKind::EmptyString => "empty_string",
        ValidationErrorKind::ArrayTooLong { .. } => "array_above_max_length",
        ValidationErrorKind::EmptyArray => "empty_array",
        ValidationErrorKind::TooManyProperties { .. } => "object_above_max_properties",
        ValidationErrorKind::IntegerBelow { .. } => "integer_below_min_value",
        ValidationErrorKind::IntegerAbove { .. } => "integer_above_max_value",
        ValidationErrorKind::DecimalBelow { .. } => "decimal_below_min_value",
        ValidationErrorKind::DecimalAbove { .. } => "decimal_above_max_value",
        ValidationErrorKind::FileUrl => "unsupported_file",
        ValidationErrorKind::FileData { .. }
        | ValidationErrorKind::TooDeep { .. }
        | ValidationErrorKind::Excludes { .. }
        | ValidationErrorKind::NoUrl
        | ValidationErrorKind::OutputsTooLarge => "invalid_value",
        ValidationErrorKind::FunctionSchema { .. } => "invalid_function_parameters",
        ValidationErrorKind::ResponseSchema { .. } => "invalid_json_schema",
        ValidationErrorKind::FormatSchema { .. }
        | ValidationErrorKind::NotInEnum { .. }
        | ValidationErrorKind::NotGiven
        | ValidationErrorKind::Extension { .. } => {
            return None;
        }
        ValidationErrorKind::Template { .. }
        | ValidationErrorKind::Key(_)
        | ValidationErrorKind::Other(_) => return None,
    })
}

/// `sk-ab***…***yz`: the form in which the service shows a key that it rejects. An empty key is
/// shown as two quotes.
fn masked(key: &str) -> String {
    let characters: Vec<char> = key.chars().collect();
    match characters.len() {
        0 => "''".to_owned(),
        1..=11 => "*".repeat(characters.len()),
        count => {
            let start: String = characters[..4].iter().collect();
            let end: String = characters[count - 4..].iter().collect();
            format!("{start}{}{end}", "*".repeat(count - 8))
        }
    }
}

/// The same for a key that the Responses API rejects: it shows a short key completely. Recorded.
fn masked_of_responses(key: &str) -> String {
    const SHORT: usize = 12;
    let characters: Vec<char> = key.chars().collect();
    let count = characters.len();
    if count <= SHORT {
        return if count == 0 { "''".to_owned() } else { key.to_owned() };
    }
    let start: String = characters[..8].iter().collect();
    let end: String = characters[count - 4..].iter().collect();
    format!("{start}{}{end}", "*".repeat(count - SHORT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_key_is_never_shown_whole() {
        assert_eq!(masked("sk-proj-0123456789abcdef"), "sk-p****************cdef");
        assert_eq!(masked("short"), "*****");
        assert_eq!(masked(""), "''");
    }

    #[test]
    fn call_ids_are_listed_as_python_prints_them() {
        let refusal = ApiErrorKind::WrongOutputs {
            expected: vec!["call_a".into(), "call_b".into()],
            got: vec!["call_a".into()],
        };
        assert_eq!(
            refusal.to_string(),
            "Expected tool outputs for call_ids ['call_a', 'call_b'], got ['call_a']"
        );
    }
}
