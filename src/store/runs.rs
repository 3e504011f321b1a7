//! The questions that only runs ask: who holds a thread, what surrounds a run, and what a restart takes up.

use sqlx::{Executor, Row};

use super::{Result, Store, Tx, corrupt, find, parse};
use crate::types::{Assistant, Id, Message, Run, Step, Thread};

/// A run that has not ended, with what the performer noted for going on.
#[derive(Debug)]
pub struct OpenRun {
    pub run: Run,
    pub turn: i64,
    pub performance: Option<String>,
    pub steps: Vec<Step>,
    /// The message that the run was writing, if it was.
    pub message: Option<Message>,
}

/// What a performer may look at before it answers.
#[derive(Debug)]
pub struct Surroundings {
    /// None if the thread was deleted in the meantime.
    pub thread: Option<Thread>,
    pub assistant: Option<Assistant>,
    /// The newest message of a user, if any.
    pub user_message: Option<Message>,
}

/// How many messages are read at a time when a thread is walked from its end.
const STRIDE: i64 = 100;

impl Store {
    pub async fn surroundings(&self, run: &Run) -> Result<Surroundings> {
        let mut reader = self.database.reader().await?;
        let sql = "select body from messages where session = ? and thread_id = ? and role = 'user' order by seq desc limit 1";
        let query = sqlx::query_scalar::<_, String>(sql).bind(self.session).bind(run.thread_id.as_str());
        let user_message = query.fetch_optional(&mut *reader).await?.map(|body| parse(&body)).transpose()?;
        Ok(Surroundings {
            thread: find(&mut reader, self.session, run.thread_id.as_str(), &[]).await?,
            assistant: find(&mut reader, self.session, run.assistant_id.as_str(), &[]).await?,
            user_message,
        })
    }

    /// Walks a thread from its newest message back, for as long as `more` wants to see another.
    pub async fn walk_back(&self, thread: &Id<Thread>, mut more: impl FnMut(&Message) -> bool) -> Result<()> {
        let mut reader = self.database.reader().await?;
        let mut below = i64::MAX;
        loop {
            let sql = "select seq, body from messages where session = ? and thread_id = ? and seq < ? order by seq desc limit ?";
            let query = sqlx::query(sql).bind(self.session).bind(thread.as_str()).bind(below).bind(STRIDE);
            let rows = query.fetch_all(&mut *reader).await?;
            for row in &rows {
                below = row.try_get("seq")?;
                if !more(&parse(row.try_get("body")?)?) {
                    return Ok(());
                }
            }
            if (rows.len() as i64) < STRIDE {
                return Ok(());
            }
        }
    }

    /// The runs that have not ended, oldest first.
    pub async fn open_runs(&self) -> Result<Vec<OpenRun>> {
        let mut reader = self.database.reader().await?;
        let sql = "select body, turn, performance from runs where session = ? \
                   and status in ('queued', 'in_progress', 'requires_action', 'cancelling') order by seq";
        let rows = sqlx::query(sql).bind(self.session).fetch_all(&mut *reader).await?;
        let mut open = Vec::with_capacity(rows.len());
        for row in rows {
            let run: Run = parse(row.try_get("body")?)?;
            let sql = "select body from run_steps where session = ? and thread_id = ? and run_id = ? order by seq";
            let query = sqlx::query_scalar::<_, String>(sql);
            let query = query.bind(self.session).bind(run.thread_id.as_str()).bind(run.id.as_str());
            let steps = query.fetch_all(&mut *reader).await?;
            let sql = "select body from messages where session = ? and thread_id = ? and run_id = ? order by seq desc limit 1";
            let query = sqlx::query_scalar::<_, String>(sql);
            let query = query.bind(self.session).bind(run.thread_id.as_str()).bind(run.id.as_str());
            let message = query.fetch_optional(&mut *reader).await?;
            open.push(OpenRun {
                turn: row.try_get("turn")?,
                performance: row.try_get("performance")?,
                steps: steps.iter().map(|body| parse(body)).collect::<Result<_>>()?,
                message: message.map(|body| parse(&body)).transpose()?,
                run,
            });
        }
        Ok(open)
    }
}

impl Tx<'_> {
    /// None if there is no such thread, else the run that holds it, if one does.
    pub async fn holder(&mut self, thread: &Id<Thread>) -> Result<Option<Option<Id<Run>>>> {
        let sql = "select (select id from runs where runs.session = threads.session and thread_id = threads.id \
                     and status in ('queued', 'in_progress', 'requires_action', 'cancelling')) \
                   from threads where session = ? and id = ?";
        let query = sqlx::query_scalar::<_, Option<String>>(sql).bind(self.session).bind(thread.as_str());
        Ok(query.fetch_optional(&mut *self.connection).await?.map(|id| id.map(Id::new)))
    }

    pub async fn has_user_message(&mut self, thread: &Id<Thread>) -> Result<bool> {
        let sql = "select exists (select 1 from messages where session = ? and thread_id = ? and role = 'user')";
        let query = sqlx::query_scalar(sql).bind(self.session).bind(thread.as_str());
        Ok(query.fetch_one(&mut *self.connection).await?)
    }

    /// Inserts a new run and answers which of its thread it is, from 1.
    pub async fn insert_run(&mut self, run: &Run) -> Result<i64> {
        self.wrote = true;
        let sql = "insert into runs (session, body, turn) values (?1, ?2, 1 + coalesce( \
                     (select turn from runs where session = ?1 and thread_id = ?3 order by seq desc limit 1), 0)) returning turn";
        let body = serde_json::to_string(run).map_err(|source| corrupt::<Run>(run.id.as_str(), source))?;
        let query = sqlx::query_scalar(sql).bind(self.session).bind(body).bind(run.thread_id.as_str());
        Ok(query.fetch_one(&mut *self.connection).await?)
    }

    /// Writes a run's new state and its performer's notes. `false` if the run is gone.
    pub async fn update_run(&mut self, run: &Run, performance: Option<&str>) -> Result<bool> {
        self.wrote = true;
        let sql = "update runs set body = ?, performance = ? where session = ? and id = ?";
        let body = serde_json::to_string(run).map_err(|source| corrupt::<Run>(run.id.as_str(), source))?;
        let query = sqlx::query(sql).bind(body).bind(performance).bind(self.session).bind(run.id.as_str());
        Ok(self.connection.execute(query).await?.rows_affected() > 0)
    }
}
