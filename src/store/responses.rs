//! The queries that only responses and conversations need: the items of a chain and of a
//! conversation, how a reply continues, and the responses that a restart resumes.

use serde_json::json;
use sqlx::Row;

use super::{
    Result, Store,
    table::{parse, rows_of},
};
use crate::types::{Conversation, Id, Item, Order, Page, Response, list::PageRequest};

/// A response that has not ended, with the data to continue it.
#[derive(Debug)]
pub struct OpenResponse {
    pub response: Response,
    pub setting: String,
    pub note: String,
    pub input: Vec<Item>,
}

/// The end of a conversation.
#[derive(Debug)]
pub struct ConversationEnd {
    /// The number of the last answered question.
    pub turn: i64,
    /// The number of the newest item. Items are never renumbered.
    pub last: i64,
}

/// The number of responses of a chain, and of items, in one read.
const CHAIN_STRIDE: i64 = 32;
const ITEM_STRIDE: i64 = 100;

/// The position in a walk through the input of a response, newest item first. The walk follows a
/// chain, and from its start it continues in the conversation of the chain.
#[derive(Clone, Debug)]
enum ReadPlace {
    /// Whether the walk includes the output of this response.
    Response(Id<Response>, bool),
    Conversation {
        id: Id<Conversation>,
        below: i64,
    },
}

/// The next items of a walk, and the position after them.
struct Stretch {
    items: Vec<Item>,
    next: Option<ReadPlace>,
}

impl Store {
    /// The number of the question of a response, if the response exists.
    pub async fn turn_of_response(&self, id: &Id<Response>) -> Result<Option<i64>> {
        let query = sqlx::query_scalar("select turn from responses where session = ? and id = ?");
        let query = query.bind(self.session).bind(id.as_str());
        Ok(query.fetch_optional(&mut *self.database.reader().await?).await?)
    }

    /// The end of a conversation, if the conversation exists.
    pub async fn conversation_end(&self, id: &Id<Conversation>) -> Result<Option<ConversationEnd>> {
        let sql = "select turn, last from conversations where session = ? and id = ?";
        let query = sqlx::query_as(sql).bind(self.session).bind(id.as_str());
        let end: Option<(i64, i64)> =
            query.fetch_optional(&mut *self.database.reader().await?).await?;
        Ok(end.map(|(turn, last)| ConversationEnd { turn, last }))
    }

    /// Walks a conversation backwards, newest item first, until `more` returns false.
    pub async fn walk_conversation(
        &self,
        id: &Id<Conversation>,
        more: impl FnMut(Item) -> bool,
    ) -> Result<()> {
        self.walk(ReadPlace::Conversation { id: id.clone(), below: i64::MAX }, more).await
    }

    /// Walks a chain backwards from the output of a response, newest item first, until `more`
    /// returns false.
    pub async fn walk_chain(
        &self,
        from: &Id<Response>,
        more: impl FnMut(Item) -> bool,
    ) -> Result<()> {
        self.walk(ReadPlace::Response(from.clone(), true), more).await
    }

    async fn walk(&self, from: ReadPlace, mut more: impl FnMut(Item) -> bool) -> Result<()> {
        let mut place = Some(from);
        while let Some(from) = place {
            let stretch = match from {
                ReadPlace::Response(id, with_output) => self.stretch(&id, with_output).await?,
                ReadPlace::Conversation { id, below } => self.stretch_of(id, below).await?,
            };
            if !stretch.items.into_iter().all(&mut more) {
                return Ok(());
            }
            place = stretch.next;
        }
        Ok(())
    }

    /// The next items of a conversation.
    async fn stretch_of(&self, id: Id<Conversation>, mut below: i64) -> Result<Stretch> {
        let sql = "select number, body from conversation_items where session = ? and \
                   conversation_id = ? and number < ? order by number desc limit ?";
        let query =
            sqlx::query(sql).bind(self.session).bind(id.as_str()).bind(below).bind(ITEM_STRIDE);
        let rows = rows_of(query, &mut *self.database.reader().await?).await?;
        let mut items = Vec::with_capacity(rows.len());
        for row in &rows {
            below = row.try_get(0)?;
            items.push(parse(row.try_get(1)?)?);
        }
        let is_over = (rows.len() as i64) < ITEM_STRIDE;
        let next = (!is_over).then_some(ReadPlace::Conversation { id, below });
        Ok(Stretch { items, next })
    }

