//! The storage, in SQLite. This is the only module with SQL. It knows no HTTP and no state machine.
//!
//! A `Database` is the file. A `Store` is one session's view of it: it reads and writes only rows
//! of that session. Reads go to a pool of connections that never wait for a writer. Writes go
//! through one writer, which commits all waiting writes together (see `writer.rs`). This file has
//! the generic queries of all resources; `runs.rs` has the few queries for runs only.

mod batch_loader;
pub(crate) mod blobs;
mod body_cache;
mod changes;
mod copying;
mod database;
mod deleted_parents;
mod error;
mod events;
mod file_lock;
mod files;
mod index;
mod migrations;
mod open;
mod purge;
mod readers;
mod recovery;
mod responses;
mod runs;
mod sessions;
mod table;
mod temporary;
mod threads;
mod version;
mod writer;

use std::{convert::Infallible, sync::Arc};

use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use self::{
    batch_loader::Table,
    body_cache::CachedBody,
    table::{parse, rows_of},
};
pub(crate) use self::{
    body_cache::Shown,
    changes::{Changeable, Changes, Chunk, Deletable, FilePlace, Ready},
    database::Database,
    error::{Result, StoreError},
    index::{Term, mark_of},
    open::OpenError,
    recovery::Recovery,
    responses::OpenResponse,
    runs::{OpenRun, PerformerInputs, RunBackground, ThreadEnd, ThreadState},
    sessions::{Prepared, RowLease, Snapshot},
    table::Stored,
    threads::{ThreadBackground, ThreadFilter},
    version::sqlite_version,
};
use crate::event_bus::EventBus;
use crate::types::{Id, Order, Page, Version, list::PageRequest, resource::ResourceKey};

/// A page of a list, or the cursor that does not exist.
#[derive(Debug)]
pub enum Paged<T> {
    Page(Page<T>),
    UnknownCursor(String),
}

/// Limits a query to the children of a parent: pairs of column and id.
pub(crate) type Within<'a> = &'a [(&'static str, &'a str)];

/// One session's view of the database.
#[derive(Clone)]
pub struct Store {
    database: Arc<Database>,
    session: i64,
    /// The channel for the events of changes.
    bus: EventBus,
}

impl Store {
    /// An object by its id and those of its parents, as `T::PATH` names them.
    pub async fn find<T: Stored>(&self, key: &T::Key) -> Result<Option<T>> {
        self.find_cached::<T>(key).await?.map(|found| parse(found.body())).transpose()
    }

    /// An object, and its stored body.
    pub async fn find_stored<T: Stored>(&self, key: &T::Key) -> Result<Option<(T, Arc<str>)>> {
        let Some(body) = self.find_body::<T>(key).await? else { return Ok(None) };
        Ok(Some((parse(&body)?, body)))
    }

    /// An object as answers under this version show it. The output of `show` is cached with it.
    pub async fn find_shown<T: Stored>(
        &self,
        key: &T::Key,
        version: Version,
        show: impl FnOnce(T) -> Shown,
    ) -> Result<Option<Shown>> {
        let Some(found) = self.find_cached::<T>(key).await? else { return Ok(None) };
        found.shown(version, || parse(found.body()).map(show)).map(Some)
    }

    async fn find_body<T: Stored>(&self, key: &T::Key) -> Result<Option<Arc<str>>> {
        Ok(self.find_cached::<T>(key).await?.map(|found| Arc::clone(found.body())))
    }

    async fn find_cached<T: Stored>(&self, key: &T::Key) -> Result<Option<CachedBody>> {
        let table = Table::of::<T>();
        let ids: Vec<_> = key.ids().into_iter().map(str::to_owned).collect();
        let cache = &self.database.bodies;
        if let Some(found) = cache.get(table, self.session, &ids) {
            return Ok(Some(found));
        }
        let since = cache.generation();
        let body = self.database.loader().find(table, self.session, ids.clone()).await?;
        let found = body.map(|body| CachedBody::new(table, ids, body.into()));
        Ok(found.inspect(|found| cache.keep(since, self.session, found.clone())))
    }

    pub async fn list<T: Stored>(
        &self,
        within: Within<'_>,
        page: &PageRequest,
    ) -> Result<Paged<T>> {
        list(&mut *self.database.reader().await?, self.session, within, None, page).await
    }

    /// Makes the changes. Returns, after the commit, whether every row with a condition met it.
    pub async fn write(&self, changes: Changes) -> Result<bool> {
        self.database.writer().write(self.session, &self.bus, changes).await
    }

    /// The same view, which publishes its changes here.
    pub fn telling(self, bus: EventBus) -> Self {
        Self { bus, ..self }
    }

