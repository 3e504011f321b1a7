//! The arguments of handlers: the context, an object that exists, a valid body, a page of a list.
//!
//! Every rejection is an `ApiError`. This file has the order of the checks: JSON syntax, fields,
//! ids, existence.

use std::{convert::Infallible, ops::Deref, sync::Arc};

use axum::{
    body::Body as RawBody,
    extract::{FromRequest, FromRequestParts, Query, RawPathParams, Request},
    http::{header, request::Parts},
};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use serde_json::{Map, Value};

use super::{
    answer::{Answer, Polled, Show, ShownAnswer},
    bounded_json::{self, Parsed},
    dialect::Dialect,
    error::{ApiError, Result},
    state::{AppState, SessionRequest},
};
use crate::{
    session::{OpenSession, SessionState, StateGuard},
    store::Stored,
    types::{
        Api, ApiErrorKind, Assistant, Conversation, FileBatch, Id, Message, Order, Resource,
        Response, Run, Thread, Upload, VectorStore, View, id, limits,
        list::PageRequest,
        model::Family,
        reader::{self, Read, ValidationErrorKind, integer_between},
        resource::ResourceKey,
        store_file::StoreFileStatus,
        version::Versioned,
        views::RunView,
    },
};

/// The state of the session that the request names. It is not replaced while the context lives.
#[derive(Clone)]
pub(crate) struct RequestContext {
    pub state: Arc<SessionState>,
    pub dialect: Dialect,
    /// Whether the request only observes.
    observes: bool,
    _guard: Option<Arc<StateGuard>>,
}

impl RequestContext {
    /// Enters the state that a session has now.
    pub(crate) async fn enter(to: &SessionRequest, dialect: Dialect) -> Self {
        let (state, guard) = to.session.hold_state().await;
        Self { state, dialect, observes: to.observes, _guard: Some(Arc::new(guard)) }
    }

    /// A state that may be replaced meanwhile.
    pub(super) fn without_guard(state: Arc<SessionState>, dialect: Dialect) -> Self {
        Self { state, dialect, observes: false, _guard: None }
    }

    /// Does the effects of a poll, unless the request only observes.
    pub(crate) async fn count_poll(&self, poll: impl Future<Output = ()>) {
        if !self.observes {
            poll.await;
        }
    }

    /// Answers with an object as the version of the request shows it.
    pub(crate) fn answer<T: View>(&self, it: T) -> Answer<Versioned<T>> {
        Answer(it.seen(self.dialect.version))
    }

    /// Rejects a model that is not listed, if only listed ones are accepted. Also rejects a model
    /// that the version of the request never had. Azure accepted any name, and found at the first
    /// run that the deployment did not exist.
    pub(crate) fn check_model(&self, model: &str) -> Result<(), ApiErrorKind> {
        if self.dialect.is_azure() {
            return Ok(());
        }
        self.state.check_model(model)?;
        self.check_age(model)
    }

    /// The same for the model of a response.
    pub(crate) fn check_model_of_response(&self, model: &str) -> Result<(), ApiErrorKind> {
        if self.dialect.is_azure() {
            return Ok(());
        }
        self.state.check_model_of_response(model)
    }

    /// Under v1, rejects a model that is newer than v1.
    pub(crate) fn check_age(&self, model: &str) -> Result<(), ApiErrorKind> {
        let is_newer = || Family::of_model(model).is_some_and(|family| family.is_newer_than_v1);
        if self.dialect.version.is_v1() && !self.dialect.is_azure() && is_newer() {
            return Err(ApiErrorKind::NotInV1 { model: model.to_owned() });
        }
        Ok(())
    }

    /// Answers with the object of an id. The text of the answer is cached.
    pub(crate) async fn show<T: Stored, A: Show>(
        &self,
        ids: &PathIds<T>,
        answer: impl FnOnce(T) -> A,
    ) -> Result<ShownAnswer> {
        let show = |it| answer(it).shown();
        let shown = self.state.store.find_shown(&ids.key(), self.dialect.version, show).await?;
        shown.map(ShownAnswer).ok_or_else(|| ApiError::missing::<T>(ids.all()))
    }

