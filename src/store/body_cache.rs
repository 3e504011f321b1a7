//! A cache of bodies that were read or written: the next read of an object by its id does not wait
//! for the database.
//!
//! It contains only committed bodies. Before a batch is written, its objects leave the cache, and
//! none of them returns before the commit. The commit adds the bodies that the batch is known to
//! have written. A body that was read while a batch began or ended is not kept, because it may be
//! older. A batch that changes more than it names empties the cache.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use foldhash::HashSet;
use parking_lot::Mutex;
use quick_cache::{Weighter, sync::Cache};

use super::batch_loader::Table;
use crate::types::Version;

/// The maximum size of all bodies, in bytes.
const CAPACITY: u64 = 8 << 20;

/// The approximate number of objects of this size.
const OBJECTS: usize = 8_192;

/// The tables whose rows change only by a change that names them.
const TABLES: [&str; 5] = ["assistants", "threads", "messages", "runs", "run_steps"];

/// The objects of a batch, as sessions and ids.
pub(super) type Keys = HashSet<(i64, String)>;

/// The objects that a batch changes.
pub(super) enum Touched {
    Objects(Keys),
    /// More objects than it names.
    Anything,
}

/// An object in the form of a response.
#[derive(Clone, Debug)]
pub struct Shown {
    pub json: Bytes,
    /// Whether the object cannot change any more, so that nobody has to read it again.
    pub is_final: bool,
}

/// An object in the form of its row.
#[derive(Clone)]
pub(super) struct CachedBody(Arc<CachedObject>);

struct CachedObject {
    table: &'static str,
    /// The ids of the parents, then the object's own.
    ids: Vec<String>,
    body: Arc<str>,
    /// The forms for responses under v1 and under v2, after the first request for each.
    shown: [OnceLock<Shown>; 2],
}

impl CachedBody {
    pub(super) fn new(table: Table, ids: Vec<String>, body: Arc<str>) -> Self {
        Self(Arc::new(CachedObject { table: table.name, ids, body, shown: Default::default() }))
    }

    pub(super) fn body(&self) -> &Arc<str> {
        &self.0.body
    }

    /// The form for responses, which is then kept.
    pub(super) fn shown<E>(
        &self,
        version: Version,
        show: impl FnOnce() -> Result<Shown, E>,
    ) -> Result<Shown, E> {
        let kept = &self.0.shown[usize::from(version.is_v2())];
        if let Some(shown) = kept.get() {
            return Ok(shown.clone());
        }
        let shown = show()?;
        Ok(kept.get_or_init(|| shown).clone())
    }

    /// `None` if its row may change by a change that does not name it.
    fn key(&self, session: i64) -> Option<(i64, String)> {
        let id = self.0.ids.last().filter(|_| TABLES.contains(&self.0.table))?;
        Some((session, id.clone()))
    }
}

#[derive(Clone)]
struct ByLength;

impl Weighter<(i64, String), CachedBody> for ByLength {
    fn weight(&self, _: &(i64, String), entry: &CachedBody) -> u64 {
        // The form for responses is somewhat longer than the body.
        3 * entry.body().len() as u64 + 256
    }
}

/// The number of begins and ends of batches, and the objects of the open batch.
#[derive(Default)]
struct Changing {
    generation: u64,
    touched: Option<Touched>,
}

pub(super) struct BodyCache {
    entries: Cache<(i64, String), CachedBody, ByLength>,
    changing: Mutex<Changing>,
}

impl Default for BodyCache {
    fn default() -> Self {
        Self {
            entries: Cache::with_weighter(OBJECTS, CAPACITY, ByLength),
            changing: Mutex::default(),
        }
    }
}

impl BodyCache {
    /// The body of an object, if it is in the cache and has these parents.
    pub(super) fn get(&self, table: Table, session: i64, ids: &[String]) -> Option<CachedBody> {
        let entry = self.entries.get(&(session, ids.last()?.clone()))?;
        (entry.0.table == table.name && entry.0.ids == ids).then_some(entry)
    }

    /// Call this before the read from the database.
    pub(super) fn generation(&self) -> u64 {
        self.changing.lock().generation
    }

    /// Keeps a body that was read since this generation.
    pub(super) fn keep(&self, since: u64, session: i64, read: CachedBody) {
        let Some(key) = read.key(session) else { return };
        let changing = self.changing.lock();
        let is_changing = match &changing.touched {
            Some(Touched::Objects(keys)) => keys.contains(&key),
            Some(Touched::Anything) => true,
            None => false,
        };
        if changing.generation == since && !is_changing {
            self.entries.insert(key, read);
        }
    }

    /// Begins a batch. It ends with the guard, after the commit or the rollback.
    pub(super) fn change(&self, touched: Touched) -> ChangeGuard<'_> {
        let mut changing = self.changing.lock();
        changing.generation += 1;
        match &touched {
            Touched::Objects(keys) => keys.iter().for_each(|key| _ = self.entries.remove(key)),
            Touched::Anything => self.entries.clear(),
        }
        changing.touched = Some(touched);
        ChangeGuard(self)
    }
}

