//! The state that all layers and handlers can reach.

use std::{convert::Infallible, sync::Arc};

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{dialect::Policy, key::Keys, observer, origin_check::Hosts};
use crate::{
    metrics::Metrics,
    session::{OpenSession, SessionState, sessions::Sessions},
};

#[derive(Clone)]
pub(crate) struct AppState(Arc<SharedState>);

pub(crate) struct SharedState {
    pub sessions: Arc<Sessions>,
    /// The session of requests that name no session.
    pub default: Arc<OpenSession>,
    pub keys: Arc<Keys>,
    pub hosts: Arc<Hosts>,
    pub policy: Policy,
    pub metrics: Arc<Metrics>,
}

impl AppState {
    pub(crate) fn new(shared: SharedState) -> Self {
        Self(Arc::new(shared))
    }
}

impl std::ops::Deref for AppState {
    type Target = SharedState;

    fn deref(&self) -> &SharedState {
        &self.0
    }
}

/// A request in its session.
#[derive(Clone)]
pub(crate) struct SessionRequest {
    pub session: Arc<OpenSession>,
    /// The state of the session when the request came.
    pub state: Arc<SessionState>,
    pub request_id: Arc<str>,
    /// Whether the request only observes.
    pub observes: bool,
}

impl SessionRequest {
    pub(super) fn new(session: Arc<OpenSession>, observes: bool) -> Self {
        let state = session.state();
        let request_id = request_id(&state, observes);
        Self { session, state, request_id, observes }
    }
}

/// The id of a request.
pub(crate) fn request_id(state: &SessionState, observes: bool) -> Arc<str> {
    if observes { observer::REQUEST_ID.into() } else { state.ids.next_request().into() }
}

/// A request that has entered no session belongs to the default session.
impl FromRequestParts<AppState> for SessionRequest {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Infallible> {
        let entered = parts.extensions.get::<Self>().cloned();
        Ok(entered.unwrap_or_else(|| Self::new(Arc::clone(&app.default), false)))
    }
}