    /// Answers with a run, which clients poll as long as it is not final.
    pub(crate) fn run(&self, run: Run) -> Polled<Versioned<RunView<'static>>> {
        Polled(run.into_answer().seen(self.dialect.version))
    }
}

impl Deref for RequestContext {
    type Target = SessionState;

    fn deref(&self) -> &SessionState {
        &self.state
    }
}

/// The session that the request names.
pub(crate) struct InSession(pub Arc<OpenSession>);

impl FromRequestParts<AppState> for InSession {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Infallible> {
        let in_session = SessionRequest::from_request_parts(parts, app).await?;
        Ok(Self(in_session.session))
    }
}

/// The reply that a header of the request names for a run.
pub(crate) struct NamedReply(pub Option<String>);

impl FromRequestParts<AppState> for NamedReply {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        let name = parts
            .headers
            .get("x-rehearsal-reply")
            .map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned());
        Ok(Self(name.filter(|name| !name.is_empty())))
    }
}

/// A request without a session uses the default session.
impl FromRequestParts<AppState> for RequestContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Infallible> {
        let context = parts.extensions.get::<Self>().cloned();
        Ok(context
            .unwrap_or_else(|| Self::without_guard(app.default.state(), Dialect::of_parts(parts))))
    }
}

/// The ids in a URL, parents first, named as in `T::PATH`.
pub(crate) struct PathIds<T> {
    values: Vec<String>,
    of: std::marker::PhantomData<fn() -> T>,
}

impl<T: Resource> PathIds<T> {
    /// The id of the `T` itself.
    pub(crate) fn own(&self) -> &str {
        self.values.last().map_or("", String::as_str)
    }

    /// All of them, for the store.
    pub(crate) fn key(&self) -> T::Key {
        T::Key::from_ids(&self.values)
    }

    /// All of them, for messages.
    pub(crate) fn all(&self) -> &[String] {
        &self.values
    }

    /// Those of a parent, which come first.
    pub(crate) fn parent<P: Resource>(&self) -> PathIds<P> {
        PathIds {
            values: self.values[..P::PATH.len().min(self.values.len())].to_vec(),
            of: std::marker::PhantomData,
        }
    }

    /// Takes the ids unchanged from the URL.
    async fn take(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let dialect = Dialect::of_parts(parts);
        let unknown = dialect.unknown(parts.method.as_str(), &format!("/v1{}", parts.uri.path()));
        let params = RawPathParams::from_request_parts(parts, app).await.map_err(|_| unknown)?;
        let value = |name: &str| {
            params.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
        };
        let values = T::PATH.iter().filter_map(|name| value(name)).collect();
        Ok(Self { values, of: std::marker::PhantomData })
    }

    /// Rejects ids that no object can have. Recorded: v1 looked all of them up.
    fn check(&self, dialect: &Dialect) -> Result<()> {
        if dialect.version.is_v1() {
            return Ok(());
        }
        for (name, value) in T::PATH.iter().zip(&self.values) {
            if let Some(prefix) = prefix_of(name) {
                id::check(value, prefix).map_err(|kind| ApiErrorKind::invalid(*name, kind))?;
            }
        }
        Ok(())
    }

    pub(crate) async fn find(&self, state: &SessionState) -> Result<T>
    where
        T: Stored,
    {
        let found = state.store.find::<T>(&self.key()).await?;
        found.ok_or_else(|| ApiError::missing::<T>(&self.values))
    }
}

/// Endpoints that exist under v1 only.
pub(crate) struct OnlyV1;

impl FromRequestParts<AppState> for OnlyV1 {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        let dialect = Dialect::of_parts(parts);
        let unknown =
            || dialect.unknown(parts.method.as_str(), &format!("/v1{}", parts.uri.path()));
        if dialect.version.is_v1() { Ok(Self) } else { Err(unknown().into()) }
    }
}