/// An open batch. There is only one at a time.
pub(super) struct ChangeGuard<'c>(&'c BodyCache);

impl ChangeGuard<'_> {
    /// Notes that the batch is committed and has written these bodies, each object once.
    pub(super) fn commit(self, written: impl IntoIterator<Item = (i64, CachedBody)>) {
        let changing = self.0.changing.lock();
        if let Some(Touched::Objects(_)) = changing.touched {
            for (session, body) in written {
                if let Some(key) = body.key(session) {
                    self.0.entries.insert(key, body);
                }
            }
        }
    }
}

impl Drop for ChangeGuard<'_> {
    fn drop(&mut self) {
        let mut changing = self.0.changing.lock();
        changing.generation += 1;
        changing.touched = None;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const THREADS: Table = Table { name: "threads", parents: &[] };

    /// The steps, in any order: each reader and the writer are in the middle of an operation.
    #[derive(Clone, Debug)]
    enum Step {
        /// A reader reads the generation.
        Ask(usize, u8),
        /// It reads the committed body.
        Read(usize),
        Keep(usize),
        Begin(Vec<u8>, bool),
        /// So many of its objects are known to be written.
        Commit(usize),
        RollBack,
        Look(u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let id = 0..3_u8;
        let step = prop_oneof![
            (0..3_usize, id.clone()).prop_map(|(reader, id)| Step::Ask(reader, id)),
            (0..3_usize).prop_map(Step::Read),
            (0..3_usize).prop_map(Step::Keep),
            (prop::collection::btree_set(id.clone(), 1..3), prop::bool::weighted(0.2))
                .prop_map(|(ids, wide)| Step::Begin(ids.into_iter().collect(), wide)),
            (0..4_usize).prop_map(Step::Commit),
            Just(Step::RollBack),
            id.prop_map(Step::Look),
        ];
        prop::collection::vec(step, 0..60)
    }

    #[derive(Clone, Default)]
    struct Reader {
        id: u8,
        since: u64,
        read: Option<u64>,
    }

    proptest! {
        /// For any order of the steps of readers and a writer, the cache contains only committed
        /// bodies.
        #[test]
        fn the_cache_has_only_committed_bodies(steps in steps()) {
            let cache = BodyCache::default();
            let ids = |id: u8| vec![format!("thread_{id}")];
            let body = |id, version: u64| {
                CachedBody::new(THREADS, ids(id), Arc::from(version.to_string()))
            };
            let mut committed = HashMap::from([(0, 0), (1, 0), (2, 0)]);
            let mut readers = vec![Reader::default(); 3];
            let mut batch: Option<(ChangeGuard<'_>, Vec<u8>)> = None;
            for step in steps {
                match step {
                    Step::Ask(reader, id) => {
                        readers[reader] = Reader { id, since: cache.generation(), read: None };
                    }
                    Step::Read(reader) => readers[reader].read = Some(committed[&readers[reader].id]),
                    Step::Keep(reader) => {
                        let Reader { id, since, read } = readers[reader].clone();
                        if let Some(read) = read {
                            cache.keep(since, 1, body(id, read));
                        }
                    }
                    Step::Begin(touched, wide) if batch.is_none() => {
                        let keys = touched.iter().map(|id| (1, format!("thread_{id}"))).collect();
                        let all = vec![0, 1, 2];
                        batch = Some(if wide {
                            (cache.change(Touched::Anything), all)
                        } else {
                            (cache.change(Touched::Objects(keys)), touched)
                        });
                    }
                    Step::Commit(known) => {
                        if let Some((guard, touched)) = batch.take() {
                            let mut written = Vec::new();
                            for id in touched {
                                let version = committed.get_mut(&id).unwrap();
                                *version += 1;
                                written.push((1, body(id, *version)));
                                // After the commit, before the end of the batch.
                                prop_assert!(cache.get(THREADS, 1, &ids(id)).is_none());
                            }
                            written.truncate(known);
                            guard.commit(written);
                        }
                    }
                    Step::RollBack => batch = None,
                    Step::Begin(..) => {}
                    Step::Look(id) => {
                        if let Some(found) = cache.get(THREADS, 1, &ids(id)) {
                            prop_assert_eq!(&**found.body(), committed[&id].to_string());
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn an_object_is_found_by_its_own_parents_only() {
        let table = Table { name: "messages", parents: &["thread_id"] };
        let ids = |thread: &str| vec![thread.to_owned(), "msg_1".to_owned()];
        let cache = BodyCache::default();
        let read = CachedBody::new(table, ids("thread_1"), Arc::from("{}"));
        cache.keep(cache.generation(), 1, read);
        assert!(cache.get(table, 1, &ids("thread_1")).is_some());
        assert!(cache.get(table, 1, &ids("thread_2")).is_none());
        assert!(cache.get(table, 2, &ids("thread_1")).is_none());
    }
}
