//! A session: its own objects, ids, clock, performer and journal. The first use creates it.
//!
//! A reset and a restored snapshot replace its state as a whole. A request works on one state from
//! its beginning to its end.

pub mod fault_counters;
pub mod journal;
mod room;
pub mod seeding;
pub mod sessions;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::{sync::watch, task::JoinError};

use self::{
    fault_counters::{FaultCounters, FaultCounts},
    journal::{Journal, JournalEntry},
    seeding::{SeedError, Seeder},
};
use crate::{
    clock::{self, Clock, ClockStand, Ids, IdsStand, Moment},
    engine::{Engine, Performer, ReplyUsage, RunServices, Unmatched, UnmatchedRun},
    event_bus::EventBus,
    extract::Extractor,
    fixture::{
        ActiveFixtures, Diagnostic, Fixtures, LoadError, Pace,
        active_fixtures::{Addition, Loaded, NumberedText},
    },
    knowledge::{Knowledge, Reaper},
    metrics::Metrics,
    redact::{Redactor, SessionKeys},
    store::{self, Database, Prepared, RowLease, Snapshot, Store},
    turns::{TurnLog, TurnOrder},
    types::{ApiErrorKind, Model, model::Family, response::model::dated},
    upstream::{Recorder, Upstream},
};

/// The session of requests that name none.
pub const DEFAULT_SESSION: &str = "default";

/// The settings that all sessions share.
pub struct SessionConfig {
    pub database: Arc<Database>,
    pub fixtures: Loaded,
    pub unmatched: Unmatched,
    pub pace: Pace,
    pub extractor: Extractor,
    /// `None` for another seed in every session.
    pub seed: Option<u64>,
    /// The time at which the clock is stopped from the start; `None` for the real time.
    pub clock: Option<Moment>,
    /// The performer of runs that no reply matches, if there is one, and the recorder of its
    /// answers.
    pub upstream: Option<Arc<Upstream>>,
    pub recorder: Option<Arc<Recorder>>,
    /// Removes text that must not be kept.
    pub redactor: Redactor,
    /// Whether models that are not listed are refused.
    pub strict_models: bool,
    /// How many requests and how many turns the journal of a session holds.
    pub journal: usize,
    pub metrics: Arc<Metrics>,
    /// The order of the turns of all sessions.
    pub turn_order: TurnOrder,
    /// How many sessions there may be at a time.
    pub max_sessions: usize,
    /// Whether the server is ending.
    pub ending: watch::Sender<bool>,
}

/// The data of a session until it is reset or restored.
pub struct SessionState {
    pub store: Store,
    pub clock: Clock,
    pub ids: Arc<Ids>,
    pub knowledge: Knowledge,
    pub engine: Engine,
    pub performer: Arc<Performer>,
    pub reply_usage: Arc<ReplyUsage>,
    pub fault_counters: FaultCounters,
    pub fixtures: Arc<ActiveFixtures>,
    strict_models: bool,
    _reaper: Reaper,
    // Dropped last: then nobody uses the rows any more.
    _lease: RowLease,
}

/// A session that was used, with the state that it has at the moment.
pub struct OpenSession {
    pub name: String,
    config: Arc<SessionConfig>,
    pub events: EventBus,
    pub fixtures: Arc<ActiveFixtures>,
    pub journal: Journal,
    pub turns: Arc<TurnLog>,
    /// The keys in its requests.
    pub keys: Arc<SessionKeys>,
    state: RwLock<Arc<SessionState>>,
    /// Whether it was forgotten.
    ended: watch::Sender<bool>,
    /// Shared by requests that work on the state, exclusive for a reset, a snapshot or a restore.
    swap_lock: Arc<tokio::sync::RwLock<()>>,
}

/// Keeps the state in place as long as a request works on it.
pub type StateGuard = tokio::sync::OwnedRwLockReadGuard<()>;