    /// Changes an object. No other change is lost: if the object has changed meanwhile, this makes
    /// the change again. `None` if it does not exist. A change that `change` rejects has no effect.
    pub async fn change<T: Changeable, E>(
        &self,
        key: &T::Key,
        change: impl Fn(&mut T) -> Result<(), E> + Send,
    ) -> Result<Option<Result<T, E>>> {
        loop {
            let Some(was) = self.find_body::<T>(key).await? else { return Ok(None) };
            let mut item = parse(&was)?;
            if let Err(refused) = change(&mut item) {
                return Ok(Some(Err(refused)));
            }
            let mut changes = Changes::new();
            changes.swap(&item, &was)?;
            if self.write(changes).await? {
                return Ok(Some(Ok(item)));
            }
        }
    }

    /// Changes an object without a possible rejection. `None` if it does not exist.
    pub async fn update<T: Changeable>(
        &self,
        key: &T::Key,
        update: impl Fn(&mut T) + Send + Sync,
    ) -> Result<Option<T>> {
        let changed = self.change(key, |item: &mut T| {
            update(item);
            Ok::<_, Infallible>(())
        });
        Ok(changed.await?.map(|Ok(item)| item))
    }

    /// Returns whether there was something to delete. The children are deleted with it, or later.
    pub async fn delete<T: Deletable>(&self, id: &Id<T>) -> Result<bool> {
        if self.has_many_children(id).await? {
            return self.delete_before_children(id).await;
        }
        let mut changes = Changes::new();
        changes.delete(id);
        self.write(changes).await
    }
}

/// ` and thread_id = ?` for each of the parents.
fn conditions(within: Within<'_>) -> String {
    within.iter().map(|(column, _)| format!(" and {column} = ?")).collect()
}

/// Limits a list to rows with a text. In the condition, each `?` is the text.
#[derive(Clone, Copy)]
struct Search<'a> {
    condition: &'static str,
    text: &'a str,
}

async fn list<T: Stored>(
    connection: &mut SqliteConnection,
    session: i64,
    within: Within<'_>,
    search: Option<Search<'_>>,
    page: &PageRequest,
) -> Result<Paged<T>> {
    // Only the parents limit the cursor: it may no longer meet the other conditions of the list.
    let parents: Vec<_> =
        within.iter().copied().filter(|(column, _)| T::PATH.contains(column)).collect();
    let mut bounds = [None, None];
    for (bound, cursor) in bounds.iter_mut().zip([&page.after, &page.before]) {
        if let Some(id) = cursor {
            match place_of::<T>(connection, session, id, &parents).await? {
                Some(seq) => *bound = Some(seq),
                None => return Ok(Paged::UnknownCursor(id.clone())),
            }
        }
    }
    let [after, before] = bounds;
    // `before` alone requests the page that ends at the cursor, so this reads backwards from there.
    let backwards = before.is_some() && after.is_none();
    let ascending = (page.order == Order::Ascending) != backwards;
    let (lower, upper) =
        if page.order == Order::Ascending { (after, before) } else { (before, after) };
    let sql = format!(
        "select body from {} where session = ?{}{} and seq > ? and seq < ? order by seq {} limit ?",
        T::TABLE,
        conditions(within),
        search.map_or("", |search| search.condition),
        if ascending { "asc" } else { "desc" },
    );
    let query = within
        .iter()
        .map(|(_, id)| *id)
        .chain(
            search
                .into_iter()
                .flat_map(|Search { condition, text }| condition.matches('?').map(move |_| text)),
        )
        .fold(sqlx::query(AssertSqlSafe(sql)).bind(session), |query, text| query.bind(text))
        .bind(lower.unwrap_or(i64::MIN))
        .bind(upper.unwrap_or(i64::MAX))
        // One row more than requested shows whether there are more.
        .bind(page.limit + 1);
    let rows = rows_of(query, connection).await?;
    let asked = usize::try_from(page.limit).unwrap_or(0);
    let has_more = rows.len() > asked;
    let items = rows.iter().take(asked).map(|row| parse(row.try_get(0)?));
    let mut items = items.collect::<Result<Vec<T>>>()?;
    if backwards {
        items.reverse();
    }
    Ok(Paged::Page(Page { items, has_more }))
}

async fn place_of<T: Stored>(
    connection: &mut SqliteConnection,
    session: i64,
    id: &str,
    within: Within<'_>,
) -> Result<Option<i64>> {
    let sql =
        format!("select seq from {} where session = ?{} and id = ?", T::TABLE, conditions(within));
    let query = sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql)).bind(session);
    let query = within.iter().fold(query, |query, (_, id)| query.bind(*id)).bind(id);
    Ok(query.fetch_optional(connection).await?)
}
