//! The one writer. It takes all waiting writes, does them in one transaction and one command, and
//! answers them after the commit. A thousand requests that wait together cost one commit.
//!
//! If a batch fails, the writer rolls it back and tries its writes one by one. So only the faulty
//! ones fail.

use std::{collections::VecDeque, mem, sync::Arc, time::Duration};

use foldhash::{HashMap, HashSet};
use futures_util::TryStreamExt;
use serde_json::Value;
use sqlx::{
    AssertSqlSafe, Connection, Either, Executor, Row, SqliteConnection, query::Query,
    sqlite::SqliteArguments,
};
use tokio::sync::{mpsc, oneshot};

use super::{
    body_cache::{BodyCache, Touched},
    changes::{Changes, IN_ORDER, RowKey, Written},
    error::{Result, StoreError},
    events::StoreEvent,
};
use crate::event_bus::EventBus;

/// How many writes share a transaction at most, so that no request waits long for a commit.
const BATCH: usize = 256;

/// How long the writer must be quiet before it moves its writes into the database file.
const QUIET: Duration = Duration::from_secs(1);

enum WriteJob {
    Changes(PendingWrite),
    Alone(ExclusiveWrite),
}

/// The changes of one request, which share a transaction with those of others.
struct PendingWrite {
    session: i64,
    changes: Changes,
    row_keys: HashSet<RowKey>,
    /// The channel for the events of the changes.
    bus: EventBus,
    answer: oneshot::Sender<Result<bool>>,
}

/// A statement and its parameters: numbers and texts.
pub(super) type Statement = (String, Vec<Value>);

/// Work that shares no transaction.
struct ExclusiveWrite {
    work: ExclusiveWork,
    answer: oneshot::Sender<Result<u64>>,
}

enum ExclusiveWork {
    /// Statements that have a transaction of their own.
    Statements(Vec<Statement>),
    /// The same, but the children of the deleted rows stay.
    Orphan(Vec<Statement>),
    /// From here on the writes of a session wait.
    Hold(i64),
    /// The writes of a session wait no longer.
    Release(i64),
    /// Moves the write-ahead log into the file, and truncates the log.
    Checkpoint,
}

pub(super) struct Writer {
    jobs: mpsc::UnboundedSender<WriteJob>,
    keeps_file: bool,
}

impl Writer {
    /// Starts the writer's task. The task ends when the writer is dropped and the waiting writes
    /// are done. A writer that keeps a file moves the write-ahead log into it whenever it is quiet.
    pub(super) fn start(
        connection: SqliteConnection,
        bodies: Arc<BodyCache>,
        keeps_file: bool,
    ) -> Self {
        let (jobs, waiting) = mpsc::unbounded_channel();
        tokio::spawn(work(connection, bodies, waiting, keeps_file));
        Self { jobs, keeps_file }
    }

    /// Moves the whole write-ahead log into the file, if there is a file to keep.
    pub(super) async fn checkpoint(&self) -> Result<()> {
        if self.keeps_file {
            self.alone(ExclusiveWork::Checkpoint).await?;
        }
        Ok(())
    }

    /// Returns, after the commit, whether every row with a condition met it.
    pub(super) async fn write(
        &self,
        session: i64,
        bus: &EventBus,
        changes: Changes,
    ) -> Result<bool> {
        if changes.is_empty() {
            return Ok(true);
        }
        let (answer, answered) = oneshot::channel();
        let (row_keys, bus) = (changes.row_keys(session), bus.clone());
        let pending = PendingWrite { session, changes, row_keys, bus, answer };
        self.jobs.send(WriteJob::Changes(pending)).map_err(|_| StoreError::died())?;
        answered.await.unwrap_or_else(|_| Err(StoreError::died()))
    }

    /// Makes changes that are no rows of a kind. Returns, after the commit, how many rows the last
    /// statement has changed.
    pub(super) async fn exclusive(&self, statements: Vec<Statement>) -> Result<u64> {
        self.alone(ExclusiveWork::Statements(statements)).await
    }

    /// The same, but the children of the deleted rows stay.
    pub(super) async fn orphan(&self, statements: Vec<Statement>) -> Result<u64> {
        self.alone(ExclusiveWork::Orphan(statements)).await
    }

    /// From here on the writes of a session wait, until the guard is dropped.
    pub(super) async fn hold(&self, session: i64) -> Result<HeldWrites> {
        self.alone(ExclusiveWork::Hold(session)).await?;
        Ok(HeldWrites { session, jobs: self.jobs.clone() })
    }

    async fn alone(&self, work: ExclusiveWork) -> Result<u64> {
        let (job, answered) = alone(work);
        self.jobs.send(job).map_err(|_| StoreError::died())?;
        answered.await.unwrap_or_else(|_| Err(StoreError::died()))
    }
}