/// How long a snapshot waits for the end of current activities.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why a session cannot be entered, or changed.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error(transparent)]
    Unplanted(#[from] SeedError),
    #[error("cannot read the added fixtures: {0}")]
    Fixtures(#[from] LoadError),
    #[error("the reader of the added fixtures failed: {0}")]
    Unread(#[from] JoinError),
    #[error("{0:?} is not a session name: use 1 to 64 letters, digits, '.', '_' and '-'")]
    Name(String),
    #[error("there are {max} sessions, which is the maximum")]
    TooMany { max: usize },
    #[error("This session no longer exists.")]
    Ended,
    #[error("cannot read a snapshot: {0}")]
    Snapshot(#[from] serde_json::Error),
}

impl SessionError {
    /// The errors in the fixtures, if they are the reason.
    pub fn diagnostics(&self) -> Option<&[Diagnostic]> {
        match self {
            Self::Unplanted(SeedError::Faulty(found)) => Some(found),
            Self::Fixtures(error) => error.diagnostics(),
            _ => None,
        }
    }
}

impl From<store::StoreError> for SessionError {
    fn from(error: store::StoreError) -> Self {
        Self::Unplanted(error.into())
    }
}

/// How a state begins.
enum SessionStart {
    /// With its seeds.
    Seeded { starts: u32 },
    /// From the position of an earlier state. Request ids continue from the last one.
    At { stood: Box<SnapshotState>, last: IdsStand },
}

/// The data of a snapshot beside objects.
#[derive(Serialize, Deserialize)]
struct SnapshotState {
    clock: ClockStand,
    now: Moment,
    ids: IdsStand,
    uses: BTreeMap<u64, u64>,
    #[serde(rename = "strikes")]
    fault_counts: BTreeMap<u64, FaultCounts>,
    added: Vec<NumberedText>,
}

impl OpenSession {
    async fn open(config: Arc<SessionConfig>, name: &str) -> Result<Arc<Self>, SessionError> {
        let (store, starts) = config.database.session(name).await?;
        let (bus, active_fixtures) =
            (EventBus::default(), Arc::new(ActiveFixtures::new(config.fixtures.clone())));
        let keys = Arc::<SessionKeys>::default();
        let turns =
            Arc::new(TurnLog::new(config.journal, Arc::clone(&keys), config.turn_order.clone()));
        let state = SessionState::make(
            &config,
            name,
            &bus,
            &active_fixtures,
            &turns,
            store,
            SessionStart::Seeded { starts },
        )
        .await?;
        let (journal, state) =
            (Journal::new(config.journal, Arc::clone(&keys)), RwLock::new(state));
        let turning = Arc::default();
        Ok(Arc::new(Self {
            name: name.to_owned(),
            config,
            events: bus,
            fixtures: active_fixtures,
            journal,
            turns,
            keys,
            state,
            ended: watch::Sender::new(false),
            swap_lock: turning,
        }))
    }

    /// Done when the server ends, or the session is forgotten.
    pub async fn ending(&self) {
        let (mut server, mut own) = (self.config.ending.subscribe(), self.ended.subscribe());
        // Without a server there is nothing to wait for.
        tokio::select! {
            _ = server.wait_for(|ending| *ending) => {}
            _ = own.wait_for(|ended| *ended) => {}
        }
    }

    /// Deletes everything in it, snapshots too, and ends its listeners. Returns whether it existed:
    /// another request may have been faster.
    async fn end(&self) -> Result<bool, SessionError> {
        let _alone = self.swap_lock.write().await;
        if *self.ended.borrow() {
            return Ok(false);
        }
        let Prepared { store, name } = self.config.database.prepare().await?;
        let before = self.state();
        for snapshot in self.config.database.snapshots(&self.name).await? {
            self.config.database.forget_snapshot(&self.name, &snapshot.name).await?;
        }
        self.fixtures.clear_all();
        // Its rows go. Requests that still work in it find an empty session.
        self.config.database.take(&self.name, &name).await?;
        drop(store);
        before.engine.abandon_all().await;
        self.ended.send_replace(true);
        Ok(true)
    }

    /// Removes text that must not be kept.
    pub fn redactor(&self) -> &Redactor {
        &self.config.redactor
    }

    /// A run that no reply matched, as people see it.
    pub fn unmatched_to_json(&self, run: &UnmatchedRun) -> Value {
        let mut shown = json!(run);
        self.keys.now().clean(&mut shown);
        shown
    }

    /// The state that it has now.
    pub fn state(&self) -> Arc<SessionState> {
        Arc::clone(&self.state.read())
    }

    /// The current state, which is not replaced while the guard is held.
    pub async fn hold_state(&self) -> (Arc<SessionState>, StateGuard) {
        let guard = Arc::clone(&self.swap_lock).read_owned().await;
        (self.state(), guard)
    }

    /// Deletes all objects, the journal and all counts, and stores the seeds again. Returns how
    /// many objects of each kind there were. If the seeds cannot be stored any more, nothing
    /// changes.
    pub async fn reset(&self, with_fixtures: bool) -> Result<Map<String, Value>, SessionError> {
        let _alone = self.swap_lock.write().await;
        self.check_there()?;
        let before = self.state();
        let mut removed = before.store.counts().await?;
        let Prepared { store, name } = self.config.database.prepare().await?;
        let kept = self.fixtures.additions();
        let fixtures = if with_fixtures { self.fixtures.clear_all() } else { 0 };
        removed.insert("requests".to_owned(), self.journal.entries().len().into());
        removed.insert("fixtures".to_owned(), fixtures.into());
        // The reset is published before the seeds. A request that reacts to it waits until the
        // reset is done.
        self.events.publish("session.reset", || {
            json!({"object": "reset", "removed": removed}).to_string()
        });
        let state = self.make_state(store, SessionStart::Seeded { starts: 0 }).await;
        let state = state.inspect_err(|_| self.fixtures.replace(kept))?;
        self.config.database.take(&self.name, &name).await?;
        self.journal.clear();
        self.exchange(&before, state).await;
        // Last of all: the runs that were stopped have ended their turns by now.
        self.turns.clear();
        Ok(removed)
    }

    /// Once it was forgotten, its name belongs to another session.
    fn check_there(&self) -> Result<(), SessionError> {
        if *self.ended.borrow() { Err(SessionError::Ended) } else { Ok(()) }
    }

    /// Another state for this session.
    async fn make_state(
        &self,
        store: Store,
        start: SessionStart,
    ) -> Result<Arc<SessionState>, SessionError> {
        let Self { name, config, events, fixtures, turns, .. } = self;
        SessionState::make(config, name, events, fixtures, turns, store, start).await
    }

    /// Replaces the state. All streams of the old one end.
    async fn exchange(&self, before: &SessionState, state: Arc<SessionState>) {
        *self.state.write() = state;
        before.engine.abandon_all().await;
    }

    /// Adds a document, and stores its seeds.
    pub async fn add(&self, yaml: String) -> Result<Addition, SessionError> {
        let text = self.fixtures.numbered(yaml);
        let addition = unblocked(move || Addition::read(text)).await?;
        self.seed(&addition.fixtures).await?;
        self.fixtures.add(addition.clone());
        self.events.publish("fixtures.added", || {
            json!({"object": "fixtures", "document": addition.number()}).to_string()
        });
        Ok(addition)
    }

    async fn seed(&self, fixtures: &Fixtures) -> Result<(), SeedError> {
        let (state, _stay) = self.hold_state().await;
        state.seed(fixtures).await
    }

    /// Keeps everything as it is now.
    pub async fn take_snapshot(&self, name: &str) -> Result<Snapshot, SessionError> {
        let _alone = self.swap_lock.write().await;
        let state = self.state();
        // No request is active now. Runs and files finish, unless they take long.
        _ = tokio::time::timeout(PATIENCE, state.clock.idle()).await;
        let stood = SnapshotState {
            clock: state.clock.stand(),
            now: state.clock.now(),
            ids: state.ids.stand(),
            uses: state.reply_usage.uses(),
            fault_counts: state.fault_counters.counts(),
            added: self.fixtures.additions().into_iter().map(|addition| addition.text).collect(),
        };
        let now = state.clock.now().seconds();
        state.store.take_snapshot(&self.name, name, now, &serde_json::to_string(&stood)?).await?;
        // It has just been created. Another request may delete it in this moment.
        Ok(self.snapshot(name).await?.ok_or_else(store::StoreError::vanished)?)
    }

    /// Restores everything but the journal. Returns the snapshot, if there is one of this name.
    pub async fn restore(&self, name: &str) -> Result<Option<Snapshot>, SessionError> {
        let _alone = self.swap_lock.write().await;
        self.check_there()?;
        let Some(snapshot) = self.snapshot(name).await? else { return Ok(None) };
        let stood: SnapshotState = serde_json::from_str(&snapshot.state)?;
        let texts = stood.added.clone();
        let additions = unblocked(|| texts.into_iter().map(Addition::read).collect()).await?;
        let before = self.state();
        let Prepared { store, name } = self.config.database.prepare_from(&snapshot).await?;
        let beginning = SessionStart::At { stood: Box::new(stood), last: before.ids.stand() };
        self.events.publish("snapshot.restored", || snapshot.to_json().to_string());
        let state = self.make_state(store, beginning).await?;
        state.knowledge.settle_all().await;
        self.config.database.take(&self.name, &name).await?;
        self.fixtures.replace(additions);
        self.exchange(&before, state).await;
        Ok(Some(snapshot))
    }

    pub async fn snapshots(&self) -> store::Result<Vec<Snapshot>> {
        self.config.database.snapshots(&self.name).await
    }

    async fn snapshot(&self, name: &str) -> store::Result<Option<Snapshot>> {
        self.config.database.snapshot(&self.name, name).await
    }

    /// Returns whether it existed.
    pub async fn forget(&self, snapshot: &str) -> store::Result<bool> {
        let _alone = self.swap_lock.write().await;
        self.config.database.forget_snapshot(&self.name, snapshot).await
    }
}

/// Reads an added document where that blocks nobody: ten thousand replies take a while.
async fn unblocked<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, LoadError> + Send + 'static,
) -> Result<T, SessionError> {
    Ok(tokio::task::spawn_blocking(read).await??)
}

impl SessionState {
    async fn make(
        config: &SessionConfig,
        name: &str,
        bus: &EventBus,
        active_fixtures: &Arc<ActiveFixtures>,
        turns: &Arc<TurnLog>,
        store: Store,
        beginning: SessionStart,
    ) -> Result<Arc<Self>, SessionError> {
        let store = store.telling(bus.clone());
        let (clock, ids) = match &beginning {
            SessionStart::Seeded { starts } => {
                let stand = config.clock.map_or(ClockStand::RUNNING, ClockStand::frozen);
                (
                    Clock::new(stand),
                    Ids::new(config.seed.unwrap_or_else(clock::random_seed), *starts),
                )
            }
            SessionStart::At { stood, last } => {
                (Clock::new(stood.clock.at(stood.now)), Ids::resumed_beside(&stood.ids, last))
            }
        };
        let (ids, extractor) = (Arc::new(ids), config.extractor.clone());
        let (knowledge, reaper) =
            Knowledge::new(store.clone(), clock.clone(), Arc::clone(&ids), config.pace, extractor);
        knowledge.resume().await?;
        let (reply_usage, fault_counters) =
            (Arc::<ReplyUsage>::default(), FaultCounters::default());
        let performer = Arc::new(Performer::new(
            Arc::clone(active_fixtures),
            Arc::clone(&reply_usage),
            config.unmatched,
            config.pace,
            config.upstream.as_ref().map(|upstream| Arc::new(upstream.afresh())),
        ));
        let recording = config
            .recorder
            .as_ref()
            .map(|recorder| recorder.of_session((name != DEFAULT_SESSION).then_some(name)));
        let engine = Engine::new(RunServices {
            store: store.clone(),
            clock: clock.clone(),
            ids: Arc::clone(&ids),
            knowledge: knowledge.clone(),
            performer: Arc::clone(&performer),
            bus: bus.clone(),
            turns: Arc::clone(turns),
            metrics: Arc::clone(&config.metrics),
            recording,
        });
        let (active_fixtures, lease) = (Arc::clone(active_fixtures), store.lease());
        let state = Self {
            store,
            clock,
            ids,
            knowledge,
            engine,
            performer,
            reply_usage,
            fault_counters,
            fixtures: active_fixtures,
            strict_models: config.strict_models,
            _reaper: reaper,
            _lease: lease,
        };
        match beginning {
            SessionStart::Seeded { .. } => {
                for fixtures in state.fixtures.sets().iter().rev() {
                    state.seed(fixtures).await?;
                }
            }
            SessionStart::At { stood, .. } => {
                state.reply_usage.resume(stood.uses);
                state.fault_counters.resume(stood.fault_counts);
            }
        }
        state.engine.resume().await?;
        Ok(Arc::new(state))
    }

    /// The models that are listed.
    pub fn models(&self) -> Vec<Model> {
        let sets = self.fixtures.sets();
        Model::listed(sets.iter().flat_map(|set| set.models.iter().map(String::as_str)))
    }

    /// An entry of the journal as people see it, with the reply that answered its run.
    pub fn request_to_json(&self, entry: &JournalEntry) -> Value {
        let reply = entry.about().and_then(|run| self.reply_usage.answered(&run));
        entry.to_json(reply.as_deref())
    }

    /// Rejects a model that is not listed, if only listed ones are accepted.
    pub fn check_model(&self, model: &str) -> Result<(), ApiErrorKind> {
        if !self.strict_models || self.models().iter().any(|listed| listed.id == model) {
            return Ok(());
        }
        let model = model.to_owned();
        Err(match Family::of_model(&model) {
            Some(family) if !family.has_assistants => ApiErrorKind::NotForAssistants { model },
            _ => ApiErrorKind::UnknownModel { model },
        })
    }

    /// The same for a response: a model has a dated name too.
    pub fn check_model_of_response(&self, model: &str) -> Result<(), ApiErrorKind> {
        let is_it = |listed: &Model| listed.id == model || dated(&listed.id) == model;
        if !self.strict_models || self.models().iter().any(is_it) {
            return Ok(());
        }
        Err(ApiErrorKind::UnknownModel { model: model.to_owned() })
    }

    async fn seed(&self, fixtures: &Fixtures) -> Result<(), SeedError> {
        self.store.purged().await?;
        let now = self.clock.now().seconds();
        seeding::seed(
            &Seeder { store: &self.store, ids: &self.ids, knowledge: &self.knowledge, now },
            fixtures,
        )
        .await
    }
}
