//! The queries that only runs need: the run that holds a thread, the objects around a run, and the
//! runs that a restart resumes.

use std::collections::HashMap;

use serde_json::json;
use sqlx::{AssertSqlSafe, Row};

use super::{
    Result, Store,
    table::{parent_exists, parse, rows_of},
};
use crate::types::{Assistant, Id, Message, Run, Step, Thread, Tool, tool::searches};

/// A run that has not ended, with the performer's note to continue it.
#[derive(Debug)]
pub struct OpenRun {
    pub run: Run,
    pub performance: Option<String>,
    pub steps: Vec<Step>,
    /// The message that the run was writing, if any.
    pub message: Option<Message>,
}

/// The objects that a performer may look at before it answers.
#[derive(Debug)]
pub struct PerformerInputs {
    /// The number of the run in its thread, from 1. `None` if the run was deleted in the meantime.
    pub turn: Option<i64>,
    pub thread: Option<Thread>,
    pub assistant: Option<Assistant>,
    /// The newest message of a user, if any.
    pub user_message: Option<Message>,
}

impl PerformerInputs {
    /// The vector stores that the tools of this run search: the assistant's before the thread's.
    pub fn stores(&self, run: &Run) -> Vec<String> {
        if !searches(&run.tools) {
            return Vec::new();
        }
        let mut stores =
            self.assistant.as_ref().map(|it| it.searched_stores(run.version)).unwrap_or_default();
        stores.extend(
            self.thread.iter().flat_map(|thread| thread.tool_resources.vector_store_ids()).cloned(),
        );
        stores
    }

    /// The files that the tools of this run have: first those of the newest message, then those of
    /// the thread and of the assistant.
    pub fn given_files(&self, run: &Run) -> Vec<String> {
        let message = self.user_message.iter();
        let attached = message
            .flat_map(|message| &message.attachments)
            .map(|attachment| attachment.file_id.clone());
        let mut files: Vec<_> = attached.collect();
        if run.tools.iter().any(|tool| matches!(tool, Tool::CodeInterpreter)) {
            let of_thread =
                self.thread.iter().flat_map(|thread| thread.tool_resources.interpreter_files());
            let of_assistant = self
                .assistant
                .iter()
                .flat_map(|assistant| assistant.tool_resources.interpreter_files());
            files.extend(of_thread.chain(of_assistant).cloned());
            let of_v1 = self
                .assistant
                .iter()
                .filter(|_| run.version.is_v1())
                .flat_map(|assistant| &assistant.files);
            files.extend(of_v1.map(|given| given.id.to_string()));
        }
        files
    }
}

/// The end of a thread, as a new run finds it.
#[derive(Debug, Default)]
pub struct ThreadEnd {
    /// The run that holds the thread, if any.
    pub holder: Option<Id<Run>>,
    /// The number of runs so far.
    pub turns: i64,
    /// The newest message of a user, if any.
    pub user_message: Option<Message>,
    /// The newest messages, newest first.
    pub newest: Vec<Message>,
    /// There may be more messages below this place.
    pub below: Option<i64>,
}

/// The state of a thread for a client that wants to write to it.
#[derive(Debug)]
pub struct ThreadState {
    /// The run that holds it, if any.
    pub holder: Option<Id<Run>>,
    pub has_user_message: bool,
}

/// The data that lists show with a run.
#[derive(Debug, Default)]
pub struct RunBackground {
    /// The name of the assistant.
    pub assistant: Option<String>,
    /// The start of the user's message for the run, as far as its place in the thread shows it.
    pub message: Option<String>,
    /// The number of times that the run has called functions, and that it has got their outputs.
    pub actions: usize,
    pub answered: usize,
}

/// The number of messages in one read of a walk from the end of a thread.
const STRIDE: i64 = 100;

