//! A session is a world of its own: objects, ids, clock, performer, journal. It is made on first
//! use, and can begin anew or be brought back to a snapshot: then another world takes the place of
//! the one before.
//!
//! Everything that a request needs hangs on its session; there is nothing global.

pub mod journal;
pub mod planting;
pub mod strikes;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::{
    sync::{OnceCell, watch},
    task::JoinError,
};

use self::{
    journal::Journal,
    planting::{Planting, Unplanted},
    strikes::{Counts, Strikes},
};
use crate::{
    clock::{self, Clock, ClockStand, Ids, IdsStand, Moment},
    engine::{Engine, Ledger, Performer, Unmatched},
    extract::Extractor,
    feed::Feed,
    fixture::{
        Diagnostic, Fixtures, LoadError, Pace, Repertoire,
        repertoire::{Addition, Loaded, Text},
    },
    knowledge::{Knowledge, Reaper},
    redact::Redactor,
    store::{self, Database, Prepared, Snapshot, Store, Tenure},
    types::{Model, ApiErrorKind, model::Family},
    upstream::{Recorder, Upstream},
};

/// The session of requests that name none.
pub const DEFAULT_SESSION: &str = "default";

/// How worlds are made.
pub struct Making {
    pub database: Arc<Database>,
    pub fixtures: Loaded,
    pub unmatched: Unmatched,
    pub pace: Pace,
    pub extractor: Extractor,
    /// None for another seed in every session.
    pub seed: Option<u64>,
    /// Where the clock stands still from the start; none for the real time.
    pub clock: Option<Moment>,
    /// Who performs the runs that no reply matches, if somebody does, and who writes it down.
    pub upstream: Option<Arc<Upstream>>,
    pub recorder: Option<Arc<Recorder>>,
    /// What must not be kept.
    pub redactor: Redactor,
    /// Whether models that are not listed are refused.
    pub strict_models: bool,
    /// How many requests a journal holds.
    pub journal: usize,
    /// Whether the server is ending.
    pub ending: watch::Sender<bool>,
}

/// What the world of one session holds.
pub struct World {
    pub store: Store,
    pub clock: Clock,
    pub ids: Arc<Ids>,
    pub knowledge: Knowledge,
    pub engine: Engine,
    pub ledger: Arc<Ledger>,
    pub strikes: Strikes,
    pub repertoire: Arc<Repertoire>,
    strict_models: bool,
    _reaper: Reaper,
    // The last to go: then nobody uses the rows any more.
    _tenure: Tenure,
}

/// A session, whichever world it has at the moment.
pub struct Session {
    name: String,
    making: Arc<Making>,
    pub feed: Feed,
    pub repertoire: Arc<Repertoire>,
    pub journal: Journal,
    world: RwLock<Arc<World>>,
    /// Held by whoever changes something in the world, and alone by whoever exchanges or keeps it.
    turning: Arc<tokio::sync::RwLock<()>>,
}

/// Held by a request for as long as it is at work in its world.
pub type Stay = tokio::sync::OwnedRwLockReadGuard<()>;

/// How long a snapshot waits for what is under way to come to rest.
const PATIENCE: Duration = Duration::from_secs(3);

/// All sessions that have been used since the start.
pub struct Worlds {
    making: Arc<Making>,
    by_name: Mutex<HashMap<String, Arc<OnceCell<Arc<Session>>>>>,
}

