//! The errors of all modules as HTTP responses: a status, and one form of body.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    engine::EngineError,
    knowledge::KnowledgeError,
    session::SessionError,
    store,
    types::{
        ApiErrorKind, Container, File, Resource, Run, Thread, limits,
        reader::{ValidationError, ValidationErrorKind},
    },
};

/// The only code that writes `{"error": {…}}`.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    kind: ApiErrorKind,
}

pub(crate) type Result<T, E = ApiError> = std::result::Result<T, E>;

impl From<ApiErrorKind> for ApiError {
    fn from(kind: ApiErrorKind) -> Self {
        let status = match &kind {
            ApiErrorKind::NoKey | ApiErrorKind::WrongKey { .. } | ApiErrorKind::AccessDenied => {
                StatusCode::UNAUTHORIZED
            }
            ApiErrorKind::SessionKeyNeeded { .. } | ApiErrorKind::ForeignOrigin { .. } => {
                StatusCode::FORBIDDEN
            }
            ApiErrorKind::UnknownUrl { .. }
            | ApiErrorKind::WrongBase { .. }
            | ApiErrorKind::Sunset => StatusCode::NOT_FOUND,
            ApiErrorKind::ResourceNotFound => StatusCode::NOT_FOUND,
            ApiErrorKind::Missing { .. }
            | ApiErrorKind::MissingModel { .. }
            | ApiErrorKind::ItemNotStored { .. }
            | ApiErrorKind::MissingStores { .. } => StatusCode::NOT_FOUND,
            ApiErrorKind::WrongMethod { .. } => StatusCode::METHOD_NOT_ALLOWED,
            ApiErrorKind::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            ApiErrorKind::UnsupportedControlBody { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ApiErrorKind::HostRefused { .. } => StatusCode::MISDIRECTED_REQUEST,
            ApiErrorKind::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            ApiErrorKind::RateLimited | ApiErrorKind::TooManySessions { .. } => {
                StatusCode::TOO_MANY_REQUESTS
            }
            ApiErrorKind::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            ApiErrorKind::UnknownSnapshot { .. } => StatusCode::NOT_FOUND,
            ApiErrorKind::FaultyFixture { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            ApiErrorKind::Faulty { status } => {
                StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            ApiErrorKind::NoBeta
            | ApiErrorKind::UnknownBeta { .. }
            | ApiErrorKind::V1Deprecated { .. }
            | ApiErrorKind::NotInV1 { .. }
            | ApiErrorKind::NotForAssistants { .. }
            | ApiErrorKind::UnsupportedParameter { .. }
            | ApiErrorKind::UnsupportedOfResponses { .. }
            | ApiErrorKind::ConversationAndPrevious
            | ApiErrorKind::NoPreviousResponse { .. }
            | ApiErrorKind::ConversationLocked
            | ApiErrorKind::NoCallForOutput { .. }
            | ApiErrorKind::NoOutputForCall { .. }
            | ApiErrorKind::ReasoningAlone { .. }
            | ApiErrorKind::TooLong
            | ApiErrorKind::NotInBackground
            | ApiErrorKind::NotStreamed
            | ApiErrorKind::ContainerExpired
            | ApiErrorKind::InvalidBody
            | ApiErrorKind::OnlyFunctions
            | ApiErrorKind::FaultyExpectation { .. }
            | ApiErrorKind::UnsupportedContentType { .. }
            | ApiErrorKind::NotJson
            | ApiErrorKind::NotAForm { .. }
            | ApiErrorKind::NotADict
            | ApiErrorKind::BrokenForm
            | ApiErrorKind::NotForDownload { .. }
            | ApiErrorKind::EmptyFile
            | ApiErrorKind::NoFilename
            | ApiErrorKind::NotForRetrieval { .. }
            | ApiErrorKind::StoreExpired { .. }
            | ApiErrorKind::RunOnExpiredStore { .. }
            | ApiErrorKind::StoreFull { .. }
            | ApiErrorKind::UploadNotPending { .. }
            | ApiErrorKind::NoSuchPart { .. }
            | ApiErrorKind::WrongBytes { .. }
            | ApiErrorKind::WrongChecksum { .. }
            | ApiErrorKind::Invalid(_)
            | ApiErrorKind::ActiveRunBlocksMessages { .. }
            | ApiErrorKind::ThreadHasActiveRun { .. }
            | ApiErrorKind::NothingToRun
            | ApiErrorKind::CannotCancel { .. }
            | ApiErrorKind::CannotUpdate { .. }
            | ApiErrorKind::NoOutputsWanted { .. }
            | ApiErrorKind::WrongOutputs { .. }
            | ApiErrorKind::UnknownModel { .. }
            | ApiErrorKind::BadName { .. }
            | ApiErrorKind::HostMissing
            | ApiErrorKind::HostInvalid { .. } => StatusCode::BAD_REQUEST,
        };
        Self { status, kind }
    }
}

impl ApiError {
    /// The `type` of an error with this status.
    pub(crate) fn kind_of(status: StatusCode) -> &'static str {
        let is_ours = status.is_server_error() || status == StatusCode::PAYLOAD_TOO_LARGE;
        if is_ours { "server_error" } else { "invalid_request_error" }
    }

    /// The 404 of a resource, from its id and the ids of its parents.
    pub(crate) fn missing<T: Resource>(ids: &[String]) -> Self {
        ApiErrorKind::Missing { text: T::missing(ids), param: T::MISSING_PARAM }.into()
    }
}

impl From<Vec<ValidationError>> for ApiError {
    /// The response shows the first fault of the request.
    fn from(faults: Vec<ValidationError>) -> Self {
        let first = faults.into_iter().next();
        first.map_or(ApiErrorKind::NotJson, |fault| ApiErrorKind::Invalid(Box::new(fault))).into()
    }
}

impl From<store::StoreError> for ApiError {
    fn from(error: store::StoreError) -> Self {
        let error: &dyn std::error::Error = &error;
        tracing::error!(error, "the store failed");
        // `endings.rs` fills it in, because it knows the id of the request.
        ApiErrorKind::Internal { request_id: String::new() }.into()
    }
}

impl From<KnowledgeError> for ApiError {
    fn from(error: KnowledgeError) -> Self {
        match error {
            KnowledgeError::NoFile(id) => Self::missing::<File>(&[id]),
            KnowledgeError::NoStores(ids) => ApiErrorKind::MissingStores { ids }.into(),
            KnowledgeError::NotSearchable(extensions) => {
                ApiErrorKind::NotForRetrieval { extensions }.into()
            }
            KnowledgeError::Expired(id) => ApiErrorKind::StoreExpired { id }.into(),
            KnowledgeError::NoContainer(id) => Self::missing::<Container>(&[id]),
            KnowledgeError::ContainerExpired => {
                let text = ApiErrorKind::ContainerExpired.to_string();
                ApiErrorKind::Missing { text, param: None }.into()
            }
            KnowledgeError::StoreFull(id) => ApiErrorKind::StoreFull { id }.into(),
            KnowledgeError::TooManyToolFiles(got) => {
                let kind =
                    ValidationErrorKind::ArrayTooLong { max: limits::CODE_INTERPRETER_FILES, got };
                ApiErrorKind::invalid("tool_resources.code_interpreter.file_ids", kind).into()
            }
            KnowledgeError::NotPending { id, status } => {
                ApiErrorKind::UploadNotPending { id, status }.into()
            }
            KnowledgeError::NoSuchPart { part, upload } => {
                ApiErrorKind::NoSuchPart { part, upload }.into()
            }
            KnowledgeError::WrongBytes { expected, got } => {
                ApiErrorKind::WrongBytes { expected, got }.into()
            }
            KnowledgeError::WrongChecksum { expected, got } => {
                ApiErrorKind::WrongChecksum { expected, got }.into()
            }
            KnowledgeError::Store(error) => error.into(),
            KnowledgeError::Disk(error) => {
                tracing::error!(%error, "the disk failed");
                ApiErrorKind::Internal { request_id: String::new() }.into()
            }
        }
    }
}

impl From<SessionError> for ApiError {
    fn from(error: SessionError) -> Self {
        match &error {
            SessionError::TooMany { max } => {
                return ApiErrorKind::TooManySessions { max: *max }.into();
            }
            SessionError::Ended => {
                let text = error.to_string();
                return ApiErrorKind::Missing { text, param: None }.into();
            }
            _ => {}
        }
        let error: &dyn std::error::Error = &error;
        tracing::error!(error, "cannot create or change a session");
        ApiErrorKind::Internal { request_id: String::new() }.into()
    }
}

impl From<std::io::Error> for ApiError {
    fn from(error: std::io::Error) -> Self {
        KnowledgeError::Disk(error).into()
    }
}

impl From<EngineError> for ApiError {
    fn from(refused: EngineError) -> Self {
        match refused {
            EngineError::NoThread(thread) => Self::missing::<Thread>(&[thread.to_string()]),
            EngineError::NoRun(run) => Self::missing::<Run>(&[run.to_string()]),
            EngineError::LockedForMessages { thread, run } => {
                ApiErrorKind::ActiveRunBlocksMessages {
                    thread: thread.to_string(),
                    run: run.to_string(),
                }
                .into()
            }
            EngineError::LockedForRuns { thread, run } => ApiErrorKind::ThreadHasActiveRun {
                thread: thread.to_string(),
                run: run.to_string(),
            }
            .into(),
            EngineError::NothingToRun => ApiErrorKind::NothingToRun.into(),
            EngineError::NotCancellable(status) => ApiErrorKind::CannotCancel { status }.into(),
            EngineError::NotChangeable(status) => ApiErrorKind::CannotUpdate { status }.into(),
            EngineError::NoOutputsWanted(status) => ApiErrorKind::NoOutputsWanted { status }.into(),
            EngineError::WrongOutputs { expected, got } => {
                ApiErrorKind::WrongOutputs { expected, got }.into()
            }
            EngineError::Refused(kind) => kind.into(),
            EngineError::Files(error) => error.into(),
            EngineError::Store(error) => error.into(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.into_response_with(|_| {})
    }
}

impl ApiError {
    /// The error with one more key in the body.
    pub(crate) fn with(self, key: &str, more: &impl Serialize) -> Response {
        self.into_response_with(|body| {
            body[key] = serde_json::to_value(more).expect("what stands beside an error is JSON")
        })
    }

    fn into_response_with(self, add: impl FnOnce(&mut Value)) -> Response {
        let Self { status, kind } = self;
        if kind == ApiErrorKind::Sunset {
            return status.into_response();
        }
        let text = if kind.is_of_gateway() {
            json!({"error": {"code": kind.code(), "message": kind.to_string()}}).to_string()
        } else {
            let mut body = json!({
                "error": {"message": kind.to_string(), "type": Self::kind_of(status), "param": kind.param(),
                    "code": kind.code()}
            });
            add(&mut body);
            format!("{body:#}")
        };
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = status;
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}
