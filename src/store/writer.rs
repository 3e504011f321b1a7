//! The one writer: takes whatever writes are waiting, does them in one transaction and one command,
//! and answers them once that is committed. A thousand requests that wait together cost one commit.
//!
//! If a batch fails, it is rolled back and its writes are tried one by one, so that only those fail
//! which are at fault.

use std::collections::{HashMap, HashSet, VecDeque};

use futures_util::TryStreamExt;
use serde_json::Value;
use sqlx::{
    AssertSqlSafe, Connection, Either, Executor, Row, SqliteConnection, query::Query,
    sqlite::SqliteArguments,
};
use tokio::sync::{mpsc, oneshot};

use super::{
    changes::{Changes, Claim},
    error::{Error, Result},
    statements::Kind,
};

/// How many writes share a transaction at the most, so that nobody waits long for a commit.
const BATCH: usize = 256;

enum Job {
    Changes(Wanted),
    Alone(Alone),
}

/// Changes that somebody wants to be made, together with those of others.
struct Wanted {
    session: i64,
    changes: Changes,
    claims: HashSet<Claim>,
    answer: oneshot::Sender<Result<bool>>,
}

/// A statement and what is bound to it: numbers and texts.
pub(super) type Statement = (String, Vec<Value>);

/// Statements that have a transaction of their own.
struct Alone {
    statements: Vec<Statement>,
    answer: oneshot::Sender<Result<u64>>,
}

pub(super) struct Writer {
    jobs: mpsc::UnboundedSender<Job>,
}

impl Writer {
    /// Starts the writer's task. It ends when the writer is dropped and the writes that wait are
    /// done.
    pub(super) fn start(connection: SqliteConnection) -> Self {
        let (jobs, waiting) = mpsc::unbounded_channel();
        tokio::spawn(work(connection, waiting));
        Self { jobs }
    }

    /// Answers once the changes are committed: whether every row that had a condition met it.
    pub(super) async fn write(&self, session: i64, changes: Changes) -> Result<bool> {
        let (answer, answered) = oneshot::channel();
        let claims = changes.claims(session);
        self.jobs
            .send(Job::Changes(Wanted { session, changes, claims, answer }))
            .map_err(|_| Error::died())?;
        answered.await.unwrap_or_else(|_| Err(Error::died()))
    }

    /// Makes changes that are no rows of a kind. Answers, once they are committed, how many rows
    /// the last statement has changed.
    pub(super) async fn alone(&self, statements: Vec<Statement>) -> Result<u64> {
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job::Alone(Alone { statements, answer })).map_err(|_| Error::died())?;
        answered.await.unwrap_or_else(|_| Err(Error::died()))
    }
}

async fn work(mut connection: SqliteConnection, mut waiting: mpsc::UnboundedReceiver<Job>) {
    let mut commands = Commands::default();
    let mut received = Vec::with_capacity(BATCH);
    let mut queue = VecDeque::new();
    loop {
        if queue.is_empty() && waiting.recv_many(&mut received, BATCH).await == 0 {
            return;
        }
        queue.extend(received.drain(..));
        let (batch, alone) = next_batch(&mut queue);
        if let Some(Alone { statements, answer }) = alone {
            _ = answer.send(perform_alone(&mut connection, &statements).await);
        }
        let (rows, claims): (Vec<_>, Vec<_>) = batch.into_iter().map(Wanted::split).unzip();
        if rows.is_empty() {
            continue;
        }
        match commands.perform(&mut connection, rows.iter().flatten()).await {
            Ok(changed) => claims.into_iter().for_each(|claims| claims.answer(Ok(&changed))),
            Err(error) => {
                let writes = rows.len();
                tracing::warn!(%error, writes, "a batch failed: its writes are tried one by one");
                for (rows, claims) in rows.iter().zip(claims) {
                    match commands.perform(&mut connection, rows.iter()).await {
                        Ok(changed) => claims.answer(Ok(&changed)),
                        Err(error) => claims.answer(Err(error)),
                    }
                }
            }
        }
    }
}

