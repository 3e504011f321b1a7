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
    fixture::{Fixtures, Pace},
    store::{self, Changes, Database, Store},
    types::{Assistant, Message, Thread, tool::ToolResources},
};

/// The session of requests that name none.
pub const DEFAULT_SESSION: &str = "default";

/// What the world of one session holds.
pub struct World {
    pub store: Store,
    pub clock: Clock,
    pub ids: Arc<Ids>,
    pub engine: Engine,
}

/// How worlds are made.
pub struct Making {
    pub database: Arc<Database>,
    pub fixtures: Arc<Fixtures>,
    pub unmatched: Unmatched,
    pub pace: Pace,
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
        let interrupted = making.database.sessions_with_open_runs().await?;
        let worlds = Self { making, by_name: Mutex::default() };
        worlds.enter(DEFAULT_SESSION).await?;
        for name in interrupted {
            worlds.enter(&name).await?;
        }
        Ok(worlds)
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
        let Making { database, fixtures, unmatched, pace, seed, clock } = &self.making;
        let (store, starts) = database.session(name).await?;
        let clock = clock.map_or_else(Clock::system, Clock::frozen);
        let ids = Arc::new(Ids::new(seed.unwrap_or_else(clock::random_seed), starts));
        plant(&store, &clock, &ids, fixtures).await?;
        let performer = Performer::new(Arc::clone(fixtures), *unmatched, *pace);
        let engine = Engine::new(store.clone(), clock.clone(), Arc::clone(&ids), performer);
        engine.resume().await?;
        Ok(Arc::new(World { store, clock, ids, engine }))
    }
}

/// Puts the seeds in. What exists already, from an earlier start, stays as it is.
async fn plant(store: &Store, clock: &Clock, ids: &Ids, fixtures: &Arc<Fixtures>) -> store::Result<()> {
    let now = clock.now().seconds();
    let seeds = fixtures.assistants.iter();
    let assistants: Vec<_> = seeds.map(|seed| Assistant::new(seed.id.clone(), now, seed.new.clone())).collect();
    let seeds = fixtures.threads.iter();
    let threads: Vec<_> = seeds
        .map(|seed| {
            let id = seed.id.clone();
            let messages = seed.messages.iter().cloned();
            let messages: Vec<_> = messages.map(|new| Message::sent(ids.next(), now, id.clone(), new)).collect();
            (Thread::new(id, now, seed.metadata.clone(), ToolResources::default()), messages)
        })
        .collect();
    let mut changes = Changes::new();
    for assistant in &assistants {
        if store.find::<Assistant>(&[assistant.id.to_string()]).await?.is_none() {
            changes.insert_assistant(assistant)?;
        }
    }
    for (thread, messages) in &threads {
        if store.find::<Thread>(&[thread.id.to_string()]).await?.is_none() {
            changes.insert_thread(thread)?;
            for message in messages {
                changes.insert_message(message, None)?;
            }
        }
    }
    store.write(changes).await?;
    Ok(())
}
