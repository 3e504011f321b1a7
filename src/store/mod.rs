//! What is kept, in SQLite. The only room with SQL; it knows no HTTP and no state machine.
//!
//! A `Database` is the file. A `Store` is one session's view of it: every row it reads or writes is
//! that session's. Reads go to a pool of connections that never wait for a writer; writes go through one
//! writer, which commits what is waiting together (see `writer.rs`). The generic questions that every
//! resource asks stand here, once; `runs.rs` has the few that only runs ask.

mod database;
mod runs;
mod writer;

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection, query::QueryScalar, sqlite::SqliteArguments};

pub use self::{
    database::{Database, OpenError},
    runs::{OpenRun, Surroundings},
};
use crate::types::{Assistant, Id, Message, Order, Page, Resource, Run, Step, Thread, list::PageRequest};

/// A resource that has a table. Its columns for the parents are named as in `Resource::PATH`.
pub trait Stored: Resource {
    const TABLE: &'static str;
}

impl Stored for Assistant {
    const TABLE: &'static str = "assistants";
}

impl Stored for Thread {
    const TABLE: &'static str = "threads";
}

impl Stored for Message {
    const TABLE: &'static str = "messages";
}

impl Stored for Run {
    const TABLE: &'static str = "runs";
}

impl Stored for Step {
    const TABLE: &'static str = "run_steps";
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error("the body of {id} in {table} does not parse")]
    Corrupt { table: &'static str, id: String, source: serde_json::Error },
    #[error("the database is closed")]
    Closed,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A page of a list, or the cursor that does not exist.
#[derive(Debug)]
pub enum Paged<T> {
    Page(Page<T>),
    UnknownCursor(String),
}

/// Narrows a question to the children of some parent: pairs of column and id.
pub type Within<'a> = &'a [(&'static str, &'a str)];

/// One session's view of the database.
#[derive(Clone)]
pub struct Store {
    database: Arc<Database>,
    session: i64,
}

/// A write transaction of one session. Whoever writes in it checks first and writes after: a job that
/// fails after it has written takes the whole batch with it.
pub struct Tx<'c> {
    connection: &'c mut SqliteConnection,
    session: i64,
    wrote: bool,
}

impl Store {
    pub async fn find<T: Stored>(&self, id: &str, within: Within<'_>) -> Result<Option<T>> {
        find(&mut *self.database.reader().await?, self.session, id, within).await
    }

    pub async fn list<T: Stored>(&self, within: Within<'_>, page: &PageRequest) -> Result<Paged<T>> {
        list(&mut *self.database.reader().await?, self.session, within, page).await
    }

    /// Runs a job in the writer's next transaction and answers once that is committed. A job that
    /// fails changes nothing.
    pub async fn write<R, E, F>(&self, job: F) -> Result<R, E>
    where
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<R, E> + Send + 'static,
        R: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.database.writer().write(self.session, job).await
    }
}

impl Tx<'_> {
    pub async fn find<T: Stored>(&mut self, id: &str, within: Within<'_>) -> Result<Option<T>> {
        find(self.connection, self.session, id, within).await
    }

    pub async fn insert<T: Stored>(&mut self, item: &T) -> Result<()> {
        self.wrote = true;
        let sql = format!("insert into {} (session, body) values (?, ?)", T::TABLE);
        sqlx::query(AssertSqlSafe(sql)).bind(self.session).bind(body_of(item)?).execute(&mut *self.connection).await?;
        Ok(())
    }

    /// Writes the new state of an item, or the item itself if it is new.
    pub async fn put<T: Stored>(&mut self, item: &T) -> Result<()> {
        self.wrote = true;
        let sql = format!(
            "insert into {} (session, body) values (?, ?) on conflict (session, id) do update set body = excluded.body",
            T::TABLE
        );
        sqlx::query(AssertSqlSafe(sql)).bind(self.session).bind(body_of(item)?).execute(&mut *self.connection).await?;
        Ok(())
    }

    /// Answers whether there was something to delete. Children go with it.
    pub async fn delete<T: Stored>(&mut self, id: &Id<T>) -> Result<bool> {
        self.wrote = true;
        let sql = format!("delete from {} where session = ? and id = ?", T::TABLE);
        let done = sqlx::query(AssertSqlSafe(sql)).bind(self.session).bind(id.as_str()).execute(&mut *self.connection).await?;
        Ok(done.rows_affected() > 0)
    }
}

