//! What goes wrong in any room, as the wire shows it: a status, and one body for all.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{
    engine::Refused,
    store,
    types::{Refusal, Resource, Run, Thread, reader::Fault},
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
            Refusal::NoKey | Refusal::WrongKey { .. } => StatusCode::UNAUTHORIZED,
            Refusal::SessionKeyNeeded { .. } | Refusal::ForeignOrigin { .. } => StatusCode::FORBIDDEN,
            Refusal::UnknownUrl { .. } | Refusal::WrongBase { .. } | Refusal::Missing { .. } | Refusal::MissingModel { .. } => {
                StatusCode::NOT_FOUND
            }
            Refusal::WrongMethod { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::HostRefused { .. } => StatusCode::MISDIRECTED_REQUEST,
            Refusal::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            Refusal::NoBeta
            | Refusal::UnknownBeta { .. }
            | Refusal::V1Deprecated
            | Refusal::UnsupportedContentType { .. }
            | Refusal::NotJson
            | Refusal::Invalid(_)
            | Refusal::ActiveRunBlocksMessages { .. }
            | Refusal::ThreadHasActiveRun { .. }
            | Refusal::NothingToRun
            | Refusal::CannotCancel { .. }
            | Refusal::CannotUpdate { .. }
            | Refusal::NoOutputsWanted { .. }
            | Refusal::WrongOutputs { .. }
            | Refusal::HostMissing => StatusCode::BAD_REQUEST,
        };
        Self { status, refusal }
    }
}

impl ApiError {
    /// The 404 of a resource.
    pub(crate) fn missing<T: Resource>(id: &str) -> Self {
        Refusal::Missing { text: T::missing(id) }.into()
    }
}

impl From<Vec<Fault>> for ApiError {
    /// A request is answered with its first fault.
    fn from(faults: Vec<Fault>) -> Self {
        faults.into_iter().next().map_or(Refusal::NotJson, Refusal::Invalid).into()
    }
}

impl From<store::Error> for ApiError {
    fn from(error: store::Error) -> Self {
        let error: &dyn std::error::Error = &error;
        tracing::error!(error, "the store failed");
        // The door, which knows the id of the request, fills it in.
        Refusal::Internal { request_id: String::new() }.into()
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NoThread(thread) => Self::missing::<Thread>(thread.as_str()),
            Refused::NoRun(run) => Self::missing::<Run>(run.as_str()),
            Refused::LockedForMessages { thread, run } => {
                Refusal::ActiveRunBlocksMessages { thread: thread.to_string(), run: run.to_string() }.into()
            }
            Refused::LockedForRuns { thread, run } => {
                Refusal::ThreadHasActiveRun { thread: thread.to_string(), run: run.to_string() }.into()
            }
            Refused::NothingToRun => Refusal::NothingToRun.into(),
            Refused::NotCancellable(status) => Refusal::CannotCancel { status }.into(),
            Refused::NotChangeable(status) => Refusal::CannotUpdate { status }.into(),
            Refused::NoOutputsWanted(status) => Refusal::NoOutputsWanted { status }.into(),
            Refused::WrongOutputs { expected, got } => Refusal::WrongOutputs { expected, got }.into(),
            Refused::Store(error) => error.into(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self { status, refusal } = self;
        let kind = match status {
            StatusCode::INTERNAL_SERVER_ERROR | StatusCode::PAYLOAD_TOO_LARGE => "server_error",
            _ => "invalid_request_error",
        };
        let body = json!({
            "error": {"message": refusal.to_string(), "type": kind, "param": refusal.param(), "code": refusal.code()}
        });
        let mut response = Response::new(Body::from(format!("{body:#}")));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}