/// How the ids in a URL must begin. Run steps may have any id. Recorded: the answer to `123` was
/// 404, under v2 too.
fn prefix_of(name: &str) -> Option<&'static str> {
    match name {
        "assistant_id" => Some(Assistant::PREFIX),
        "thread_id" => Some(Thread::PREFIX),
        "message_id" => Some(Message::PREFIX),
        "run_id" => Some(Run::PREFIX),
        "vector_store_id" => Some(VectorStore::PREFIX),
        "batch_id" => Some(FileBatch::PREFIX),
        "upload_id" => Some(Upload::PREFIX),
        "response_id" => Some(Response::PREFIX),
        "conversation_id" => Some(Conversation::PREFIX),
        _ => None,
    }
}

impl<T: Resource> FromRequestParts<AppState> for PathIds<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let ids = Self::take(parts, app).await?;
        ids.check(&Dialect::of_parts(parts))?;
        Ok(ids)
    }
}

/// An object that exists. A message under the wrong thread does not exist.
pub(crate) struct Found<T>(pub T);

impl<T: Stored> FromRequestParts<AppState> for Found<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let Ok(state) = RequestContext::from_request_parts(parts, app).await;
        let ids = PathIds::<T>::from_request_parts(parts, app).await?;
        Ok(Self(ids.find(&state).await?))
    }
}

/// The target and the content of a request: the ids in the URL, and the body. The handler checks
/// whether the object exists, after both are valid.
pub(crate) struct PathAndBody<T, B> {
    pub ids: PathIds<T>,
    pub body: B,
}

impl<T: Resource, B: Read> FromRequest<AppState> for PathAndBody<T, B> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self> {
        let (mut parts, body) = request.into_parts();
        let value = json(&parts, body).await?;
        let dialect = Dialect::of_parts(&parts);
        let of = PathIds::take(&mut parts, app).await?;
        // Reported of `POST /v1/threads//messages`: the fields are checked before the id.
        let body = reader::read_as(dialect.version, value)?;
        of.check(&dialect)?;
        Ok(Self { ids: of, body })
    }
}

/// The body of a request that needs no existing object.
pub(crate) struct JsonBody<B>(pub B);

impl<B: Read> FromRequest<AppState> for JsonBody<B> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &AppState) -> Result<Self> {
        let version = Dialect::from_request(&request).version;
        let (parts, body) = request.into_parts();
        Ok(Self(reader::read_as(version, json(&parts, body).await?)?))
    }
}

/// Reads a JSON body. An empty one is taken for `{}`: that is how the documentation's own curl
/// commands create a thread.
async fn json(parts: &Parts, body: RawBody) -> Result<Value> {
    if let Some(Oversized(read)) = parts.extensions.get() {
        let limit = limits::JSON_BODY as u64;
        return Err(ApiErrorKind::TooLarge { limit, read: *read }.into());
    }
    let bytes = read_all(body, limits::JSON_BODY).await?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    if let Some(content_type) = parts.headers.get(header::CONTENT_TYPE) {
        let content_type = String::from_utf8_lossy(content_type.as_bytes());
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(ApiErrorKind::UnsupportedContentType {
                content_type: content_type.into_owned(),
            }
            .into());
        }
    }
    let dialect = Dialect::of_parts(parts);
    match bounded_json::parse(&bytes) {
        Ok(Parsed { value: Value::Null, .. }) => Ok(Value::Object(Map::new())),
        // No model reads that much.
        Ok(Parsed { is_cut: true, .. }) if dialect.api == Api::Responses => {
            Err(ApiErrorKind::TooLong.into())
        }
        Ok(Parsed { value, .. }) => Ok(value),
        Err(_) => Err(not_json(&dialect).into()),
    }
}

