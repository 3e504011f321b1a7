//! The sessions in memory, by name, and the bound on their number.
//!
//! If the bound is reached, sessions that are idle and empty are dropped. Nobody works in them or
//! listens to them, and they have no objects, no snapshots and no added fixtures. A session with a
//! request in it is never dropped, and no stored object is lost: during the check of sessions,
//! requests that enter them wait.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::{OpenSession, SessionError};
use crate::store::{self, Database};

/// The slot of a session, once it is created.
pub(super) type Cell = Arc<OnceCell<Arc<OpenSession>>>;

/// When room is needed, one of so many sessions is dropped. So one check of all sessions makes room
/// for many requests.
const SHARE: usize = 16;

pub(super) struct Room {
    max: usize,
    places: Mutex<Places>,
    /// Locked by the one request that makes room.
    making: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Places {
    by_name: HashMap<String, Place>,
    /// The number of entries into sessions.
    entries: u64,
}

struct Place {
    cell: Cell,
    /// The number of the last entry into this session.
    entered: u64,
}

impl Places {
    fn existing(&mut self, name: &str) -> Option<Cell> {
        self.entries += 1;
        let place = self.by_name.get_mut(name)?;
        place.entered = self.entries;
        Some(Arc::clone(&place.cell))
    }

    fn cell(&mut self, name: &str) -> Cell {
        if let Some(cell) = self.existing(name) {
            return cell;
        }
        let place = Place { cell: Cell::default(), entered: self.entries };
        Arc::clone(&self.by_name.entry(name.to_owned()).or_insert(place).cell)
    }
}

impl Place {
    /// Whether its session could not be created, and no request is creating it now.
    fn is_vacant(&self) -> bool {
        Arc::strong_count(&self.cell) == 1 && self.cell.get().is_none()
    }

    /// The session, if nobody else uses it.
    fn idle(&self) -> Option<&Arc<OpenSession>> {
        let session = self.cell.get().filter(|_| Arc::strong_count(&self.cell) == 1)?;
        let is_idle = Arc::strong_count(session) == 1
            && !session.events.is_heard()
            && session.fixtures.additions().is_empty();
        is_idle.then_some(session)
    }
}

impl Room {
    pub(super) fn new(max: usize) -> Self {
        Self { max, places: Mutex::default(), making: tokio::sync::Mutex::default() }
    }

    /// The slot of a session, even beyond the bound.
    pub(super) fn cell(&self, name: &str) -> Cell {
        self.places.lock().cell(name)
    }

    /// The slot of a session, if it has one or there is room for it.
    pub(super) async fn bounded_cell(
        &self,
        name: &str,
        database: &Database,
    ) -> Result<Cell, SessionError> {
        if let Some(cell) = self.cell_within_bound(name) {
            return Ok(cell);
        }
        let _alone = self.making.lock().await;
        // Another request may have made room in the meantime.
        if let Some(cell) = self.cell_within_bound(name) {
            return Ok(cell);
        }
        self.make_room(database).await?;
        self.cell_within_bound(name).ok_or(SessionError::TooMany { max: self.max })
    }

    fn cell_within_bound(&self, name: &str) -> Option<Cell> {
        let mut places = self.places.lock();
        if places.by_name.len() < self.max {
            return Some(places.cell(name));
        }
        places.existing(name)
    }

    /// Drops empty sessions, the least recently entered first.
    async fn make_room(&self, database: &Database) -> store::Result<()> {
        let unchanged: HashMap<String, _> = {
            let mut places = self.places.lock();
            places.by_name.retain(|_, place| !place.is_vacant());
            let idle = places.by_name.values().filter_map(Place::idle);
            idle.filter_map(|session| {
                let alone = Arc::clone(&session.swap_lock).try_write_owned().ok()?;
                Some((session.name.clone(), alone))
            })
            .collect()
        };
        let empty = database.empty_sessions().await?;
        let mut places = self.places.lock();
        let droppable = places.by_name.iter().filter(|(name, place)| {
            // A request that entered in the meantime waits for the lock, and holds the session.
            unchanged.contains_key(*name) && empty.contains(*name) && place.idle().is_some()
        });
        let mut droppable: Vec<(u64, String)> =
            droppable.map(|(name, place)| (place.entered, name.clone())).collect();
        droppable.sort_unstable();
        droppable.truncate(self.max.div_ceil(SHARE));
        for (_, name) in droppable {
            places.by_name.remove(&name);
        }
        Ok(())
    }

    /// A session in memory. This does not count as an entry.
    pub(super) fn find(&self, name: &str) -> Option<Arc<OpenSession>> {
        self.places.lock().by_name.get(name).and_then(|place| place.cell.get().cloned())
    }

    /// Removes a session. The next request that enters it creates it again.
    pub(super) fn remove(&self, session: &Arc<OpenSession>) {
        let mut places = self.places.lock();
        // Another session may have its name now.
        let is_it = |place: &Place| place.cell.get().is_some_and(|it| Arc::ptr_eq(it, session));
        if places.by_name.get(&session.name).is_some_and(is_it) {
            places.by_name.remove(&session.name);
        }
    }

    pub(super) fn count(&self) -> usize {
        self.places.lock().by_name.len()
    }

    pub(super) fn sessions(&self) -> Vec<Arc<OpenSession>> {
        let places = self.places.lock();
        places.by_name.values().filter_map(|place| place.cell.get().cloned()).collect()
    }
}
