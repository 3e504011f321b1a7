//! A session is a world of its own: objects, ids, clock, performer. It is made on first use.
//!
//! Everything that a request needs hangs on its world; there is nothing global.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OnceCell;

use crate::{
    clock::{self, Clock, Ids, Moment},
    engine::{Engine, Performer, Unmatched},
    extract::Extractor,
    fixture::{Fixtures, Origin, Pace, SeedAssistant, SeedFile, SeedStore, SeedThread, StoredAsset, asset::Asset},
    knowledge::{Attached, Denied, Knowledge, Reaper, on_disk},
    store::{self, Changes, Database, Store, Stored},
    types::{
        Assistant, File, Id, Message, Patch, Thread, Timestamp,
        file::{NewFile, Purpose},
        tool::ToolResources,
        vector_store::NewVectorStore,
    },
};

/// The session of requests that name none.
pub const DEFAULT_SESSION: &str = "default";

/// What the world of one session holds.
pub struct World {
    pub store: Store,
    pub clock: Clock,
    pub ids: Arc<Ids>,
    pub knowledge: Knowledge,
    pub engine: Engine,
    _reaper: Reaper,
}

/// How worlds are made.
pub struct Making {
    pub database: Arc<Database>,
    pub fixtures: Arc<Fixtures>,
    pub unmatched: Unmatched,
    pub pace: Pace,
    pub extractor: Extractor,
    /// None for another seed in every session.
    pub seed: Option<u64>,
    /// Where the clock stands still from the start; none for the real time.
    pub clock: Option<Moment>,
}

/// All worlds that have been used since the start.
pub struct Worlds {
    making: Making,
    by_name: Mutex<HashMap<String, Arc<OnceCell<Arc<World>>>>>,
}

impl Worlds {
    /// Makes the default world, and those in which a run was under way when the server stopped.
    pub async fn open(making: Making) -> store::Result<Self> {
        let interrupted = making.database.interrupted_sessions().await?;
        let worlds = Self { making, by_name: Mutex::default() };
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

    /// The world of a session, made on first use. Whoever comes while it is being made waits for it.
    pub async fn enter(&self, name: &str) -> store::Result<Arc<World>> {
        let cell = {
            let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
            match by_name.get(name) {
                Some(cell) => Arc::clone(cell),
                None => Arc::clone(by_name.entry(name.to_owned()).or_default()),
            }
        };
        let world = cell.get_or_try_init(|| self.make(name)).await?;
        Ok(Arc::clone(world))
    }

    /// The name of a request that no world could be entered for.
    pub fn stray_request_id(&self) -> String {
        Ids::new(clock::random_seed(), 0).next_request()
    }

    async fn make(&self, name: &str) -> store::Result<Arc<World>> {
        let Making { database, fixtures, unmatched, pace, extractor, seed, clock } = &self.making;
        let (store, starts) = database.session(name).await?;
        let clock = clock.map_or_else(Clock::system, Clock::frozen);
        let ids = Arc::new(Ids::new(seed.unwrap_or_else(clock::random_seed), starts));
        let (knowledge, reaper) = Knowledge::new(store.clone(), clock.clone(), Arc::clone(&ids), *pace, extractor.clone());
        knowledge.resume().await?;
        let planting = Planting { store: &store, ids: &ids, knowledge: &knowledge, now: clock.now().seconds() };
        plant(&planting, fixtures).await?;
        let performer = Performer::new(Arc::clone(fixtures), *unmatched, *pace);
        let engine = Engine::new(store.clone(), clock.clone(), Arc::clone(&ids), knowledge.clone(), performer);
        engine.resume().await?;
        Ok(Arc::new(World { store, clock, ids, knowledge, engine, _reaper: reaper }))
    }
}

/// Puts the seeds in. What exists already, from an earlier start, stays as it is.
async fn plant(world: &Planting<'_>, fixtures: &Fixtures) -> store::Result<()> {
    for seed in &fixtures.files {
        planted(&seed.origin, world.plant_file(seed).await)?;
    }
    for seed in &fixtures.vector_stores {
        planted(&seed.origin, world.plant_store(seed).await)?;
    }
    for seed in &fixtures.assistants {
        planted(&seed.origin, world.plant_assistant(seed).await)?;
    }
    for seed in &fixtures.threads {
        planted(&seed.origin, world.plant_thread(seed).await)?;
    }
    Ok(())
}

/// What is wrong with a seed is told with its place.
fn planted(origin: &Origin, outcome: Result<(), Denied>) -> store::Result<()> {
    outcome.map_err(|denied| match denied {
        Denied::Store(error) => error,
        other => store::Error::Unplanted(format!("{}:{}: {other}", origin.file, origin.line)),
    })
}

/// A world that is being given its seeds.
struct Planting<'w> {
    store: &'w Store,
    ids: &'w Ids,
    knowledge: &'w Knowledge,
    now: Timestamp,
}

