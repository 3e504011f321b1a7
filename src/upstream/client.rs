//! The client of an upstream: its requests, its answers, and its errors.

use std::{collections::HashMap, fmt, time::Duration};

use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, header, redirect};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{own_key::OwnKey, remote_objects::RemoteObjects};
use crate::{
    turns::AskedRole,
    types::{
        Assistant, Run, Step, Usage,
        run::{IncompleteRun, LastError},
    },
};

/// What kind of server an upstream is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum UpstreamKind {
    /// It has `/chat/completions`, as OpenAI, vLLM, Ollama and llama.cpp do.
    #[default]
    Chat,
    /// It speaks the Assistants API itself.
    Assistants,
    /// It speaks the Responses API itself.
    Responses,
}

/// A key. Only the upstream sees it.
#[derive(Clone)]
pub struct ApiKey(String);

impl ApiKey {
    /// A key, as the upstream expects it after `Bearer`.
    pub fn new(key: String) -> Self {
        Self(key)
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl UpstreamSettings {
    /// An upstream without a key, with the usual limits.
    pub fn new(url: impl Into<String>, kind: UpstreamKind) -> Self {
        let url = url.into();
        Self { url, kind, key: None, models: Vec::new(), limit: LIMIT, patience: None }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// The upstream, and how to use it.
#[derive(Clone, Debug)]
pub struct UpstreamSettings {
    /// The base URL, such as `http://localhost:11434/v1`.
    pub url: String,
    /// Which API it speaks.
    pub kind: UpstreamKind,
    /// The key for the upstream; `None` if it needs none.
    pub key: Option<ApiKey>,
    /// Models that have another name at the upstream.
    pub models: Vec<ModelName>,
    /// How many requests one run may make.
    pub limit: usize,
    /// How long the upstream may be silent; `None` for the usual two minutes.
    pub patience: Option<Duration>,
}

/// A model, and its name at the upstream. `*` means every model that has no name of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelName {
    from: String,
    to: String,
}

impl std::str::FromStr for ModelName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((from, to)) if !from.is_empty() && !to.is_empty() => {
                Ok(Self { from: from.to_owned(), to: to.to_owned() })
            }
            _ => Err("expected FROM=TO, such as gpt-4o=llama3.1; FROM may be * for all models"
                .to_owned()),
        }
    }
}

/// How many requests one run may make by default.
pub const LIMIT: usize = 100;

/// How long an upstream may be silent. Models that think may take a while to their first word.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long it may take to connect.
const CONNECT: Duration = Duration::from_secs(10);

/// How often a request that failed at its beginning is retried, and the wait before each retry.
const RETRIES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];

/// The longest wait that an upstream may ask for.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How much of an upstream's error text is passed on, in characters.
const SAID: usize = 1_000;

/// How long one answer of an upstream may be, in bytes. A whole message fits many times.
pub(super) const LONGEST: usize = 16 << 20;

/// Why an upstream cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamConfigError {
    #[error("the upstream's URL cannot be used: {0}")]
    Url(String),
    #[error("the client for the upstream cannot be made: {0}")]
    Client(#[from] reqwest::Error),
    #[error("the upstream's key has characters that no header may have")]
    Key,
}

/// Sets the cryptography of TLS up, once for the process.
pub fn prepare_tls() {
    // Another caller may have been faster, and has done the same.
    _ = rustls::crypto::ring::default_provider().install_default();
}

/// The content of a conversation so far.
#[derive(Clone, Debug, Default)]
pub struct Conversation {
    /// The thread before the run, oldest first.
    pub messages: Vec<ThreadMessage>,
    /// The texts of the run itself, by the ids of the messages.
    pub own: HashMap<String, String>,
    /// The results of searches, in the form for the model, by the ids of the calls.
    pub found: HashMap<String, String>,
    /// Whether there is anything to search in.
    pub can_search: bool,
    /// How a response is to reason, as its client has said it.
    pub reasoning: Value,
}

/// A message of the thread, or of the input of a response.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ThreadMessage {
    pub id: String,
    /// The run that wrote it.
    pub run: Option<String>,
    pub role: AskedRole,
    pub parts: Vec<MessagePart>,
}

/// A part of a message.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessagePart {
    Text(String),
    /// An image, by its address: `data:` if it is a file of the thread.
    Image(String),
}

/// A request to an upstream.
#[derive(Debug)]
pub struct UpstreamRequest {
    pub run: Run,
    pub assistant: Option<Assistant>,
    pub steps: Vec<Step>,
    pub conversation: Conversation,
    /// The note of the previous request for the same run.
    pub note: Value,
}

