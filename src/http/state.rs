//! What every layer and every handler can reach.

use std::{convert::Infallible, sync::Arc};

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{key::Keys, manner::Policy, origin::Hosts};
use crate::world::{Session, World, Worlds};

#[derive(Clone)]
pub(crate) struct AppState(Arc<Shared>);

pub(crate) struct Shared {
    pub worlds: Arc<Worlds>,
    /// The session of requests that name none.
    pub default: Arc<Session>,
    pub keys: Arc<Keys>,
    pub hosts: Arc<Hosts>,
    pub policy: Policy,
}

impl AppState {
    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl std::ops::Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// A request in its session.
#[derive(Clone)]
pub(crate) struct Visit {
    pub session: Arc<Session>,
    /// The world of the session when the request came.
    pub world: Arc<World>,
    pub request_id: Arc<str>,
}

impl Visit {
    pub(super) fn new(session: Arc<Session>) -> Self {
        let world = session.world();
        let request_id = world.ids.next_request().into();
        Self { session, world, request_id }
    }
}

/// A request that has entered no session is one of the default session.
impl FromRequestParts<AppState> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Infallible> {
        let entered = parts.extensions.get::<Self>().cloned();
        Ok(entered.unwrap_or_else(|| Self::new(Arc::clone(&app.default))))
    }
}
