//! The evidence for expectations: the turns, the requests, the replies and the unmatched runs of
//! the sessions at one moment.

use std::sync::Arc;

use crate::{
    engine::UnmatchedRun,
    fixture::Reply,
    session::{OpenSession, SessionState, journal::JournalEntry},
    turns::KeptTurn,
};

/// The evidence of some sessions.
pub(super) struct Evidence {
    sessions: Vec<SessionEvidence>,
}

/// The evidence of one session.
pub(super) struct SessionEvidence {
    name: String,
    state: Arc<SessionState>,
    replies: Vec<Arc<Reply>>,
    pub turns: Vec<KeptTurn>,
    pub requests: Vec<Arc<JournalEntry>>,
    pub unmatched: Vec<Arc<UnmatchedRun>>,
    /// The number of turns, and of requests, that were dropped.
    dropped: (usize, usize),
}

impl SessionEvidence {
    fn new(session: &OpenSession) -> Self {
        let state = session.state();
        let sets = session.fixtures.sets();
        Self {
            name: session.name.clone(),
            replies: sets.iter().flat_map(|set| set.replies.iter().cloned()).collect(),
            turns: session.turns.turns(),
            requests: session.journal.entries(),
            unmatched: state.reply_usage.unmatched(),
            dropped: (session.turns.dropped(), session.journal.dropped()),
            state,
        }
    }

    /// The replies with this name.
    pub(super) fn replies<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Arc<Reply>> {
        self.replies.iter().filter(move |reply| is_called(reply, name))
    }
}

fn is_called(reply: &Reply, name: &str) -> bool {
    reply.name.as_deref().map_or_else(|| reply.called() == name, |own| own == name)
}

impl Evidence {
    pub(super) fn new(sessions: &[Arc<OpenSession>]) -> Self {
        Self { sessions: sessions.iter().map(|session| SessionEvidence::new(session)).collect() }
    }

    /// The sessions that count for an expectation.
    pub(super) fn of<'e>(
        &'e self,
        session: Option<&'e str>,
    ) -> impl Iterator<Item = &'e SessionEvidence> {
        self.sessions.iter().filter(move |one| session.is_none_or(|name| one.name == name))
    }

    /// The number of runs that a reply has answered. `None` if there is no such reply.
    pub(super) fn uses(&self, session: Option<&str>, name: &str) -> Option<u64> {
        let replies = self
            .of(session)
            .flat_map(|one| one.replies(name).map(|reply| one.state.reply_usage.uses_of(reply)));
        replies.reduce(|sum, uses| sum + uses)
    }

    /// The names of all replies.
    pub(super) fn reply_names<'e>(&'e self, session: Option<&'e str>) -> Vec<&'e str> {
        let all = self.of(session).flat_map(|one| &one.replies);
        let mut names: Vec<_> = all.filter_map(|reply| reply.name.as_deref()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The number of turns, and of requests, that were dropped.
    pub(super) fn dropped(&self, session: Option<&str>) -> (usize, usize) {
        self.of(session).fold((0, 0), |sum, one| (sum.0 + one.dropped.0, sum.1 + one.dropped.1))
    }
}