/// The next piece of an upstream's answer.
#[derive(Clone, Debug, PartialEq)]
pub enum UpstreamPiece {
    /// A message begins.
    Message,
    Text(String),
    Refusal(String),
    /// The message is complete, and so is the step.
    Said(Option<Usage>),
    /// The model has reasoned: the parts of its summary.
    Reasoning(Vec<String>),
    /// An item of the Responses API that the upstream has made itself, such as a search in the web.
    Item(Map<String, Value>),
    /// The calls of one step, all of them.
    Calls(Vec<UpstreamCall>, Option<Usage>),
    /// A note for the next request, after the client's outputs.
    Note(Value),
    /// The run ends.
    End(Finish),
}

#[derive(Clone, Debug, PartialEq)]
pub enum UpstreamCall {
    Function {
        name: String,
        arguments: String,
    },
    Search {
        query: String,
    },
    Interpreter {
        input: String,
        logs: Vec<String>,
    },
    /// A search that the upstream made itself.
    Searched,
}

/// How a run ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Finish {
    Completed(Option<Usage>),
    Incomplete(IncompleteRun, Option<Usage>),
    /// The upstream performed the run, and it failed.
    Failed(LastError),
    Expired,
    /// The upstream did not perform the run.
    Unanswered(LastError),
}

/// One turn of an upstream. A drop cancels the turn.
#[derive(Debug)]
pub struct Turn {
    pub(super) pieces: mpsc::Receiver<UpstreamPiece>,
    pub(super) task: JoinHandle<()>,
}

impl Turn {
    /// The next piece; `None` when the turn is over.
    pub async fn next(&mut self) -> Option<UpstreamPiece> {
        self.pieces.recv().await
    }

    /// The next piece, if it has arrived already.
    pub fn ready(&mut self) -> Option<UpstreamPiece> {
        self.pieces.try_recv().ok()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How many pieces wait for the caller.
pub(super) const AHEAD: usize = 256;

/// A server that performs runs.
#[derive(Debug)]
pub struct Upstream {
    pub(super) http: Client,
    base: Url,
    pub(super) kind: UpstreamKind,
    key: Option<ApiKey>,
    models: Vec<ModelName>,
    pub limit: usize,
    pub(super) remote: RemoteObjects,
}

impl Upstream {
    pub fn new(settings: UpstreamSettings) -> Result<Self, UpstreamConfigError> {
        prepare_tls();
        let base = base_of(&settings.url)?;
        if settings
            .key
            .as_ref()
            .is_some_and(|key| header::HeaderValue::from_str(key.reveal()).is_err())
        {
            return Err(UpstreamConfigError::Key);
        }
        let http = Client::builder()
            .user_agent(concat!("rehearsal/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .read_timeout(settings.patience.unwrap_or(PATIENCE))
            .build()?;
        let UpstreamSettings { kind, key, models, limit, .. } = settings;
        Ok(Self { http, base, kind, key, models, limit, remote: RemoteObjects::default() })
    }

    /// The same upstream for another session. The threads of that session are different ones, even
    /// if they have the same ids.
    pub fn afresh(&self) -> Self {
        let Self { http, base, kind, key, models, limit, remote: _ } = self;
        let (http, base, models) = (http.clone(), base.clone(), models.clone());
        Self {
            http,
            base,
            kind: *kind,
            key: key.clone(),
            models,
            limit: *limit,
            remote: RemoteObjects::default(),
        }
    }

    /// The upstream's name for a model.
    pub(super) fn model<'m>(&'m self, model: &'m str) -> &'m str {
        let named = |name: &str| self.models.iter().find(|renamed| renamed.from == name);
        named(model).or_else(|| named("*")).map_or(model, |renamed| &renamed.to)
    }

    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url
    }

    pub(super) fn post(&self, path: &str) -> RequestBuilder {
        self.with_key(self.http.post(self.url(path)))
    }

    pub(super) fn with_key(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.key {
            // Azure has a header of its own.
            Some(ApiKey(key))
                if self.base.host_str().is_some_and(|host| host.ends_with(".azure.com")) =>
            {
                request.header("api-key", key)
            }
            Some(ApiKey(key)) => request.bearer_auth(key),
            // The API requires a key; another Rehearsal accepts any.
            None if self.kind != UpstreamKind::Chat => request.bearer_auth("rehearsal"),
            None => request,
        }
    }

    /// Sends a request, and retries while the error is temporary.
    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        body: &Value,
    ) -> Result<Response, TurnError> {
        let request =
            request.header(header::CONTENT_TYPE, "application/json").body(body.to_string());
        let mut waits = RETRIES.into_iter();
        loop {
            let attempt = request.try_clone().expect("the body is a text");
            let (error, asked_to_wait) = match attempt.send().await {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) => {
                    let (status, wait) = (response.status(), wait_of(&response));
                    let error = self.refusal(status, response).await;
                    if !(status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()) {
                        return Err(error.into());
                    }
                    (error, wait)
                }
                Err(error) if error.is_timeout() => return Err(unreachable(&error).into()),
                // The upstream may have received the request, and a message must not be sent twice.
                Err(error) if self.kind == UpstreamKind::Assistants && !error.is_connect() => {
                    return Err(unreachable(&error).into());
                }
                Err(error) => (unreachable(&error), None),
            };
            match waits.next() {
                Some(wait) => tokio::time::sleep(asked_to_wait.unwrap_or(wait)).await,
                None => return Err(error.into()),
            }
        }
    }

    /// The error for a failed response.
    pub(super) async fn refusal(&self, status: StatusCode, response: Response) -> LastError {
        let code = match status {
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_exceeded",
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => "invalid_prompt",
            _ => "server_error",
        };
        if status.is_redirection() {
            return LastError::server_error(format!(
                "The upstream answered {}: it redirects elsewhere, which is not followed. Name the \
                 address itself in --upstream.",
                status.as_u16()
            ));
        }
        let said =
            message_of(&String::from_utf8_lossy(&beginning(response).await)).trim().to_owned();
        let hint = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                " The key is taken from the variable that --upstream-key-env names."
            }
            StatusCode::NOT_FOUND => {
                " Look at the address in --upstream, and at the model: --upstream-model FROM=TO \
                 renames it."
            }
            _ => "",
        };
        let message = match (status, said.is_empty()) {
            // Like the service: only its own text.
            (StatusCode::TOO_MANY_REQUESTS, false) => said,
            (_, false) => {
                let end = if said.ends_with(['.', '!', '?']) { "" } else { "." };
                format!("The upstream answered {}: {said}{end}{hint}", status.as_u16())
            }
            (_, true) => format!("The upstream answered {}.{hint}", status.as_u16()),
        };
        LastError { code: code.to_owned(), message }
    }

    pub(super) fn own_key(&self) -> OwnKey {
        OwnKey::new(self.key.as_ref().map(ApiKey::reveal))
    }

    /// An error without the key, in case the upstream has repeated it. The text is cut to a
    /// readable length.
    pub fn cleaned(&self, error: LastError) -> LastError {
        let whole = self.own_key().replaced(error.message, "…");
        let message = match whole.char_indices().nth(SAID) {
            Some((end, _)) => format!("{}…", &whole[..end]),
            None => whole,
        };
        LastError { code: self.own_key().replaced(error.code, "…"), message }
    }
}