/// The error for a body that is not JSON. Recorded of both APIs.
fn not_json(dialect: &Dialect) -> ApiErrorKind {
    match dialect.api {
        Api::Assistants => ApiErrorKind::NotJson,
        Api::Responses => ApiErrorKind::InvalidBody,
    }
}

/// The size of a body that was too large, and was read and discarded.
#[derive(Clone, Copy)]
struct Oversized(u64);

/// A request with its whole body in memory, if that is possible.
pub(super) async fn received(request: Request) -> Request {
    let (mut parts, body) = request.into_parts();
    if body.is_end_stream() {
        return Request::from_parts(parts, body);
    }
    let body = match collect(body, limits::JSON_BODY).await {
        Ok(bytes) => RawBody::from(bytes),
        Err(Uncollected::Oversized(read)) => {
            parts.extensions.insert(Oversized(read));
            RawBody::empty()
        }
        // The reader of the body gets the error that it broke off.
        Err(Uncollected::Broken) => RawBody::from_stream(stream::once(async {
            Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::UnexpectedEof))
        })),
    };
    Request::from_parts(parts, body)
}

/// Reads a body up to a limit. It reads and discards the rest, so that the client can read the
/// rejection instead of a broken connection.
pub(crate) async fn read_all(body: RawBody, limit: usize) -> Result<Vec<u8>> {
    match collect(body, limit).await {
        Ok(bytes) => Ok(bytes),
        Err(Uncollected::Oversized(read)) => {
            Err(ApiErrorKind::TooLarge { limit: limit as u64, read }.into())
        }
        // A client that breaks off gets no answer any more. In any case, it did not send JSON.
        Err(Uncollected::Broken) => Err(ApiErrorKind::NotJson.into()),
    }
}

enum Uncollected {
    Oversized(u64),
    Broken,
}

async fn collect(mut body: RawBody, limit: usize) -> Result<Vec<u8>, Uncollected> {
    let mut bytes = Vec::new();
    let mut read = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Uncollected::Broken)?;
        let Ok(data) = frame.into_data() else { continue };
        read = read.saturating_add(data.len());
        if read > limit {
            bytes = Vec::new();
        } else {
            bytes.extend_from_slice(&data);
        }
    }
    if read > limit { Err(Uncollected::Oversized(read as u64)) } else { Ok(bytes) }
}

/// The requested page of a list, and other filters.
pub(crate) struct PageQuery {
    pub page: PageRequest,
    /// Only messages of this run.
    pub run_id: Option<Id<Run>>,
}

/// Only containers of this name.
pub(crate) struct NameFilter(pub Option<String>);

impl FromRequestParts<AppState> for NameFilter {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let name = pairs(parts, app).await?.into_iter().find(|(key, _)| key == "name");
        Ok(Self(name.map(|(_, name)| name)))
    }
}

/// Only files of a store in this status.
pub(crate) struct StatusFilter(pub Option<String>);

impl FromRequestParts<AppState> for StatusFilter {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let filter = pairs(parts, app).await?.into_iter().find(|(key, _)| key == "filter");
        let Some((path, value)) = filter else { return Ok(Self(None)) };
        Ok(Self(Some(status(value).map_err(|kind| ApiErrorKind::invalid(path, kind))?)))
    }
}

/// The requested page of the list of files, which has its own limit.
pub(crate) struct FileQuery {
    pub page: PageRequest,
    /// Only files of this purpose. An unknown purpose has no files.
    pub purpose: Option<String>,
}

impl FromRequestParts<AppState> for FileQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let page = PageRequest {
            limit: limits::FILE_PAGE,
            order: Order::Descending,
            after: None,
            before: None,
        };
        let mut query = Self { page, purpose: None };
        for (key, value) in pairs(parts, app).await? {
            let fault = |kind| ApiErrorKind::invalid(&key, kind);
            match key.as_str() {
                "limit" => query.page.limit = limit(&value, 0, limits::FILE_PAGE).map_err(fault)?,
                "order" => query.page.order = order(value).map_err(fault)?,
                "after" => query.page.after = Some(value).filter(|id| !id.is_empty()),
                "purpose" => query.purpose = Some(value).filter(|purpose| !purpose.is_empty()),
                _ => {}
            }
        }
        Ok(query)
    }
}