impl Planting<'_> {
    async fn is_new<T: Stored>(&self, id: &Id<T>) -> store::Result<bool> {
        Ok(self.store.find::<T>(&[id.to_string()]).await?.is_none())
    }

    async fn content(&self, asset: &Asset, fixture: &str) -> Result<Vec<u8>, Denied> {
        let (asset, fixture) = (asset.clone(), fixture.to_owned());
        Ok(on_disk(move || asset.load(&fixture)).await?)
    }

    async fn plant_file(&self, seed: &SeedFile) -> Result<(), Denied> {
        let content = self.content(&seed.asset, &seed.origin.file).await?;
        self.knowledge.make_file_as(seed.id.clone(), seed.new.clone(), content).await?;
        Ok(())
    }

    async fn plant_store(&self, seed: &SeedStore) -> Result<(), Denied> {
        if !self.is_new(&seed.id).await? {
            return Ok(());
        }
        let mut files = Vec::new();
        for file in &seed.files {
            files.push(match file {
                StoredAsset::File(id) => id.clone(),
                StoredAsset::Asset(asset) => {
                    let (id, content) = (self.ids.next::<File>(), self.content(asset, &seed.origin.file).await?);
                    let new = NewFile { filename: asset.name.clone(), purpose: Purpose::Assistants, expires_after: None };
                    self.knowledge.make_file_as(id.clone(), new, content).await?;
                    id
                }
            });
        }
        let file_ids = files.iter().map(Id::to_string).collect();
        let new =
            NewVectorStore { name: seed.name.clone(), metadata: seed.metadata.clone(), file_ids, ..NewVectorStore::default() };
        self.knowledge.make_store_as(seed.id.clone(), new).await?;
        // Whoever comes first finds everything ready.
        self.knowledge.settle(&[seed.id.to_string()]).await;
        Ok(())
    }

    async fn plant_assistant(&self, seed: &SeedAssistant) -> Result<(), Denied> {
        if !self.is_new(&seed.id).await? {
            return Ok(());
        }
        let mut new = seed.new.clone();
        if let Patch::Set(resources) = new.tool_resources() {
            self.knowledge.provide(resources).await?;
        }
        let mut changes = Changes::new();
        changes.insert_assistant(&Assistant::new(seed.id.clone(), self.now, new))?;
        self.store.write(changes).await?;
        Ok(())
    }

    async fn plant_thread(&self, seed: &SeedThread) -> Result<(), Denied> {
        if !self.is_new(&seed.id).await? {
            return Ok(());
        }
        let mut resources = ToolResources::default();
        self.knowledge.attach(&mut resources, &Attached::to(&seed.messages)).await?;
        let mut changes = Changes::new();
        changes.insert_thread(&Thread::new(seed.id.clone(), self.now, seed.metadata.clone(), resources))?;
        for new in &seed.messages {
            changes.insert_message(&Message::sent(self.ids.next(), self.now, seed.id.clone(), new.clone()), None)?;
        }
        self.store.write(changes).await?;
        Ok(())
    }
}