/// Why a turn failed.
#[derive(Debug)]
pub(super) enum TurnError {
    Upstream(LastError),
    /// Nobody listens any more.
    Unheard,
}

impl From<LastError> for TurnError {
    fn from(error: LastError) -> Self {
        Self::Upstream(error)
    }
}

impl TurnError {
    pub(super) fn because(what: impl fmt::Display) -> Self {
        Self::Upstream(LastError::server_error(format!("The upstream {what}.")))
    }
}

/// The base URL as clients take it, with `/v1` if the URL has no path.
fn base_of(text: &str) -> Result<Url, UpstreamConfigError> {
    let mut url: Url = text.parse().map_err(|error| {
        UpstreamConfigError::Url(format!("{error}; write it like http://127.0.0.1:11434/v1"))
    })?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(UpstreamConfigError::Url("it must begin with http:// or https://".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UpstreamConfigError::Url(
            "it has a password in it; the key comes from the environment, by --upstream-key-env"
                .to_owned(),
        ));
    }
    url.set_fragment(None);
    for end in ["/chat/completions", "/assistants", "/responses"] {
        if let Some(base) = url.path().trim_end_matches('/').strip_suffix(end).map(str::to_owned) {
            url.set_path(&base);
        }
    }
    if url.path() == "/" {
        url.set_path("/v1");
    }
    Ok(url)
}

/// The type of an answer, or an empty text.
pub(super) fn content_type(response: &Response) -> String {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned()
}

/// The error for an answer of another type.
pub(super) fn not_asked_for(kind: &str, wanted: &str) -> TurnError {
    let kind = if kind.is_empty() { "something without a type" } else { kind };
    TurnError::because(format_args!("answered with {kind} where {wanted} was asked for"))
}

pub(super) fn parsed(text: &str) -> Result<Value, TurnError> {
    serde_json::from_str(text).map_err(|_| TurnError::because("sent something that is not JSON"))
}

impl Upstream {
    /// Detects an error in place of an answer.
    pub(super) fn refuse_error(&self, answer: &Value) -> Result<(), TurnError> {
        match &answer["error"] {
            Value::Null => Ok(()),
            error => {
                let said =
                    error["message"].as_str().or_else(|| error.as_str()).unwrap_or("no message");
                Err(TurnError::because(format_args!(
                    "answered with an error: {}",
                    said.trim_end_matches('.')
                )))
            }
        }
    }
}

