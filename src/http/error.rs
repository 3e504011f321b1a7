//! What goes wrong in any room, as the wire shows it: a status, and one body for all.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    engine::Refused,
    knowledge::Denied,
    store,
    types::{
        File, Refusal, Resource, Run, Thread, limits,
        reader::{Fault, FaultKind},
    },
    world::Unmade,
};

/// The only thing that writes `{"error": {…}}`.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    refusal: Refusal,
}

pub(crate) type Result<T, E = ApiError> = std::result::Result<T, E>;

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::NoKey | Refusal::WrongKey { .. } | Refusal::AccessDenied => {
                StatusCode::UNAUTHORIZED
            }
            Refusal::SessionKeyNeeded { .. } | Refusal::ForeignOrigin { .. } => {
                StatusCode::FORBIDDEN
            }
            Refusal::UnknownUrl { .. } | Refusal::WrongBase { .. } | Refusal::Sunset => {
                StatusCode::NOT_FOUND
            }
            Refusal::ResourceNotFound => StatusCode::NOT_FOUND,
            Refusal::Missing { .. }
            | Refusal::MissingModel { .. }
            | Refusal::MissingStores { .. } => StatusCode::NOT_FOUND,
            Refusal::WrongMethod { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::UnsupportedControlBody { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::HostRefused { .. } => StatusCode::MISDIRECTED_REQUEST,
            Refusal::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            Refusal::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::UnknownSnapshot { .. } => StatusCode::NOT_FOUND,
            Refusal::FaultyFixture { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::Faulty { status } => {
                StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Refusal::NoBeta
            | Refusal::UnknownBeta { .. }
            | Refusal::V1Deprecated { .. }
            | Refusal::NotInV1 { .. }
            | Refusal::NotForAssistants { .. }
            | Refusal::UnsupportedParameter { .. }
            | Refusal::OnlyFunctions
            | Refusal::UnsupportedContentType { .. }
            | Refusal::NotJson
            | Refusal::NotAForm { .. }
            | Refusal::NotADict
            | Refusal::BrokenForm
            | Refusal::NotForDownload { .. }
            | Refusal::EmptyFile
            | Refusal::NoFilename
            | Refusal::NotForRetrieval { .. }
            | Refusal::StoreExpired { .. }
            | Refusal::RunOnExpiredStore { .. }
            | Refusal::StoreFull { .. }
            | Refusal::UploadNotPending { .. }
            | Refusal::NoSuchPart { .. }
            | Refusal::WrongBytes { .. }
            | Refusal::WrongChecksum { .. }
            | Refusal::Invalid(_)
            | Refusal::ActiveRunBlocksMessages { .. }
            | Refusal::ThreadHasActiveRun { .. }
            | Refusal::NothingToRun
            | Refusal::CannotCancel { .. }
            | Refusal::CannotUpdate { .. }
            | Refusal::NoOutputsWanted { .. }
            | Refusal::WrongOutputs { .. }
            | Refusal::UnknownModel { .. }
            | Refusal::BadName { .. }
            | Refusal::HostMissing
            | Refusal::HostInvalid { .. } => StatusCode::BAD_REQUEST,
        };
        Self { status, refusal }
    }
}

impl ApiError {
    /// The `type` that goes with a status.
    pub(crate) fn kind_of(status: StatusCode) -> &'static str {
        let is_ours = status.is_server_error() || status == StatusCode::PAYLOAD_TOO_LARGE;
        if is_ours { "server_error" } else { "invalid_request_error" }
    }

    /// The 404 of a resource, from its id and those of its parents.
    pub(crate) fn missing<T: Resource>(ids: &[String]) -> Self {
        Refusal::Missing { text: T::missing(ids), param: T::MISSING_PARAM }.into()
    }
}

impl From<Vec<Fault>> for ApiError {
    /// A request is answered with its first fault.
    fn from(faults: Vec<Fault>) -> Self {
        let first = faults.into_iter().next();
        first.map_or(Refusal::NotJson, |fault| Refusal::Invalid(Box::new(fault))).into()
    }
}