    /// The items of the next responses of a chain.
    async fn stretch(&self, first: &Id<Response>, with_output: bool) -> Result<Stretch> {
        let sql = "with recursive chain (id, previous_id, depth, conversation, last) as (select \
                   id, previous_id, 0, body ->> '$.settings.conversation', body ->> \
                   '$.settings.conversation_end' from responses where session = ?1 and id = ?2 \
                   union all select it.id, it.previous_id, depth + 1, it.body ->> \
                   '$.settings.conversation', it.body ->> '$.settings.conversation_end' from chain \
                   cross join responses as it on it.session = ?1 and it.id = chain.previous_id \
                   where depth + 1 < ?3) select depth, chain.previous_id, conversation, last, \
                   item.body, item.is_output from chain left join response_items as item on \
                   item.session = ?1 and item.response_id = chain.id order by depth, item.seq desc";
        let query = sqlx::query(sql).bind(self.session).bind(first.as_str()).bind(CHAIN_STRIDE);
        let rows = rows_of(query, &mut *self.database.reader().await?).await?;
        let (mut items, mut next) = (Vec::new(), None);
        for row in &rows {
            let depth: i64 = row.try_get(0)?;
            let previous: Option<String> = row.try_get(1)?;
            let conversation: Option<String> = row.try_get(2)?;
            next = match (previous, conversation) {
                (Some(previous), _) if depth + 1 == CHAIN_STRIDE => {
                    Some(ReadPlace::Response(Id::new(previous), true))
                }
                (None, Some(id)) => {
                    let last: Option<i64> = row.try_get(3)?;
                    let below = last.unwrap_or_default().saturating_add(1);
                    Some(ReadPlace::Conversation { id: Id::new(id), below })
                }
                _ => None,
            };
            let Some(body) = row.try_get::<Option<&str>, _>(4)? else { continue };
            let is_output: i64 = row.try_get(5)?;
            if depth > 0 || with_output || is_output == 0 {
                items.push(parse(body)?);
            }
        }
        Ok(Stretch { items, next })
    }

    /// A page of the input of a response: its own items, then those of the chain or the
    /// conversation before it. `None` if no item is the cursor.
    pub async fn input_items(
        &self,
        of: &Response,
        page: &PageRequest,
    ) -> Result<Option<Page<Item>>> {
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let from = ReadPlace::Response(of.id.clone(), false);
        let is_cursor = |item: &Item| page.after.as_deref() == Some(item.id.as_str());
        let mut items = Vec::new();
        if page.order == Order::Ascending {
            // The oldest item is at the other end of the walk.
            self.walk(from, |item| {
                let goes_on = !is_cursor(&item);
                items.push(item);
                goes_on
            })
            .await?;
            items.reverse();
            if page.after.is_some() {
                if !items.first().is_some_and(is_cursor) {
                    return Ok(None);
                }
                items.remove(0);
            }
        } else {
            let from = match &page.after {
                Some(after) => self.place_of_cursor(of, after).await?,
                None => Some(from),
            };
            let Some(from) = from else { return Ok(None) };
            let mut past_cursor = page.after.is_none();
            self.walk(from, |item| {
                if past_cursor {
                    items.push(item);
                } else {
                    past_cursor = is_cursor(&item);
                }
                // One extra item shows that there are more.
                items.len() <= limit
            })
            .await?;
            if !past_cursor {
                return Ok(None);
            }
        }
        let has_more = items.len() > limit;
        items.truncate(limit);
        Ok(Some(Page { items, has_more }))
    }

