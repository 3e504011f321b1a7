//! The queries for lists of threads only: which threads have a text in them, and what is in them.

use std::collections::HashMap;

use serde_json::json;

use super::{Paged, Result, Search, Store, list};
use crate::types::{Thread, list::PageRequest};

/// The data that lists show beside a thread.
#[derive(Debug, Default)]
pub struct ThreadBackground {
    pub messages: i64,
    pub runs: i64,
    /// The beginning of its first message.
    pub message: Option<String>,
}

/// A thread that has a text in a message or in its metadata. The case of ASCII letters is ignored.
const HAS_TEXT: &str = "
    and (exists (select 1 from json_each(threads.body, '$.metadata') as pair
        where instr(lower(pair.key), lower(?)) or instr(lower(pair.value), lower(?)))
    or exists (select 1 from messages as it, json_each(it.body, '$.content') as part
        where it.session = threads.session and it.thread_id = threads.id
        and instr(lower(coalesce(part.value ->> '$.text.value', part.value ->> '$.refusal')), lower(?))))";

/// A thread that has this id, or has an object with this id in it.
const HAS_ID: &str = "
    and (threads.id = ?
    or exists (select 1 from messages as it where it.session = threads.session
        and it.thread_id = threads.id and it.id = ?)
    or exists (select 1 from runs as it where it.session = threads.session
        and it.thread_id = threads.id and it.id = ?)
    or exists (select 1 from run_steps as it where it.session = threads.session
        and it.thread_id = threads.id and it.id = ?))";

/// Which threads to list.
#[derive(Clone, Copy, Debug)]
pub enum ThreadFilter<'a> {
    All,
    Text(&'a str),
    /// The thread itself, or one that has the object.
    Id(&'a str),
}

impl Store {
    /// The threads of the session that the filter selects.
    pub async fn search_threads(
        &self,
        filter: ThreadFilter<'_>,
        page: &PageRequest,
    ) -> Result<Paged<Thread>> {
        let search = match filter {
            ThreadFilter::All => None,
            ThreadFilter::Text(text) => Some(Search { condition: HAS_TEXT, text }),
            ThreadFilter::Id(text) => Some(Search { condition: HAS_ID, text }),
        };
        list(&mut *self.database.reader().await?, self.session, &[], search, page).await
    }

    /// The data that lists show beside these threads, by their ids.
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