fn alone(work: ExclusiveWork) -> (WriteJob, oneshot::Receiver<Result<u64>>) {
    let (answer, answered) = oneshot::channel();
    (WriteJob::Alone(ExclusiveWrite { work, answer }), answered)
}

/// As long as it exists, the writes of one session wait, and those of others do not.
pub(super) struct HeldWrites {
    session: i64,
    jobs: mpsc::UnboundedSender<WriteJob>,
}

impl Drop for HeldWrites {
    fn drop(&mut self) {
        // Without a writer nothing waits.
        _ = self.jobs.send(alone(ExclusiveWork::Release(self.session)).0);
    }
}

/// The next writes, and those that wait because their session is held.
#[derive(Default)]
struct WriteQueue {
    next: VecDeque<WriteJob>,
    held: HashMap<i64, Vec<WriteJob>>,
}

impl WriteQueue {
    fn extend(&mut self, jobs: impl Iterator<Item = WriteJob>) {
        for job in jobs {
            match &job {
                WriteJob::Changes(pending) if self.held.contains_key(&pending.session) => {
                    self.held.entry(pending.session).or_default().push(job);
                }
                _ => self.next.push_back(job),
            }
        }
    }

    /// Writes that came after the hold may be in the queue already.
    fn hold(&mut self, session: i64) {
        self.held.entry(session).or_default();
        let queued = mem::take(&mut self.next);
        self.extend(queued.into_iter());
    }

    fn release(&mut self, session: i64) {
        self.next.extend(self.held.remove(&session).into_iter().flatten());
    }
}