/// Takes writes from the queue, but no two that claim the same row: which of them changed it could
/// not be told.
fn next_batch(queue: &mut VecDeque<Job>) -> (Vec<Wanted>, Option<Alone>) {
    let (mut claimed, mut batch, mut later) = (HashSet::new(), Vec::new(), VecDeque::new());
    for _ in 0..queue.len().min(BATCH) {
        match queue.pop_front() {
            Some(Job::Changes(wanted)) if wanted.claims.is_disjoint(&claimed) => {
                claimed.extend(wanted.claims.iter().cloned());
                batch.push(wanted);
            }
            // Whatever came before it is done before it.
            Some(Job::Alone(alone)) if batch.is_empty() && later.is_empty() => {
                return (batch, Some(alone));
            }
            Some(alone @ Job::Alone(_)) => {
                queue.push_front(alone);
                break;
            }
            Some(conflicting) => later.push_back(conflicting),
            None => break,
        }
    }
    while let Some(job) = later.pop_back() {
        queue.push_front(job);
    }
    (batch, None)
}

async fn perform_alone(connection: &mut SqliteConnection, statements: &[Statement]) -> Result<u64> {
    let mut transaction = connection.begin_with("begin immediate").await?;
    let mut changed = 0;
    for (sql, bound) in statements {
        let mut query = sqlx::query(AssertSqlSafe(sql.as_str()));
        for value in bound {
            query = match value {
                Value::String(text) => query.bind(text),
                other => query.bind(other.as_i64()),
            };
        }
        changed = query.execute(&mut *transaction).await?.rows_affected();
    }
    transaction.commit().await?;
    Ok(changed)
}

/// The rows of a job, with their kinds.
type Rows = Vec<(Kind, Value)>;

impl Wanted {
    fn split(self) -> (Rows, Claims) {
        let Self { session, changes, claims, answer } = self;
        let rows =
            changes.list.into_iter().map(|change| (change.kind, change.row(session))).collect();
        (rows, Claims { claims, answer })
    }
}

/// What a job wants to know of its batch.
struct Claims {
    claims: HashSet<Claim>,
    answer: oneshot::Sender<Result<bool>>,
}

impl Claims {
    fn answer(self, changed: Result<&HashSet<Claim>>) {
        // Whoever asked may have gone away; what was asked for is done all the same.
        _ = self.answer.send(changed.map(|changed| self.claims.is_subset(changed)));
    }
}

/// The text of the command for each set of kinds: SQLite prepares a text that it has seen only
/// once.
#[derive(Default)]
struct Commands {
    texts: HashMap<u64, String>,
}

impl Commands {
    /// Does all of it in one transaction, and answers which rows were changed.
    async fn perform<'r>(
        &mut self,
        connection: &mut SqliteConnection,
        rows: impl Iterator<Item = &'r (Kind, Value)>,
    ) -> Result<HashSet<Claim>> {
        let mut by_kind = [const { Vec::new() }; Kind::ALL.len()];
        for (kind, row) in rows {
            by_kind[*kind as usize].push(row);
        }
        let present =
            || Kind::ALL.iter().copied().filter(|kind| !by_kind[*kind as usize].is_empty());
        let mask = present().map(|kind| 1 << kind as u64).sum();
        let text = self.texts.entry(mask).or_insert_with(|| command(present()));
        let mut query = sqlx::query(AssertSqlSafe(text.as_str()));
        for kind in present() {
            let rows = serde_json::to_string(&by_kind[kind as usize]).expect("rows are JSON");
            query = query.bind(rows);
        }
        match run(connection, query).await {
            Ok(changed) => Ok(changed),
            Err(error) => {
                // The command broke off somewhere behind its `begin`.
                _ = connection.execute("rollback").await;
                Err(error)
            }
        }
    }
}

fn command(kinds: impl Iterator<Item = Kind>) -> String {
    let statements: String = kinds.map(|kind| format!("{};\n", kind.sql())).collect();
    format!("begin immediate;\n{statements}commit")
}

async fn run(
    connection: &mut SqliteConnection,
    query: Query<'_, sqlx::Sqlite, SqliteArguments>,
) -> Result<HashSet<Claim>> {
    let mut changed = HashSet::new();
    let mut results = connection.fetch_many(query);
    while let Some(result) = results.try_next().await? {
        if let Either::Right(row) = result {
            changed.insert((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
        }
    }
    Ok(changed)
}