    /// A start for the walk that is near the cursor, even in a long chain.
    async fn place_of_cursor(&self, of: &Response, after: &str) -> Result<Option<ReadPlace>> {
        let mut reader = self.database.reader().await?;
        let sql = "select response_id from response_items where session = ? and id = ? order by \
                   seq desc limit 1";
        let query = sqlx::query_scalar::<_, String>(sql).bind(self.session).bind(after);
        if let Some(response) = query.fetch_optional(&mut *reader).await? {
            let is_own = response == of.id.as_str();
            return Ok(Some(ReadPlace::Response(Id::new(response), !is_own)));
        }
        let sql = "select conversation_id, number from conversation_items where session = ? and id \
                   = ? order by seq desc limit 1";
        let query = sqlx::query_as::<_, (String, i64)>(sql).bind(self.session).bind(after);
        let found = query.fetch_optional(&mut *reader).await?;
        Ok(found.map(|(id, number)| ReadPlace::Conversation { id: Id::new(id), below: number + 1 }))
    }

    /// An item of a response or a conversation, by its id only.
    pub async fn find_item(&self, id: &str) -> Result<Option<Item>> {
        Ok(self.find_items(&[id.to_owned()]).await?.into_iter().next().flatten())
    }

    /// Items of responses and conversations, by their ids only. `None` for each missing item.
    pub async fn find_items(&self, ids: &[String]) -> Result<Vec<Option<Item>>> {
        let mut found: Vec<Option<Item>> = ids.iter().map(|_| None).collect();
        if ids.is_empty() {
            return Ok(found);
        }
        let sql = "select asked.key, coalesce((select body from response_items where session = ?1 \
                   and id = asked.value order by seq desc limit 1), (select body from \
                   conversation_items where session = ?1 and id = asked.value order by seq desc \
                   limit 1)) from json_each(?2) as asked";
        let query = sqlx::query(sql).bind(self.session).bind(json!(ids).to_string());
        for row in rows_of(query, &mut *self.database.reader().await?).await? {
            let number: i64 = row.try_get(0)?;
            let place = usize::try_from(number).ok().and_then(|number| found.get_mut(number));
            if let (Some(place), Some(body)) = (place, row.try_get::<Option<&str>, _>(1)?) {
                *place = Some(parse(body)?);
            }
        }
        Ok(found)
    }

    /// How a reply continues after the output of a call, if that was noted.
    pub async fn continuation(&self, call_id: &str) -> Result<Option<String>> {
        let sql = "select body from continuations where session = ? and id = ?";
        let query = sqlx::query_scalar(sql).bind(self.session).bind(call_id);
        Ok(query.fetch_optional(&mut *self.database.reader().await?).await?)
    }

    /// The stored events of a stream that clients can request again.
    pub async fn stream_of_response(&self, id: &Id<Response>) -> Result<Option<String>> {
        let sql = "select stream from responses where session = ? and id = ?";
        let query = sqlx::query_scalar(sql).bind(self.session).bind(id.as_str());
        let found = query.fetch_optional(&mut *self.database.reader().await?).await?;
        Ok(found.flatten())
    }

    /// The responses that have not ended, oldest first.
    pub async fn open_responses(&self) -> Result<Vec<OpenResponse>> {
        let mut reader = self.database.reader().await?;
        let sql = "select body, setting, performance from responses where session = ? and setting \
                   is not null order by seq";
        let rows = rows_of(sqlx::query(sql).bind(self.session), &mut reader).await?;
        let mut open = Vec::with_capacity(rows.len());
        for row in rows {
            let response: Response = parse(row.try_get(0)?)?;
            let sql = "select body from response_items where session = ? and response_id = ? and \
                       is_output = 0 order by seq";
            let query = sqlx::query(sql).bind(self.session).bind(response.id.as_str());
            let items = rows_of(query, &mut reader).await?;
            let items = items.iter().map(|item| parse(item.try_get(0)?));
            open.push(OpenResponse {
                input: items.collect::<Result<_>>()?,
                setting: row.try_get(1)?,
                note: row.try_get::<Option<String>, _>(2)?.unwrap_or_default(),
                response,
            });
        }
        Ok(open)
    }
}