/// The whole answer, unless it is too long.
pub(super) async fn whole(mut response: Response) -> Result<String, TurnError> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => {
                return String::from_utf8(body)
                    .map_err(|_| TurnError::because("sent something that is not JSON"));
            }
            Err(_) => return Err(TurnError::because("broke off in the middle of its answer")),
        }
        if body.len() > LONGEST {
            return Err(too_long());
        }
    }
}

/// The beginning of an answer; the rest is ignored.
async fn beginning(mut response: Response) -> Vec<u8> {
    const ENOUGH: usize = 64 << 10;
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await
        && body.len() < ENOUGH
    {
        body.extend_from_slice(&chunk);
    }
    body.truncate(ENOUGH);
    body
}

pub(super) fn too_long() -> TurnError {
    TurnError::because("answered with more than 16 MiB")
}

fn wait_of(response: &Response) -> Option<Duration> {
    let seconds: f64 = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().map(|wait| wait.min(LONGEST_WAIT))
}

pub(super) fn unreachable(error: &reqwest::Error) -> LastError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    LastError::server_error(match error {
        error if error.is_timeout() => "The upstream did not answer in time.".to_owned(),
        error if !error.is_connect() => {
            format!("The upstream broke off before it answered: {cause}.")
        }
        _ => format!("The upstream cannot be reached: {cause}."),
    })
}

/// The message in the body of an error, if the body has OpenAI's form. A page for people gives no
/// message.
fn message_of(body: &str) -> String {
    let parsed = serde_json::from_str::<Value>(body).unwrap_or_default();
    let said = parsed["error"]["message"]
        .as_str()
        .or_else(|| parsed["error"].as_str())
        .or_else(|| parsed["message"].as_str());
    match said {
        Some(said) => said.to_owned(),
        None if body.trim_start().starts_with(['<', '{']) => String::new(),
        None => body.to_owned(),
    }
}

/// The usage that an upstream reports, if it does.
pub(super) fn usage_of(usage: &Value) -> Option<Usage> {
    Some(Usage::new(usage["prompt_tokens"].as_u64()?, usage["completion_tokens"].as_u64()?))
}

/// The notes about a run of an upstream, with which the run continues after a restart.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Noted {
    pub turns: usize,
    pub note: Value,
    pub usage: Option<Usage>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_clients_take_them() {
        for (given, base) in [
            ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
            ("http://127.0.0.1:11434/", "http://127.0.0.1:11434/v1"),
            ("https://api.example.com/v1/", "https://api.example.com/v1/"),
            ("http://h:1/v1/chat/completions", "http://h:1/v1"),
            (
                "https://h/openai/deployments/d?api-version=2024-10-21",
                "https://h/openai/deployments/d?api-version=2024-10-21",
            ),
        ] {
            assert_eq!(base_of(given).unwrap().as_str(), base, "{given}");
        }
        for wrong in ["localhost:11434", "ftp://h/v1", "http://me:secret@h/v1", "", "/v1"] {
            assert!(base_of(wrong).is_err(), "{wrong}");
        }
        let upstream = Upstream::new(UpstreamSettings {
            url: "https://h/openai/deployments/d?api-version=1".to_owned(),
            kind: UpstreamKind::Chat,
            key: None,
            models: vec!["gpt-4o=llama".parse().unwrap(), "*=other".parse().unwrap()],
            limit: LIMIT,
            patience: None,
        });
        let upstream = upstream.unwrap();
        assert_eq!(
            upstream.url("/chat/completions").as_str(),
            "https://h/openai/deployments/d/chat/completions?api-version=1"
        );
        assert_eq!((upstream.model("gpt-4o"), upstream.model("gpt-4")), ("llama", "other"));
    }

    #[test]
    fn waits_that_are_asked_for_have_a_bound() {
        let asked = |after: &'static str| {
            let answer = axum::http::Response::builder()
                .header(header::RETRY_AFTER, after)
                .body(String::new())
                .unwrap();
            wait_of(&Response::from(answer))
        };
        assert_eq!(asked("1.5"), Some(Duration::from_millis(1_500)));
        assert_eq!(asked("3600"), Some(LONGEST_WAIT));
        for unread in ["-1", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "NaN"] {
            assert_eq!(asked(unread), None, "{unread}");
        }
    }

    #[test]
    fn what_errors_say_is_found_in_any_body() {
        assert_eq!(message_of(r#"{"error": {"message": "No."}}"#), "No.");
        assert_eq!(message_of(r#"{"error": "model not found"}"#), "model not found");
        assert_eq!(message_of("<html><body>502</body></html>"), "");
        assert_eq!(message_of("upstream connect error"), "upstream connect error");
    }
}