/// The position in a list of results at which to continue.
pub(crate) struct PageToken(pub usize);

impl FromRequestParts<AppState> for PageToken {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let page = pairs(parts, app).await?.into_iter().find(|(key, _)| key == "page");
        let Some((path, token)) = page else { return Ok(Self(0)) };
        let kind = ValidationErrorKind::WrongType {
            expected: "the next_page of an earlier answer".to_owned(),
            got: "another string",
        };
        let skip = token.parse().map_err(|_| ApiErrorKind::invalid(path, kind))?;
        Ok(Self(skip))
    }
}

/// The only value that a request can include.
const INCLUDABLE: &str = "step_details.tool_calls[*].file_search.results[*].content";

impl FromRequestParts<AppState> for PageQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let mut query = Self {
            page: PageRequest {
                limit: limits::PAGE_DEFAULT,
                order: Order::Descending,
                after: None,
                before: None,
            },
            run_id: None,
        };
        for (key, value) in pairs(parts, app).await? {
            let fault = |kind| ApiErrorKind::invalid(&key, kind);
            match key.as_str() {
                "limit" => query.page.limit = limit(&value, 1, limits::PAGE_MAX).map_err(fault)?,
                "order" => query.page.order = order(value).map_err(fault)?,
                // An empty cursor is no cursor: clients send one for their first page.
                "after" => query.page.after = Some(value).filter(|id| !id.is_empty()),
                "before" => query.page.before = Some(value).filter(|id| !id.is_empty()),
                "run_id" => query.run_id = Some(Id::new(value)),
                _ => {}
            }
        }
        Ok(query)
    }
}

/// The parts to include: whether the full results of searches are shown.
pub(crate) struct Include {
    pub results: bool,
}

impl FromRequestParts<AppState> for Include {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let mut include = Self { results: false };
        for (key, value) in pairs(parts, app).await? {
            if !matches!(key.as_str(), "include" | "include[]") {
                continue;
            }
            if value != INCLUDABLE {
                let kind =
                    ValidationErrorKind::NotOneOf { got: value, supported: vec![INCLUDABLE] };
                return Err(ApiErrorKind::invalid("include", kind).into());
            }
            include.results = true;
        }
        Ok(include)
    }
}

pub(crate) async fn pairs(parts: &mut Parts, app: &AppState) -> Result<Vec<(String, String)>> {
    let query = Query::<Vec<(String, String)>>::from_request_parts(parts, app).await;
    Ok(query.map(|Query(pairs)| pairs).unwrap_or_default())
}

pub(crate) fn limit(value: &str, least: i64, most: i64) -> Result<i64, ValidationErrorKind> {
    let wrong_type =
        |_| ValidationErrorKind::WrongType { expected: "an integer".to_owned(), got: "a string" };
    // Digits that do not fit into our integers are also too large.
    let is_huge = value.len() > 18 && value.bytes().all(|byte| byte.is_ascii_digit());
    let limit = if is_huge { i64::MAX } else { value.parse().map_err(wrong_type)? };
    integer_between(limit, least, most)
}

fn status(value: String) -> Result<String, ValidationErrorKind> {
    match StoreFileStatus::NAMES.contains(&value.as_str()) {
        true => Ok(value),
        false => Err(ValidationErrorKind::NotOneOf {
            got: value,
            supported: StoreFileStatus::NAMES.to_vec(),
        }),
    }
}

pub(crate) fn order(value: String) -> Result<Order, ValidationErrorKind> {
    match value.as_str() {
        "asc" => Ok(Order::Ascending),
        "desc" => Ok(Order::Descending),
        _ => Err(ValidationErrorKind::NotOneOf { got: value, supported: vec!["asc", "desc"] }),
    }
}
