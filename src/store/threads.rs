//! The questions that only lists of threads ask: which have a text in them, and what is in them.

use std::collections::HashMap;

use serde_json::json;

use super::{Paged, Result, Search, Store, list};
use crate::types::{Thread, list::PageRequest};

/// What lists show beside a thread.
#[derive(Debug, Default)]
pub struct ThreadBackground {
    pub messages: i64,
    pub runs: i64,
    /// How its first message begins.
    pub message: Option<String>,
}

/// A thread that has a text: in a message or in its metadata, whatever the case, or as the id of
/// the thread or of something in it.
const HAS_TEXT: &str = "
    and (threads.id = ? or instr(lower(threads.body -> '$.metadata'), lower(?))
    or exists (select 1 from messages as it where it.session = threads.session
        and it.thread_id = threads.id and (it.id = ? or instr(lower(it.body -> '$.content'), lower(?))))
    or exists (select 1 from runs as it where it.session = threads.session
        and it.thread_id = threads.id and it.id = ?)
    or exists (select 1 from run_steps as it where it.session = threads.session
        and it.thread_id = threads.id and it.id = ?))";

impl Store {
    /// The threads of the session; with a text, those that have it.
    pub async fn search_threads(
        &self,
        text: Option<&str>,
        page: &PageRequest,
    ) -> Result<Paged<Thread>> {
        let search = text.map(|text| Search { condition: HAS_TEXT, text });
        list(&mut *self.database.reader().await?, self.session, &[], search, page).await
    }

    /// What lists show beside these threads, by their ids.
    pub async fn thread_backgrounds(
        &self,
        threads: &[Thread],
    ) -> Result<HashMap<String, ThreadBackground>> {
        let ids: Vec<_> = threads.iter().map(|thread| thread.id.as_str()).collect();
        let sql = "select asked.value, (select count(*) from messages where session = ?1 and \
                   thread_id = asked.value), (select count(*) from runs where session = ?1 and \
                   thread_id = asked.value), (select substr(body ->> '$.content[0].text.value', 1, \
                   200) from messages where session = ?1 and thread_id = asked.value order by seq \
                   limit 1) from json_each(?2) as asked";
        let query = sqlx::query_as::<_, (String, i64, i64, Option<String>)>(sql)
            .bind(self.session)
            .bind(json!(ids).to_string());
        let rows = query.fetch_all(&mut *self.database.reader().await?).await?;
        let backgrounds = rows.into_iter().map(|(id, messages, runs, message)| {
            (id, ThreadBackground { messages, runs, message })
        });
        Ok(backgrounds.collect())
    }
}
