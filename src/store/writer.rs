//! The one writer: a thread of its own that runs whatever jobs are waiting in one transaction, commits,
//! and only then answers them. A thousand requests that wait together cost one commit.
//!
//! A job that refuses before it has written costs the others nothing. A job that fails after it has
//! written (a full disk, say) takes its batch with it: all of it is rolled back, and all are told.

use std::{any::Any, future::Future, panic::AssertUnwindSafe, pin::Pin};

use futures_util::FutureExt;
use sqlx::{Connection, Executor, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::{Error, Result, Tx};

/// How many jobs share a transaction at the most, so that nobody waits long for a commit.
const BATCH: usize = 256;

type Job = Box<dyn for<'c> FnOnce(&'c mut SqliteConnection) -> Pin<Box<dyn Future<Output = Done> + 'c>> + Send>;

/// What a job leaves behind.
struct Done {
    /// Set if the batch cannot be committed.
    broken: bool,
    /// Answers whoever asked, once it is known whether the batch was committed.
    answer: Box<dyn FnOnce(Result<()>) + Send>,
}

pub(super) struct Writer {
    jobs: mpsc::UnboundedSender<Job>,
}

impl Writer {
    /// Starts the thread. It ends when the writer is dropped and the jobs that wait are done.
    pub(super) fn start(connection: SqliteConnection) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        std::thread::Builder::new().name("writer".to_owned()).spawn(move || runtime.block_on(work(connection, waiting)))?;
        Ok(Self { jobs })
    }

    pub(super) async fn write<R, E, F>(&self, session: i64, job: F) -> Result<R, E>
    where
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<R, E> + Send + 'static,
        R: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel::<Result<R, E>>();
        let job: Job = Box::new(move |connection| Box::pin(perform(connection, session, job, answer)));
        self.jobs.send(job).map_err(|_| Error::Closed)?;
        answered.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }
}

async fn perform<R, E, F>(connection: &mut SqliteConnection, session: i64, job: F, answer: oneshot::Sender<Result<R, E>>) -> Done
where
    F: AsyncFnOnce(&mut Tx<'_>) -> Result<R, E>,
    R: Send + 'static,
    E: From<Error> + Send + 'static,
{
    let mut tx = Tx { connection, session, wrote: false };
    let outcome = AssertUnwindSafe(job(&mut tx)).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|panic| {
        tracing::error!(panic = panic_text(&*panic), "a write panicked");
        Err(Error::Closed.into())
    });
    let broken = tx.wrote && outcome.is_err();
    let answer = Box::new(move |committed: Result<()>| {
        // Whoever asked may have gone away; what was asked for is done all the same.
        _ = answer.send(match (outcome, committed) {
            (Ok(_), Err(error)) => Err(error.into()),
            (outcome, _) => outcome,
        });
    });
    Done { broken, answer }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("unknown")
}

async fn work(mut connection: SqliteConnection, mut waiting: mpsc::UnboundedReceiver<Job>) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let mut done = Vec::with_capacity(batch.len());
        let committed = commit(&mut connection, batch.drain(..), &mut done).await;
        if let Err(error) = &committed {
            tracing::error!(%error, "a batch of writes was rolled back");
        }
        for Done { answer, .. } in done {
            answer(committed.as_ref().map(|_| ()).map_err(|_| Error::Closed));
        }
    }
    _ = connection.close().await;
}

async fn commit(connection: &mut SqliteConnection, batch: impl Iterator<Item = Job>, done: &mut Vec<Done>) -> Result<()> {
    connection.execute("begin immediate").await?;
    for job in batch {
        done.push(job(connection).await);
    }
    if done.iter().any(|done| done.broken) {
        connection.execute("rollback").await?;
        return Err(Error::Closed);
    }
    if let Err(error) = connection.execute("commit").await {
        _ = connection.execute("rollback").await;
        return Err(error.into());
    }
    Ok(())
}
