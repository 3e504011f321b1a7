//! All sessions of a server. The first use creates each of them. They share fixtures and an end.

use std::sync::Arc;

use super::{
    DEFAULT_SESSION, OpenSession, SessionConfig, SessionError,
    room::{Cell, Room},
};
use crate::{fixture::Fixtures, store::Database};

/// The sessions in memory: those that were used since the start, without idle ones that made room
/// for others.
pub struct Sessions {
    config: Arc<SessionConfig>,
    room: Room,
}

impl Sessions {
    /// Creates the default session, and those in which a run was in progress when the server
    /// stopped.
    pub async fn open(config: SessionConfig) -> Result<Self, SessionError> {
        let interrupted = config.database.interrupted_sessions().await?;
        let max = config.max_sessions;
        let sessions = Self { config: Arc::new(config), room: Room::new(max) };
        // Interrupted work continues, no matter how many sessions it is in.
        for name in [DEFAULT_SESSION.to_owned()].into_iter().chain(interrupted) {
            sessions.open_in(&sessions.room.cell(&name), &name).await?;
        }
        Ok(sessions)
    }

    /// The database that they are all in.
    pub fn database(&self) -> &Arc<Database> {
        &self.config.database
    }

    /// A session, created on first use. Requests that come during its creation wait for it.
    pub async fn enter(&self, name: &str) -> Result<Arc<OpenSession>, SessionError> {
        let cell = self.room.bounded_cell(name, &self.config.database).await?;
        self.open_in(&cell, name).await
    }

    async fn open_in(&self, cell: &Cell, name: &str) -> Result<Arc<OpenSession>, SessionError> {
        let session =
            cell.get_or_try_init(|| OpenSession::open(Arc::clone(&self.config), name)).await?;
        Ok(Arc::clone(session))
    }

    /// Whether a session has been used.
    pub fn has(&self, name: &str) -> bool {
        self.room.find(name).is_some()
    }

    /// A session that has been used. This does not count as a use.
    pub fn find(&self, name: &str) -> Option<Arc<OpenSession>> {
        self.room.find(name)
    }

    /// Deletes a session with everything in it. Returns whether it existed.
    pub async fn remove(&self, name: &str) -> Result<bool, SessionError> {
        let Some(session) = self.room.find(name) else { return Ok(false) };
        let was_there = session.end().await?;
        self.room.remove(&session);
        Ok(was_there)
    }

    /// The existing sessions, in the order of their names.
    pub fn sessions(&self) -> Vec<Arc<OpenSession>> {
        let mut sessions = self.room.sessions();
        sessions.sort_by(|one, other| one.name.cmp(&other.name));
        sessions
    }

    /// The fixtures that the server was started with, as they are now.
    pub fn fixtures(&self) -> Arc<Fixtures> {
        self.config.fixtures.now()
    }

    /// How many sessions are in memory.
    pub fn count(&self) -> usize {
        self.room.count()
    }

    /// Replaces the fixtures of the server's start with others. New seeds are stored; runs in
    /// progress keep their replies.
    pub async fn reload(&self, fixtures: Fixtures) -> Result<(), SessionError> {
        for session in self.sessions() {
            session.seed(&fixtures).await?;
        }
        self.config.fixtures.replace(fixtures);
        let fixtures = self.config.fixtures.now();
        for session in self.sessions() {
            // Again: a session that was created or reset meanwhile has the old ones.
            session.seed(&fixtures).await?;
            session.events.publish("fixtures.reloaded", || {
                format!(
                    r#"{{"object":"fixtures","replies":{},"faults":{}}}"#,
                    fixtures.replies.len(),
                    fixtures.faults.len()
                )
            });
        }
        Ok(())
    }

    /// Notes that the fixture files cannot be loaded again, and publishes it in all sessions.
    pub fn report_broken(&self, why: &str) {
        self.config.fixtures.set_broken(why);
        self.publish("fixtures.broken", || {
            serde_json::json!({"object": "fixtures", "message": why}).to_string()
        });
    }

    /// Ends work that would never end by itself, because the server ends.
    pub fn end(&self) {
        self.config.ending.send_replace(true);
    }

    /// Stops all runs where they are. The next server resumes them.
    pub async fn halt(&self) {
        for session in self.sessions() {
            session.state().engine.halt().await;
        }
    }

    /// Publishes to all sessions.
    pub fn publish(&self, name: &str, data: impl Fn() -> String) {
        for session in self.sessions() {
            session.events.publish(name, &data);
        }
    }
}