/// Why a session cannot be entered, or changed.
#[derive(Debug, thiserror::Error)]
pub enum Unmade {
    #[error(transparent)]
    Unplanted(#[from] Unplanted),
    #[error("fixtures that were added cannot be read: {0}")]
    Fixtures(#[from] LoadError),
    #[error("the reading of fixtures that were added broke off: {0}")]
    Unread(#[from] JoinError),
    #[error("a snapshot cannot be read any more: {0}")]
    Snapshot(#[from] serde_json::Error),
}

impl Unmade {
    /// What is wrong with the fixtures, if that is why.
    pub fn diagnostics(&self) -> Option<&[Diagnostic]> {
        match self {
            Self::Unplanted(Unplanted::Faulty(found)) => Some(found),
            Self::Fixtures(error) => error.diagnostics(),
            _ => None,
        }
    }
}

impl From<store::Error> for Unmade {
    fn from(error: store::Error) -> Self {
        Self::Unplanted(error.into())
    }
}

/// How a world begins.
enum Beginning {
    /// With its seeds.
    Seeded { starts: u32 },
    /// Where another stood; requests are named on from where the last one stands.
    At { state: Box<State>, last: IdsStand },
}

/// What of a world is not an object.
#[derive(Serialize, Deserialize)]
struct State {
    clock: ClockStand,
    now: Moment,
    ids: IdsStand,
    uses: BTreeMap<u64, u64>,
    strikes: BTreeMap<u64, Counts>,
    added: Vec<Text>,
}

impl Worlds {
    /// Makes the default session, and those in which a run was under way when the server stopped.
    pub async fn open(making: Making) -> Result<Self, Unmade> {
        let interrupted = making.database.interrupted_sessions().await?;
        let worlds = Self { making: Arc::new(making), by_name: Mutex::default() };
        worlds.enter(DEFAULT_SESSION).await?;
        for name in interrupted {
            worlds.enter(&name).await?;
        }
        Ok(worlds)
    }

    /// The database that they are all in.
    pub fn database(&self) -> &Arc<Database> {
        &self.making.database
    }

    /// A session, made on first use. Whoever comes while it is being made waits for it.
    pub async fn enter(&self, name: &str) -> Result<Arc<Session>, Unmade> {
        let cell = {
            let mut by_name = self.by_name.lock();
            match by_name.get(name) {
                Some(cell) => Arc::clone(cell),
                None => Arc::clone(by_name.entry(name.to_owned()).or_default()),
            }
        };
        let session =
            cell.get_or_try_init(|| Session::open(Arc::clone(&self.making), name)).await?;
        Ok(Arc::clone(session))
    }

    /// Whether a session has been used.
    pub fn has(&self, name: &str) -> bool {
        self.by_name.lock().get(name).is_some_and(|cell| cell.initialized())
    }

    /// The sessions that there are, in the order of their names.
    pub fn sessions(&self) -> Vec<Arc<Session>> {
        let by_name = self.by_name.lock();
        let mut sessions: Vec<_> =
            by_name.values().filter_map(|cell| cell.get().cloned()).collect();
        sessions.sort_by(|one, other| one.name.cmp(&other.name));
        sessions
    }

    /// Puts other fixtures in the place of those that the server was started with. New seeds are
    /// planted; runs that are under way keep their replies.
    pub async fn reload(&self, fixtures: Fixtures) -> Result<(), Unmade> {
        for session in self.sessions() {
            session.plant(&fixtures).await?;
        }
        self.making.fixtures.replace(fixtures);
        let fixtures = self.making.fixtures.now();
        for session in self.sessions() {
            // Once more: a session that was made or reset meanwhile has the old ones.
            session.plant(&fixtures).await?;
            session.feed.tell("fixtures.reloaded", || {
                format!(
                    r#"{{"object":"fixtures","replies":{},"faults":{}}}"#,
                    fixtures.replies.len(),
                    fixtures.faults.len()
                )
            });
        }
        Ok(())
    }

    /// Ends what would never end by itself, because the server does.
    pub fn end(&self) {
        self.making.ending.send_replace(true);
    }

    /// Tells all sessions.
    pub fn tell(&self, name: &str, data: impl Fn() -> String) {
        for session in self.sessions() {
            session.feed.tell(name, &data);
        }
    }

    /// The name of a request that no session could be entered for.
    pub fn stray_request_id(&self) -> String {
        Ids::new(clock::random_seed(), 0).next_request()
    }
}

impl Session {
    async fn open(making: Arc<Making>, name: &str) -> Result<Arc<Self>, Unmade> {
        let (store, starts) = making.database.session(name).await?;
        let (feed, repertoire) =
            (Feed::default(), Arc::new(Repertoire::new(making.fixtures.clone())));
        let world =
            World::make(&making, name, &feed, &repertoire, store, Beginning::Seeded { starts })
                .await?;
        let (journal, world) = (Journal::of(making.journal), RwLock::new(world));
        let turning = Arc::default();
        Ok(Arc::new(Self {
            name: name.to_owned(),
            making,
            feed,
            repertoire,
            journal,
            world,
            turning,
        }))
    }

    /// Done when the server ends.
    pub async fn ending(&self) {
        // Without a server there is nothing to wait for.
        _ = self.making.ending.subscribe().wait_for(|ending| *ending).await;
    }

    /// What takes out whatever must not be kept.
    pub fn redactor(&self) -> &Redactor {
        &self.making.redactor
    }

    /// The world that it has now.
    pub fn world(&self) -> Arc<World> {
        Arc::clone(&self.world.read())
    }

    /// The world that it has now, which is not exchanged as long as the answer is held.
    pub async fn stay(&self) -> (Arc<World>, Stay) {
        let stay = Arc::clone(&self.turning).read_owned().await;
        (self.world(), stay)
    }

    /// Forgets all objects, the journal and all counts, and seeds again. Answers how many of each
    /// kind there were. If the seeds cannot be planted any more, everything stays as it is.
    pub async fn reset(&self, with_fixtures: bool) -> Result<Map<String, Value>, Unmade> {
        let _alone = self.turning.write().await;
        let before = self.world();
        let mut removed = before.store.counts().await?;
        let Prepared { store, name } = self.making.database.prepare().await?;
        let kept = self.repertoire.additions();
        let fixtures = if with_fixtures { self.repertoire.clear_all() } else { 0 };
        removed.insert("requests".to_owned(), self.journal.entries().len().into());
        removed.insert("fixtures".to_owned(), fixtures.into());
        // Told before the seeds are. Whoever acts upon it waits until it is done.
        self.feed
            .tell("session.reset", || json!({"object": "reset", "removed": removed}).to_string());
        let world = World::make(
            &self.making,
            &self.name,
            &self.feed,
            &self.repertoire,
            store,
            Beginning::Seeded { starts: 0 },
        )
        .await;
        let world = world.inspect_err(|_| self.repertoire.replace(kept))?;
        self.making.database.take(&self.name, &name).await?;
        self.journal.clear();
        self.exchange(&before, world).await;
        Ok(removed)
    }

    /// Puts another world in the place of this one, of which all streams are ended.
    async fn exchange(&self, before: &World, world: Arc<World>) {
        *self.world.write() = world;
        before.engine.abandon_all().await;
    }

    /// Puts in a document, and plants its seeds. Answers what was in it.
    pub async fn add(&self, yaml: String) -> Result<Arc<Fixtures>, Unmade> {
        let text = self.repertoire.numbered(yaml);
        let addition = unblocked(move || Addition::read(text)).await?;
        let fixtures = Arc::clone(&addition.fixtures);
        self.plant(&fixtures).await?;
        self.repertoire.add(addition);
        Ok(fixtures)
    }

    async fn plant(&self, fixtures: &Fixtures) -> Result<(), Unplanted> {
        let (world, _stay) = self.stay().await;
        world.plant(fixtures).await
    }

    /// Keeps everything as it is now.
    pub async fn keep(&self, name: &str) -> Result<Snapshot, Unmade> {
        let _alone = self.turning.write().await;
        let world = self.world();
        // No request is at work now; runs and files come to rest, unless they take long.
        _ = tokio::time::timeout(PATIENCE, world.clock.idle()).await;
        let state = State {
            clock: world.clock.stand(),
            now: world.clock.now(),
            ids: world.ids.stand(),
            uses: world.ledger.uses(),
            strikes: world.strikes.counts(),
            added: self.repertoire.additions().into_iter().map(|addition| addition.text).collect(),
        };
        let now = world.clock.now().seconds();
        world.store.take_snapshot(&self.name, name, now, &serde_json::to_string(&state)?).await?;
        // It has just been made. Somebody may forget it in this very moment.
        Ok(self.snapshot(name).await?.ok_or_else(store::Error::vanished)?)
    }

    /// Brings everything back, but for the journal. Answers the snapshot, if there is one of this
    /// name.
    pub async fn restore(&self, name: &str) -> Result<Option<Snapshot>, Unmade> {
        let _alone = self.turning.write().await;
        let Some(snapshot) = self.snapshot(name).await? else { return Ok(None) };
        let state: State = serde_json::from_str(&snapshot.state)?;
        let texts = state.added.clone();
        let additions = unblocked(|| texts.into_iter().map(Addition::read).collect()).await?;
        let before = self.world();
        let Prepared { store, name } = self.making.database.prepare_from(&snapshot).await?;
        let beginning = Beginning::At { state: Box::new(state), last: before.ids.stand() };
        self.feed.tell("snapshot.restored", || snapshot.shown().to_string());
        let world =
            World::make(&self.making, &self.name, &self.feed, &self.repertoire, store, beginning)
                .await?;
        world.knowledge.settle_all().await;
        self.making.database.take(&self.name, &name).await?;
        self.repertoire.replace(additions);
        self.exchange(&before, world).await;
        Ok(Some(snapshot))
    }

    pub async fn snapshots(&self) -> store::Result<Vec<Snapshot>> {
        self.making.database.snapshots(&self.name).await
    }

    async fn snapshot(&self, name: &str) -> store::Result<Option<Snapshot>> {
        self.making.database.snapshot(&self.name, name).await
    }

    /// Answers whether it was there.
    pub async fn forget(&self, snapshot: &str) -> store::Result<bool> {
        let _alone = self.turning.write().await;
        self.making.database.forget_snapshot(&self.name, snapshot).await
    }
}

/// Reads what was added where that holds nobody up: ten thousand replies take a while.
async fn unblocked<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, LoadError> + Send + 'static,
) -> Result<T, Unmade> {
    Ok(tokio::task::spawn_blocking(read).await??)
}

impl World {
    async fn make(
        making: &Making,
        name: &str,
        feed: &Feed,
        repertoire: &Arc<Repertoire>,
        store: Store,
        beginning: Beginning,
    ) -> Result<Arc<Self>, Unmade> {
        let store = store.telling(feed.clone());
        let (clock, ids) = match &beginning {
            Beginning::Seeded { starts } => {
                let stand = making.clock.map_or(ClockStand::RUNNING, ClockStand::frozen);
                (
                    Clock::new(stand),
                    Ids::new(making.seed.unwrap_or_else(clock::random_seed), *starts),
                )
            }
            Beginning::At { state, last } => {
                (Clock::new(state.clock.at(state.now)), Ids::resumed_beside(&state.ids, last))
            }
        };
        let (ids, extractor) = (Arc::new(ids), making.extractor.clone());
        let (knowledge, reaper) =
            Knowledge::new(store.clone(), clock.clone(), Arc::clone(&ids), making.pace, extractor);
        knowledge.resume().await?;
        let (ledger, strikes) = (Arc::new(Ledger::new(feed.clone())), Strikes::default());
        let performer = Performer::new(
            Arc::clone(repertoire),
            Arc::clone(&ledger),
            making.unmatched,
            making.pace,
            making.upstream.as_ref().map(|upstream| Arc::new(upstream.afresh())),
        );
        let recording = making
            .recorder
            .as_ref()
            .map(|recorder| recorder.of_session((name != DEFAULT_SESSION).then_some(name)));
        let engine = Engine::new(
            store.clone(),
            clock.clone(),
            Arc::clone(&ids),
            knowledge.clone(),
            performer,
            feed.clone(),
            recording,
        );
        let (repertoire, tenure) = (Arc::clone(repertoire), store.tenure());
        let world = Self {
            store,
            clock,
            ids,
            knowledge,
            engine,
            ledger,
            strikes,
            repertoire,
            strict_models: making.strict_models,
            _reaper: reaper,
            _tenure: tenure,
        };
        match beginning {
            Beginning::Seeded { .. } => {
                for fixtures in world.repertoire.sets().iter().rev() {
                    world.plant(fixtures).await?;
                }
            }
            Beginning::At { state, .. } => {
                world.ledger.resume(state.uses);
                world.strikes.resume(state.strikes);
            }
        }
        world.engine.resume().await?;
        Ok(Arc::new(world))
    }

    /// The models that are listed.
    pub fn models(&self) -> Vec<Model> {
        let sets = self.repertoire.sets();
        Model::listed(sets.iter().flat_map(|set| set.models.iter().map(String::as_str)))
    }

    /// Whether models that are not listed are refused.
    pub fn is_strict(&self) -> bool {
        self.strict_models
    }

    /// Refuses a model that is not listed, if only those are accepted.
    pub fn judge_model(&self, model: &str) -> Result<(), ApiErrorKind> {
        if !self.strict_models || self.models().iter().any(|listed| listed.id == model) {
            return Ok(());
        }
        let model = model.to_owned();
        Err(match Family::of(&model) {
            Some(family) if !family.has_assistants => ApiErrorKind::NotForAssistants { model },
            _ => ApiErrorKind::UnknownModel { model },
        })
    }

    async fn plant(&self, fixtures: &Fixtures) -> Result<(), Unplanted> {
        let now = self.clock.now().seconds();
        for seed in &fixtures.assistants {
            self.engine.expect(seed.new.model());
        }
        planting::plant(
            &Planting { store: &self.store, ids: &self.ids, knowledge: &self.knowledge, now },
            fixtures,
        )
        .await
    }
}