async fn work(
    mut connection: SqliteConnection,
    bodies: Arc<BodyCache>,
    mut waiting: mpsc::UnboundedReceiver<WriteJob>,
    keeps_file: bool,
) {
    let mut is_behind = false;
    let mut commands = Commands::default();
    let mut received = Vec::with_capacity(BATCH);
    let mut queue = WriteQueue::default();
    loop {
        if queue.next.is_empty() {
            if is_behind && is_quiet(&mut waiting, &mut received).await {
                // A copy of the file alone has all but the last second.
                if let Err(error) = connection.execute("pragma wal_checkpoint(passive)").await {
                    tracing::warn!(%error, "cannot move the write-ahead log into the database");
                }
            }
            if received.is_empty() && waiting.recv_many(&mut received, BATCH).await == 0 {
                return;
            }
        }
        is_behind = keeps_file;
        queue.extend(received.drain(..));
        let (batch, exclusive) = next_batch(&mut queue.next);
        if let Some(ExclusiveWrite { work, answer }) = exclusive {
            let done = match work {
                ExclusiveWork::Statements(statements) => {
                    let _change = bodies.change(Touched::Anything);
                    perform_alone(&mut connection, &statements).await
                }
                ExclusiveWork::Orphan(statements) => {
                    let _change = bodies.change(Touched::Anything);
                    orphan(&mut connection, &statements).await
                }
                ExclusiveWork::Checkpoint => checkpoint(&mut connection).await,
                ExclusiveWork::Hold(session) => {
                    queue.hold(session);
                    Ok(0)
                }
                ExclusiveWork::Release(session) => {
                    queue.release(session);
                    Ok(0)
                }
            };
            _ = answer.send(done);
        }
        if batch.is_empty() {
            continue;
        }
        let change = bodies.change(touched(&batch));
        let (rows, mut askers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(PendingWrite::split).unzip();
        match commands.perform(&mut connection, rows.iter().flatten()).await {
            Ok(changed) => {
                let is_met = |written: &Written| {
                    written.key.as_ref().is_none_or(|key| changed.contains(key))
                };
                let written = askers.iter_mut().flat_map(|asker| mem::take(&mut asker.written));
                change.commit(written.filter(is_met).map(|it| (it.session, it.body)));
                askers.into_iter().for_each(|asker| asker.answer(Ok(&changed)));
            }
            Err(error) => {
                let writes = rows.len();
                tracing::warn!(%error, writes, "a batch failed; trying each write alone");
                for (rows, asker) in rows.iter().zip(askers) {
                    match commands.perform(&mut connection, rows.iter()).await {
                        Ok(changed) => asker.answer(Ok(&changed)),
                        Err(error) => asker.answer(Err(error)),
                    }
                }
            }
        }
    }
}

/// The objects that the writes of a batch change.
fn touched(batch: &[PendingWrite]) -> Touched {
    if batch.iter().any(|pending| pending.changes.is_wide()) {
        return Touched::Anything;
    }
    let objects = batch
        .iter()
        .flat_map(|pending| pending.changes.touches().map(|id| (pending.session, id.to_owned())));
    Touched::Objects(objects.collect())
}

/// Takes writes from the queue that can be done together. The result must be the same as if they
/// were done one after the other. So no two of them claim the same row: nobody could say which of
/// them changed it. And no two of them change the same object in different ways. A write that has
/// to wait keeps its place before all later writes to the same objects.
fn next_batch(queue: &mut VecDeque<WriteJob>) -> (Vec<PendingWrite>, Option<ExclusiveWrite>) {
    // A single write conflicts with no other.
    if queue.len() == 1
        && let Some(WriteJob::Changes(pending)) =
            queue.pop_front_if(|job| matches!(job, WriteJob::Changes(_)))
    {
        return (vec![pending], None);
    }
    let (mut rows, mut batch, mut later) = (BatchRows::default(), Vec::new(), VecDeque::new());
    for _ in 0..queue.len().min(BATCH) {
        match queue.pop_front() {
            Some(WriteJob::Changes(pending)) if rows.takes(&pending) => batch.push(pending),
            // All earlier writes are done before it.
            Some(WriteJob::Alone(exclusive)) if batch.is_empty() && later.is_empty() => {
                return (batch, Some(exclusive));
            }
            Some(exclusive @ WriteJob::Alone(_)) => {
                queue.push_front(exclusive);
                break;
            }
            Some(waiting) => later.push_back(waiting),
            None => break,
        }
    }
    while let Some(job) = later.pop_back() {
        queue.push_front(job);
    }
    (batch, None)
}

/// The writes of a batch, as far as they decide which others can join them.
#[derive(Default)]
struct BatchRows {
    held_keys: HashSet<RowKey>,
    /// The objects that the batch changes, and the kinds of those changes.
    touched: HashMap<(i64, String), u64>,
    /// The objects of writes that wait.
    waited_for: HashSet<(i64, String)>,
}

impl BatchRows {
    /// Adds a write, if it can join the others.
    fn takes(&mut self, pending: &PendingWrite) -> bool {
        let kinds = pending.changes.kinds();
        let objects = || pending.changes.touches().map(|id| (pending.session, id.to_owned()));
        let goes = pending.row_keys.is_disjoint(&self.held_keys)
            && objects().all(|object| {
                !self.waited_for.contains(&object)
                    && self.touched.get(&object).is_none_or(|others| *others == kinds)
            });
        if goes {
            self.held_keys.extend(pending.row_keys.iter().cloned());
            self.touched.extend(objects().map(|object| (object, kinds)));
        } else {
            self.waited_for.extend(objects());
        }
        goes
    }
}

/// Waits for writes for a short time. Returns whether none came.
async fn is_quiet(
    waiting: &mut mpsc::UnboundedReceiver<WriteJob>,
    received: &mut Vec<WriteJob>,
) -> bool {
    tokio::time::timeout(QUIET, waiting.recv_many(received, BATCH)).await.is_err()
}

async fn checkpoint(connection: &mut SqliteConnection) -> Result<u64> {
    connection.execute("pragma wal_checkpoint(truncate)").await?;
    Ok(0)
}

/// SQLite removes no children while foreign keys are off. It can turn them off and on only between
/// transactions, and has no reason to fail then.
async fn orphan(connection: &mut SqliteConnection, statements: &[Statement]) -> Result<u64> {
    connection.execute("pragma foreign_keys = off").await?;
    let done = perform_alone(connection, statements).await;
    connection.execute("pragma foreign_keys = on").await?;
    done
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

/// The rows of a job, as JSON, with the ranks of their kinds.
type Rows = Vec<(u8, String)>;

impl PendingWrite {
    fn split(self) -> (Rows, Asker) {
        let Self { session, mut changes, row_keys, bus, answer, .. } = self;
        let events = if bus.is_heard() { changes.take_events() } else { Vec::new() };
        let written = changes.written(session);
        (changes.into_rows(session), Asker { row_keys, written, bus, events, answer })
    }
}

/// The caller that waits for a job, and the events to publish after the commit.
struct Asker {
    row_keys: HashSet<RowKey>,
    written: Vec<Written>,
    bus: EventBus,
    events: Vec<StoreEvent>,
    answer: oneshot::Sender<Result<bool>>,
}

impl Asker {
    fn answer(self, changed: Result<&HashSet<RowKey>>) {
        let all_met = changed.map(|changed| self.row_keys.is_subset(changed));
        if let Ok(true) = all_met {
            for event in &self.events {
                self.bus.publish(&event.name(), || event.data());
            }
        }
        // The caller may have gone away. Its changes are made all the same.
        _ = self.answer.send(all_met);
    }
}

/// The command for each set of kinds: SQLite prepares a known text only once.
#[derive(Default)]
struct Commands {
    commands: HashMap<u64, Command>,
}

impl Commands {
    /// Does everything in one transaction, and returns which rows were changed.
    async fn perform<'r>(
        &mut self,
        connection: &mut SqliteConnection,
        rows: impl Iterator<Item = &'r (u8, String)>,
    ) -> Result<HashSet<RowKey>> {
        let mut by_kind = [const { Vec::new() }; IN_ORDER.len()];
        for (kind, row) in rows {
            by_kind[usize::from(*kind)].push(row.as_str());
        }
        let present: Vec<_> =
            (0..IN_ORDER.len()).filter(|kind| !by_kind[*kind].is_empty()).collect();
        let mask = present.iter().map(|kind| 1 << kind).sum();
        let command = self.commands.entry(mask).or_insert_with(|| Command::new(&present));
        let mut query = sqlx::query(AssertSqlSafe(command.text.as_str()));
        for kind in present {
            query = query.bind(format!("[{}]", by_kind[kind].join(",")));
        }
        match run(connection, query, command.statements).await {
            Ok(changed) => Ok(changed),
            Err(error) => {
                // The command broke off somewhere after its `begin`.
                _ = connection.execute("rollback").await;
                Err(error)
            }
        }
    }
}

/// The statements of some kinds, as one transaction.
struct Command {
    text: String,
    /// How many statements there are in the text.
    statements: usize,
}

impl Command {
    fn new(kinds: &[usize]) -> Self {
        let statements: Vec<_> =
            kinds.iter().map(|kind| IN_ORDER[*kind].statement(*kind)).collect();
        match statements.as_slice() {
            // One alone is a transaction by itself.
            [alone] => Self { text: alone.clone(), statements: 1 },
            _ => Self {
                text: format!("begin immediate;\n{};\ncommit", statements.join(";\n")),
                statements: statements.len() + 2,
            },
        }
    }
}

async fn run(
    connection: &mut SqliteConnection,
    query: Query<'_, sqlx::Sqlite, SqliteArguments>,
    statements: usize,
) -> Result<HashSet<RowKey>> {
    let (mut changed, mut done) = (HashSet::default(), 0);
    let mut results = connection.fetch_many(query);
    // Nobody needs to wait for the end after the last statement.
    while done < statements
        && let Some(result) = results.try_next().await?
    {
        match result {
            Either::Left(_) => done += 1,
            Either::Right(row) => {
                changed.insert((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
            }
        }
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Id, Metadata, Thread, Timestamp, VectorStore, tool::ToolResources};

    fn pending(build: impl FnOnce(&mut Changes)) -> WriteJob {
        let mut changes = Changes::new();
        build(&mut changes);
        let (answer, _) = oneshot::channel();
        let (row_keys, bus) = (changes.row_keys(1), EventBus::default());
        WriteJob::Changes(PendingWrite { session: 1, changes, row_keys, bus, answer })
    }

    fn thread(id: &str) -> Thread {
        Thread::new(Id::new(id), Timestamp(1), Metadata::default(), ToolResources::default())
    }

    #[test]
    fn the_writes_of_a_held_session_wait_for_its_release() {
        let write = |session| match pending(|it| it.delete(&Id::<Thread>::new("thread_a"))) {
            WriteJob::Changes(pending) => WriteJob::Changes(PendingWrite { session, ..pending }),
            alone @ WriteJob::Alone(_) => alone,
        };
        let sessions = |queue: &WriteQueue| {
            let of = |job: &WriteJob| match job {
                WriteJob::Changes(pending) => pending.session,
                WriteJob::Alone(_) => 0,
            };
            queue.next.iter().map(of).collect::<Vec<_>>()
        };
        let mut queue = WriteQueue::default();
        queue.extend([write(1), write(2), write(1)].into_iter());
        queue.hold(1);
        queue.extend([write(1), write(3)].into_iter());
        assert_eq!(sessions(&queue), [2, 3]);
        queue.release(1);
        assert_eq!(sessions(&queue), [2, 3, 1, 1, 1]);
    }

    #[test]
    fn changes_of_one_object_keep_the_order_of_calls() {
        let insert = |id: &'static str| pending(move |it| it.insert_thread(&thread(id)).unwrap());
        let delete = |id: &'static str| pending(move |it| it.delete(&Id::<Thread>::new(id)));
        let store = pending(|it| it.delete(&Id::<VectorStore>::new("vs_1")));
        let mut queue = VecDeque::from([
            insert("thread_a"),
            delete("thread_a"),
            insert("thread_b"),
            delete("thread_a"),
            delete("thread_b"),
            store,
        ]);
        let mut batches = Vec::new();
        while !queue.is_empty() {
            let (batch, _) = next_batch(&mut queue);
            let mut touched: Vec<_> = batch.iter().flat_map(|it| it.changes.touches()).collect();
            touched.sort();
            batches.push(touched.join(" "));
        }
        let expected = ["thread_a thread_b vs_1", "thread_a thread_b", "thread_a"];
        assert_eq!(batches, expected);
    }
}
