//! A session is a world of its own: objects, ids, clock, performer, journal. It is made on first use, and can begin
//! anew or be brought back to a snapshot: then another world takes the place of the one before.
//!
//! Everything that a request needs hangs on its session; there is nothing global.

pub mod journal;
pub mod planting;
pub mod strikes;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

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
        Fixtures, LoadError, Pace, Repertoire,
        repertoire::{Document, Loaded, Text},
    },
    knowledge::{Knowledge, Reaper},
    store::{self, Database, Snapshot, Store, Tenure},
    types::{Model, Refusal},
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
    /// Whether models that are not listed are refused.
    pub strict_models: bool,
    /// How many requests a journal holds.
    pub journal: usize,
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
    /// Held while the world is exchanged or kept.
    turning: tokio::sync::Mutex<()>,
}

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
    #[error("fixtures that were kept cannot be read any more: {0}")]
    Fixtures(#[from] LoadError),
    #[error("a snapshot cannot be read any more: {0}")]
    Snapshot(#[from] serde_json::Error),
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
            let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
            match by_name.get(name) {
                Some(cell) => Arc::clone(cell),
                None => Arc::clone(by_name.entry(name.to_owned()).or_default()),
            }
        };
        let session = cell.get_or_try_init(|| Session::open(Arc::clone(&self.making), name)).await?;
        Ok(Arc::clone(session))
    }

    /// Whether a session has been used.
    pub fn has(&self, name: &str) -> bool {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner).get(name).is_some_and(|cell| cell.initialized())
    }

    /// The sessions that there are, in the order of their names.
    pub fn sessions(&self) -> Vec<Arc<Session>> {
        let by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sessions: Vec<_> = by_name.values().filter_map(|cell| cell.get().cloned()).collect();
        sessions.sort_by(|one, other| one.name.cmp(&other.name));
        sessions
    }

    /// Puts other fixtures in the place of those that the server was started with. New seeds are planted; runs that
    /// are under way keep their replies.
    pub async fn reload(&self, fixtures: Fixtures) -> Result<(), Unmade> {
        for session in self.sessions() {
            session.world().plant(&fixtures).await?;
        }
        self.making.fixtures.replace(fixtures);
        let fixtures = self.making.fixtures.now();
        for session in self.sessions() {
            session.feed.tell("fixtures.reloaded", || {
                format!(r#"{{"object":"fixtures","replies":{},"faults":{}}}"#, fixtures.replies.len(), fixtures.faults.len())
            });
        }
        Ok(())
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
        let (feed, repertoire) = (Feed::default(), Arc::new(Repertoire::new(making.fixtures.clone())));
        let world = World::make(&making, &feed, &repertoire, store, Beginning::Seeded { starts }).await?;
        let (journal, world) = (Journal::of(making.journal), RwLock::new(world));
        let turning = tokio::sync::Mutex::default();
        Ok(Arc::new(Self { name: name.to_owned(), making, feed, repertoire, journal, world, turning }))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The world that it has now.
    pub fn world(&self) -> Arc<World> {
        Arc::clone(&self.world.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets all objects, the journal and all counts, and seeds again. Answers how many of each kind there were.
    pub async fn reset(&self, with_fixtures: bool) -> Result<Map<String, Value>, Unmade> {
        let _alone = self.turning.lock().await;
        let before = self.world();
        let mut removed = before.store.counts().await?;
        before.engine.abandon_all().await;
        let fixtures = if with_fixtures { self.repertoire.clear() } else { 0 };
        let (store, starts) = self.making.database.restart_session(&self.name).await?;
        removed.insert("requests".to_owned(), self.journal.clear().into());
        removed.insert("fixtures".to_owned(), fixtures.into());
        // Told before the seeds are: what comes behind it is of the new world.
        self.feed.tell("session.reset", || json!({"object": "reset", "removed": removed}).to_string());
        self.turn(store, Beginning::Seeded { starts }).await?;
        Ok(removed)
    }

    /// Puts another world in the place of this one.
    async fn turn(&self, store: Store, beginning: Beginning) -> Result<(), Unmade> {
        let world = World::make(&self.making, &self.feed, &self.repertoire, store, beginning).await?;
        *self.world.write().unwrap_or_else(PoisonError::into_inner) = world;
        Ok(())
    }

    /// Puts in a document, and plants its seeds.
    pub async fn add(&self, document: Document) -> Result<(), Unmade> {
        let _alone = self.turning.lock().await;
        self.world().plant(&document.fixtures).await?;
        self.repertoire.add(document);
        Ok(())
    }

    /// Keeps everything as it is now.
    pub async fn keep(&self, name: &str) -> Result<Snapshot, Unmade> {
        let _alone = self.turning.lock().await;
        let world = self.world();
        world.clock.idle().await;
        let state = State {
            clock: world.clock.stand(),
            ids: world.ids.stand(),
            uses: world.ledger.uses(),
            strikes: world.strikes.counts(),
            added: self.repertoire.documents().into_iter().map(|document| document.text).collect(),
        };
        let now = world.clock.now().seconds();
        world.store.take_snapshot(&self.name, name, now, &serde_json::to_string(&state)?).await?;
        // It has just been made; whoever forgets it in this moment has it for the last time.
        match self.snapshot(name).await? {
            Some(snapshot) => Ok(snapshot),
            None => Err(store::Error::Closed.into()),
        }
    }

    /// Brings everything back, but for the journal. Answers the snapshot, if there is one of this name.
    pub async fn restore(&self, name: &str) -> Result<Option<Snapshot>, Unmade> {
        let _alone = self.turning.lock().await;
        let Some(snapshot) = self.snapshot(name).await? else { return Ok(None) };
        let state: State = serde_json::from_str(&snapshot.state)?;
        let documents = state.added.iter().cloned().map(Document::read).collect::<Result<_, _>>()?;
        let before = self.world();
        before.engine.abandon_all().await;
        self.repertoire.replace(documents);
        let store = self.making.database.restore(&self.name, &snapshot).await?;
        self.feed.tell("snapshot.restored", || snapshot.shown().to_string());
        self.turn(store, Beginning::At { state: Box::new(state), last: before.ids.stand() }).await?;
        self.world().knowledge.settle_all().await;
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
        let _alone = self.turning.lock().await;
        self.making.database.forget_snapshot(&self.name, snapshot).await
    }
}

impl World {
    async fn make(
        making: &Making,
        feed: &Feed,
        repertoire: &Arc<Repertoire>,
        store: Store,
        beginning: Beginning,
    ) -> Result<Arc<Self>, Unmade> {
        let store = store.telling(feed.clone());
        let (clock, ids) = match &beginning {
            Beginning::Seeded { starts } => {
                let stand = making.clock.map_or(ClockStand::RUNNING, ClockStand::frozen);
                (Clock::new(stand), Ids::new(making.seed.unwrap_or_else(clock::random_seed), *starts))
            }
            Beginning::At { state, last } => (Clock::new(state.clock), Ids::resumed_beside(&state.ids, last)),
        };
        let (ids, extractor) = (Arc::new(ids), making.extractor.clone());
        let (knowledge, reaper) = Knowledge::new(store.clone(), clock.clone(), Arc::clone(&ids), making.pace, extractor);
        knowledge.resume().await?;
        let (ledger, strikes) = (Arc::new(Ledger::new(feed.clone())), Strikes::default());
        let performer = Performer::new(Arc::clone(repertoire), Arc::clone(&ledger), making.unmatched, making.pace);
        let engine = Engine::new(store.clone(), clock.clone(), Arc::clone(&ids), knowledge.clone(), performer, feed.clone());
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

    /// Refuses a model that is not listed, if only those are accepted.
    pub fn judge_model(&self, model: &str) -> Result<(), Refusal> {
        if !self.strict_models || self.models().iter().any(|listed| listed.id == model) {
            return Ok(());
        }
        Err(Refusal::UnknownModel { model: model.to_owned() })
    }

    async fn plant(&self, fixtures: &Fixtures) -> Result<(), Unplanted> {
        let now = self.clock.now().seconds();
        for seed in &fixtures.assistants {
            self.engine.expect(seed.new.model());
        }
        planting::plant(&Planting { store: &self.store, ids: &self.ids, knowledge: &self.knowledge, now }, fixtures).await
    }
}