impl Store {
    pub async fn surroundings(&self, run: &Run) -> Result<PerformerInputs> {
        let sql = "select (select turn from runs where session = ?1 and id = ?2), (select body \
                   from threads where session = ?1 and id = ?3), (select body from assistants \
                   where session = ?1 and id = ?4), (select body from messages where session = ?1 \
                   and thread_id = ?3 and role = 'user' order by seq desc limit 1)";
        let query =
            sqlx::query_as::<_, (Option<i64>, Option<String>, Option<String>, Option<String>)>(sql)
                .bind(self.session)
                .bind(run.id.as_str())
                .bind(run.thread_id.as_str())
                .bind(run.assistant_id.as_str());
        let (turn, thread, assistant, message) =
            query.fetch_one(&mut *self.database.reader().await?).await?;
        Ok(PerformerInputs {
            turn,
            thread: thread.map(|body| parse(&body)).transpose()?,
            assistant: assistant.map(|body| parse(&body)).transpose()?,
            user_message: message.map(|body| parse(&body)).transpose()?,
        })
    }

    /// The state of a thread for a client that was kept from writing to it. `None` if the thread
    /// does not exist.
    pub async fn thread_state(&self, thread: &Id<Thread>) -> Result<Option<ThreadState>> {
        let sql = "select (select id from runs where runs.session = threads.session and thread_id \
                   = threads.id and status in ('queued', 'in_progress', 'requires_action', \
                   'cancelling')), exists (select 1 from messages where messages.session = \
                   threads.session and thread_id = threads.id and role = 'user') from threads \
                   where session = ? and id = ?";
        let query = sqlx::query_as::<_, (Option<String>, bool)>(sql)
            .bind(self.session)
            .bind(thread.as_str());
        let state = query.fetch_optional(&mut *self.database.reader().await?).await?;
        Ok(state.map(|(holder, has_user_message)| ThreadState {
            holder: holder.map(Id::new),
            has_user_message,
        }))
    }

    /// The state of a thread for a new run.
    pub async fn thread_end(&self, thread: &Id<Thread>) -> Result<ThreadEnd> {
        let sql = "select 'holder', null, id from runs where session = ?1 and thread_id = ?2 and \
                   status in ('queued', 'in_progress', 'requires_action', 'cancelling') \
                   union all select * from (select 'turns', turn, null from runs where session = ?1 \
                   and thread_id = ?2 order by seq desc limit 1) \
                   union all select * from (select 'user', null, body from messages where session = \
                   ?1 and thread_id = ?2 and role = 'user' order by seq desc limit 1) \
                   union all select * from (select 'newest', seq, body from messages where session = \
                   ?1 and thread_id = ?2 order by seq desc limit ?3)";
        let query = sqlx::query(sql).bind(self.session).bind(thread.as_str()).bind(STRIDE);
        let rows = rows_of(query, &mut *self.database.reader().await?).await?;
        let mut end = ThreadEnd::default();
        for row in rows {
            match row.try_get(0)? {
                "holder" => end.holder = Some(Id::new(row.try_get::<&str, _>(2)?)),
                "turns" => end.turns = row.try_get(1)?,
                "user" => end.user_message = Some(parse(row.try_get(2)?)?),
                _ => {
                    end.newest.push(parse(row.try_get(2)?)?);
                    end.below = Some(row.try_get(1)?);
                }
            }
        }
        end.below = end.below.filter(|_| end.newest.len() as i64 >= STRIDE);
        Ok(end)
    }