fn body_of<T: Stored>(item: &T) -> Result<String> {
    serde_json::to_string(item).map_err(|source| corrupt::<T>(item.id().as_str(), source))
}

fn parse<T: Stored>(body: &str) -> Result<T> {
    serde_json::from_str(body).map_err(|source| corrupt::<T>("a row", source))
}

fn corrupt<T: Stored>(id: &str, source: serde_json::Error) -> Error {
    Error::Corrupt { table: T::TABLE, id: id.to_owned(), source }
}

/// ` and thread_id = ?` for each of the parents.
fn conditions(within: Within<'_>) -> String {
    within.iter().map(|(column, _)| format!(" and {column} = ?")).collect()
}

fn bind_all<'q, O>(
    query: QueryScalar<'q, Sqlite, O, SqliteArguments>,
    session: i64,
    within: Within<'q>,
) -> QueryScalar<'q, Sqlite, O, SqliteArguments>
where
    (O,): for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow>,
{
    within.iter().fold(query.bind(session), |query, (_, value)| query.bind(*value))
}

async fn find<T: Stored>(connection: &mut SqliteConnection, session: i64, id: &str, within: Within<'_>) -> Result<Option<T>> {
    let sql = format!("select body from {} where session = ?{} and id = ?", T::TABLE, conditions(within));
    let query = bind_all(sqlx::query_scalar::<_, String>(AssertSqlSafe(sql)), session, within).bind(id);
    query.fetch_optional(connection).await?.map(|body| parse(&body)).transpose()
}

async fn list<T: Stored>(
    connection: &mut SqliteConnection,
    session: i64,
    within: Within<'_>,
    page: &PageRequest,
) -> Result<Paged<T>> {
    let mut bounds = [None, None];
    for (bound, cursor) in bounds.iter_mut().zip([&page.after, &page.before]) {
        if let Some(id) = cursor {
            match place_of::<T>(connection, session, id, within).await? {
                Some(seq) => *bound = Some(seq),
                None => return Ok(Paged::UnknownCursor(id.clone())),
            }
        }
    }
    let [after, before] = bounds;
    // `before` alone asks for the page that ends at the cursor, so it is walked from there backwards.
    let backwards = before.is_some() && after.is_none();
    let ascending = (page.order == Order::Ascending) != backwards;
    let (lower, upper) = if page.order == Order::Ascending { (after, before) } else { (before, after) };
    let sql = format!(
        "select body from {} where session = ?{} and seq > ? and seq < ? order by seq {} limit ?",
        T::TABLE,
        conditions(within),
        if ascending { "asc" } else { "desc" },
    );
    let query = bind_all(sqlx::query_scalar::<_, String>(AssertSqlSafe(sql)), session, within)
        .bind(lower.unwrap_or(i64::MIN))
        .bind(upper.unwrap_or(i64::MAX))
        // One row more than asked for tells whether there are more.
        .bind(page.limit + 1);
    let bodies = query.fetch_all(connection).await?;
    let asked = usize::try_from(page.limit).unwrap_or(0);
    let has_more = bodies.len() > asked;
    let mut items = bodies.iter().take(asked).map(|body| parse(body)).collect::<Result<Vec<T>>>()?;
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
    let sql = format!("select seq from {} where session = ?{} and id = ?", T::TABLE, conditions(within));
    let query = bind_all(sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql)), session, within).bind(id);
    Ok(query.fetch_optional(connection).await?)
}
