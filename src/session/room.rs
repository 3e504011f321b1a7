//! The sessions in memory, by name, and the bound on their number.
//!
//! When the bound is reached, idle sessions that hold nothing make room: nobody works in them or
//! listens to them, and they have no objects, no snapshots and no added fixtures. No session is
//! dropped that a request has entered, and nothing that a request stored is lost: while sessions
//! are looked at, requests that enter them wait.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::{OpenSession, SessionError};
use crate::store::{self, Database};

/// Where a session is, once it is made.
pub(super) type Cell = Arc<OnceCell<Arc<OpenSession>>>;

/// Of how many sessions one is dropped when room is needed: a look at all of them makes room for
/// many requests.
const SHARE: usize = 16;

pub(super) struct Room {
    max: usize,
    places: Mutex<Places>,
    /// Held by the one request that makes room.
    making: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Places {
    by_name: HashMap<String, Place>,
    /// How often a session was entered.
    entries: u64,
}

struct Place {
    cell: Cell,
    /// Which entry was the last into this session.
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
    /// Whether it is of a session that could not be made, and that nobody is making now.
    fn is_vacant(&self) -> bool {
        Arc::strong_count(&self.cell) == 1 && self.cell.get().is_none()
    }

    /// The session, if nobody else has it.
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

    /// The place of a session, also beyond the bound.
    pub(super) fn cell(&self, name: &str) -> Cell {
        self.places.lock().cell(name)
    }

    /// The place of a session, if it has one or there is room for it.
    pub(super) async fn bounded_cell(
        &self,
        name: &str,
        database: &Database,
    ) -> Result<Cell, SessionError> {
        if let Some(cell) = self.cell_within_bound(name) {
            return Ok(cell);
        }
        let _alone = self.making.lock().await;
        // Another request may have made room meanwhile.
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

    /// Drops sessions that hold nothing, those first that were left longest ago.
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
            // Who entered it meanwhile waits for the lock, and has the session.
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

    /// A session that is in memory. Nobody enters it by that.
    pub(super) fn find(&self, name: &str) -> Option<Arc<OpenSession>> {
        self.places.lock().by_name.get(name).and_then(|place| place.cell.get().cloned())
    }

    /// Forgets a session. The next request that enters it makes it again.
    pub(super) fn remove(&self, session: &Arc<OpenSession>) {
        let mut places = self.places.lock();
        // Another one may have its name by now.
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