    /// Walks a thread backwards from below a place, until `more` returns false.
    pub async fn walk_back(
        &self,
        thread: &Id<Thread>,
        mut below: i64,
        mut more: impl FnMut(&Message) -> bool,
    ) -> Result<()> {
        loop {
            let sql = "select seq, body from messages where session = ? and thread_id = ? and seq \
                       < ? order by seq desc limit ?";
            let query =
                sqlx::query(sql).bind(self.session).bind(thread.as_str()).bind(below).bind(STRIDE);
            // The reader is free again before the rows are processed.
            let rows = rows_of(query, &mut *self.database.reader().await?).await?;
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

    /// The data that lists show with these runs, by the ids of the runs.
    pub async fn run_backgrounds(&self, runs: &[Run]) -> Result<HashMap<String, RunBackground>> {
        let ids: Vec<_> = runs.iter().map(|run| run.id.as_str()).collect();
        // A message of the run itself shows the place of the run in its thread. Without one, the
        // run was at the end.
        let sql = "select runs.id, (select body ->> '$.name' from assistants where session = ?1 \
                   and id = runs.body ->> '$.assistant_id'), (select substr(body ->> \
                   '$.content[0].text.value', 1, 200) from messages where session = ?1 and \
                   thread_id = runs.thread_id and role = 'user' and seq < coalesce((select \
                   min(seq) from messages as own where own.session = ?1 and own.thread_id = \
                   runs.thread_id and own.run_id = runs.id), 1 << 62) order by seq desc limit 1), \
                   (select count(*) from run_steps where session = ?1 and run_id = runs.id and \
                   body ->> '$.step_details.tool_calls[0].type' = 'function'), (select count(*) \
                   from run_steps where session = ?1 and run_id = runs.id and body ->> \
                   '$.step_details.tool_calls[0].function.output' is not null) from json_each(?2) \
                   as asked cross join runs on session = ?1 and runs.id = asked.value";
        let query = sqlx::query_as::<_, (String, Option<String>, Option<String>, i64, i64)>(sql)
            .bind(self.session)
            .bind(json!(ids).to_string());
        let rows = query.fetch_all(&mut *self.database.reader().await?).await?;
        let count = |number: i64| usize::try_from(number).unwrap_or_default();
        let backgrounds = rows.into_iter().map(|(run, assistant, message, actions, answered)| {
            let (actions, answered) = (count(actions), count(answered));
            (run, RunBackground { assistant, message, actions, answered })
        });
        Ok(backgrounds.collect())
    }

    /// The runs that have not ended, oldest first.
    pub async fn open_runs(&self) -> Result<Vec<OpenRun>> {
        let mut reader = self.database.reader().await?;
        let living = parent_exists("runs", "thread_id");
        let sql = format!(
            "select body, performance from runs where session = ? and status in ('queued', \
             'in_progress', 'requires_action', 'cancelling') and {living} order by seq"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(self.session);
        let rows = query.fetch_all(&mut *reader).await?;
        let mut open = Vec::with_capacity(rows.len());
        for row in rows {
            let run: Run = parse(row.try_get("body")?)?;
            let sql = "select body from run_steps where session = ? and thread_id = ? and run_id = \
                       ? order by seq";
            let query = sqlx::query_scalar::<_, String>(sql);
            let query = query.bind(self.session).bind(run.thread_id.as_str()).bind(run.id.as_str());
            let steps = query.fetch_all(&mut *reader).await?;
            let sql = "select body from messages where session = ? and thread_id = ? and run_id = \
                       ? order by seq desc limit 1";
            let query = sqlx::query_scalar::<_, String>(sql);
            let query = query.bind(self.session).bind(run.thread_id.as_str()).bind(run.id.as_str());
            let message = query.fetch_optional(&mut *reader).await?;
            open.push(OpenRun {
                performance: row.try_get("performance")?,
                steps: steps.iter().map(|body| parse(body)).collect::<Result<_>>()?,
                message: message.map(|body| parse(&body)).transpose()?,
                run,
            });
        }
        Ok(open)
    }
}

#[cfg(test)]
mod tests {
    use crate::types::RunStatus;

    /// The statuses that hold a thread are written in SQL, also in an index, where no constant is
    /// possible.
    #[test]
    fn open_runs_are_the_same_in_sql_and_in_types() {
        let open: Vec<_> = RunStatus::ALL
            .iter()
            .filter(|status| !status.is_terminal())
            .map(|status| format!("'{status}'"))
            .collect();
        let list = format!("({})", open.join(", "));
        let migration = include_str!("../../migrations/0001_first.sql");
        let sources = [
            include_str!("runs.rs"),
            include_str!("changes/objects.rs"),
            include_str!("changes/runs.rs"),
            include_str!("sessions.rs"),
            migration,
        ];
        let unbroken = |source: &&str| {
            let words: Vec<_> = source.split_whitespace().filter(|word| *word != "\\").collect();
            words.join(" ")
        };
        let sources: Vec<_> = sources.iter().map(unbroken).collect();
        let count = |what: &str| -> usize {
            sources.iter().map(|source| source.matches(what).count()).sum()
        };
        let (spelled, alike) = (count("status in ("), count(&format!("status in {list}")));
        // One match is the search pattern itself, just above.
        assert_eq!(alike, spelled - 1);
    }
}
