//! Bodies that were read or written, kept in memory: the next read of an object by its id does not
//! wait for the database.
//!
//! It never has anything else than what is committed. Before a batch is written its objects go from
//! the cache, and until it is committed none of them comes back; with the commit comes what the batch
//! is known to have written. A body that was read while a batch began or ended is not kept, because
//! it may be older than that. A batch that changes more than it names empties the cache.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use foldhash::HashSet;
use parking_lot::Mutex;
use quick_cache::{Weighter, sync::Cache};

use super::batch_loader::Table;
use crate::types::Version;

/// How much all bodies may have, in bytes.
const CAPACITY: u64 = 8 << 20;

/// About how many objects that is.
const OBJECTS: usize = 8_192;

/// The tables whose rows change by nothing but a change that names them.
const TABLES: [&str; 5] = ["assistants", "threads", "messages", "runs", "run_steps"];

/// The objects of a batch: sessions and ids.
pub(super) type Keys = HashSet<(i64, String)>;

/// What a batch changes.
pub(super) enum Touched {
    Objects(Keys),
    /// More than it names.
    Anything,
}

/// An object as an answer shows it.
#[derive(Clone, Debug)]
pub struct Shown {
    pub json: Bytes,
    /// Whether nobody has to look again: it stays as it is.
    pub is_final: bool,
}

/// An object, as its row has it.
#[derive(Clone)]
pub(super) struct CachedBody(Arc<CachedObject>);

struct CachedObject {
    table: &'static str,
    /// The ids of the parents, then the object's own.
    ids: Vec<String>,
    body: Arc<str>,
    /// As answers show it, under v1 and under v2, once somebody has asked.
    shown: [OnceLock<Shown>; 2],
}

impl CachedBody {
    pub(super) fn new(table: Table, ids: Vec<String>, body: Arc<str>) -> Self {
        Self(Arc::new(CachedObject { table: table.name, ids, body, shown: Default::default() }))
    }

    pub(super) fn body(&self) -> &Arc<str> {
        &self.0.body
    }

    /// What an answer shows, which is kept.
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

    /// None if its row may change without a change that names it.
    fn key(&self, session: i64) -> Option<(i64, String)> {
        let id = self.0.ids.last().filter(|_| TABLES.contains(&self.0.table))?;
        Some((session, id.clone()))
    }
}

#[derive(Clone)]
struct ByLength;

impl Weighter<(i64, String), CachedBody> for ByLength {
    fn weight(&self, _: &(i64, String), entry: &CachedBody) -> u64 {
        // What answers show is somewhat longer than the body.
        3 * entry.body().len() as u64 + 256
    }
}

/// How often a batch began or ended, and what the one changes that is under way.
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
    /// The body of an object, if it is here and has these parents.
    pub(super) fn get(&self, table: Table, session: i64, ids: &[String]) -> Option<CachedBody> {
        let entry = self.entries.get(&(session, ids.last()?.clone()))?;
        (entry.0.table == table.name && entry.0.ids == ids).then_some(entry)
    }

    /// To be asked before the database is.
    pub(super) fn generation(&self) -> u64 {
        self.changing.lock().generation
    }

    /// Keeps what was read since then.
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

    /// A batch begins. It ends with the guard, when it is committed or rolled back.
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

/// A batch that is under way. There is one at a time.
pub(super) struct ChangeGuard<'c>(&'c BodyCache);

impl ChangeGuard<'_> {
    /// The batch is committed, and has written these, each object once.
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

    /// What happens, in any order: readers and the writer are each in the middle of something.
    #[derive(Clone, Debug)]
    enum Step {
        /// A reader looks at the generation.
        Ask(usize, u8),
        /// It sees what is committed.
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
        /// However readers and a writer go on beside each other, what the cache has is what is
        /// committed.
        #[test]
        fn the_cache_has_what_is_committed_or_nothing(steps in steps()) {
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
                                // Between the commit and the end of the batch.
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