impl From<store::Error> for ApiError {
    fn from(error: store::Error) -> Self {
        let error: &dyn std::error::Error = &error;
        tracing::error!(error, "the store failed");
        // The layer that knows the id of the request fills it in.
        Refusal::Internal { request_id: String::new() }.into()
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NoFile(id) => Self::missing::<File>(&[id]),
            Denied::NoStores(ids) => Refusal::MissingStores { ids }.into(),
            Denied::NotSearchable(extensions) => Refusal::NotForRetrieval { extensions }.into(),
            Denied::Expired(id) => Refusal::StoreExpired { id }.into(),
            Denied::StoreFull(id) => Refusal::StoreFull { id }.into(),
            Denied::TooManyToolFiles(got) => {
                let kind = FaultKind::ArrayTooLong { max: limits::CODE_INTERPRETER_FILES, got };
                Refusal::invalid("tool_resources.code_interpreter.file_ids", kind).into()
            }
            Denied::NotPending { id, status } => Refusal::UploadNotPending { id, status }.into(),
            Denied::NoSuchPart { part, upload } => Refusal::NoSuchPart { part, upload }.into(),
            Denied::WrongBytes { expected, got } => Refusal::WrongBytes { expected, got }.into(),
            Denied::WrongChecksum { expected, got } => {
                Refusal::WrongChecksum { expected, got }.into()
            }
            Denied::Store(error) => error.into(),
            Denied::Disk(error) => {
                tracing::error!(%error, "the disk failed");
                Refusal::Internal { request_id: String::new() }.into()
            }
        }
    }
}

impl From<Unmade> for ApiError {
    fn from(error: Unmade) -> Self {
        let error: &dyn std::error::Error = &error;
        tracing::error!(error, "a session cannot be made or changed");
        Refusal::Internal { request_id: String::new() }.into()
    }
}

impl From<std::io::Error> for ApiError {
    fn from(error: std::io::Error) -> Self {
        Denied::Disk(error).into()
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NoThread(thread) => Self::missing::<Thread>(&[thread.to_string()]),
            Refused::NoRun(run) => Self::missing::<Run>(&[run.to_string()]),
            Refused::LockedForMessages { thread, run } => Refusal::ActiveRunBlocksMessages {
                thread: thread.to_string(),
                run: run.to_string(),
            }
            .into(),
            Refused::LockedForRuns { thread, run } => {
                Refusal::ThreadHasActiveRun { thread: thread.to_string(), run: run.to_string() }
                    .into()
            }
            Refused::NothingToRun => Refusal::NothingToRun.into(),
            Refused::NotCancellable(status) => Refusal::CannotCancel { status }.into(),
            Refused::NotChangeable(status) => Refusal::CannotUpdate { status }.into(),
            Refused::NoOutputsWanted(status) => Refusal::NoOutputsWanted { status }.into(),
            Refused::WrongOutputs { expected, got } => {
                Refusal::WrongOutputs { expected, got }.into()
            }
            Refused::Files(denied) => denied.into(),
            Refused::Store(error) => error.into(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.shown(|_| {})
    }
}

impl ApiError {
    /// The error with something beside it.
    pub(crate) fn with(self, key: &str, more: &impl Serialize) -> Response {
        self.shown(|body| {
            body[key] = serde_json::to_value(more).expect("what stands beside an error is JSON")
        })
    }

    fn shown(self, add: impl FnOnce(&mut Value)) -> Response {
        let Self { status, refusal } = self;
        if refusal == Refusal::Sunset {
            return status.into_response();
        }
        let text = if refusal.is_of_gateway() {
            json!({"error": {"code": refusal.code(), "message": refusal.to_string()}}).to_string()
        } else {
            let kind = Self::kind_of(status);
            let mut body = json!({
                "error": {"message": refusal.to_string(), "type": kind, "param": refusal.param(),
                    "code": refusal.code()}
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
