//! The questions that only responses and conversations ask: what a chain and a conversation hold,
//! how a reply goes on, and what a restart takes up.

use sqlx::Row;

use super::{
    Result, Store,
    table::{parse, rows_of},
};
use crate::types::{Conversation, Id, Item, Order, Page, Response, list::PageRequest};

/// A response that has not ended, with what is needed to go on with it.
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
    /// The number of the question that was answered last.
    pub turn: i64,
    /// The place of the newest item.
    pub newest: Option<i64>,
}

/// How many responses of a chain, and how many items, are read at a time.
const CHAIN_STRIDE: i64 = 32;
const ITEM_STRIDE: i64 = 100;

/// A place among the items of a chain, from its end backwards.
#[derive(Clone, Debug)]
struct ChainPlace {
    response: Id<Response>,
    /// Of the response that is asked for, its own answer is not among them.
    with_output: bool,
}

/// The next items of a walk, newest first, and where it goes on.
struct Stretch {
    items: Vec<Item>,
    next: Option<ChainPlace>,
}

impl Store {
    /// The number of the question of a response, if there is such a response.
    pub async fn turn_of_response(&self, id: &Id<Response>) -> Result<Option<i64>> {
        let query = sqlx::query_scalar("select turn from responses where session = ? and id = ?");
        let query = query.bind(self.session).bind(id.as_str());
        Ok(query.fetch_optional(&mut *self.database.reader().await?).await?)
    }

    /// The end of a conversation, if there is such a conversation.
    pub async fn conversation_end(&self, id: &Id<Conversation>) -> Result<Option<ConversationEnd>> {
        let sql = "select turn, (select max(seq) from conversation_items as it where it.session = \
                   conversations.session and it.conversation_id = conversations.id) from \
                   conversations where session = ? and id = ?";
        let query = sqlx::query_as(sql).bind(self.session).bind(id.as_str());
        let end: Option<(i64, Option<i64>)> =
            query.fetch_optional(&mut *self.database.reader().await?).await?;
        Ok(end.map(|(turn, newest)| ConversationEnd { turn, newest }))
    }

    /// Walks a conversation back from below a place, newest item first, for as long as `more` wants
    /// to see another one.
    pub async fn walk_conversation(
        &self,
        id: &Id<Conversation>,
        mut below: i64,
        mut more: impl FnMut(Item) -> bool,
    ) -> Result<()> {
        loop {
            let sql = "select seq, body from conversation_items where session = ? and \
                       conversation_id = ? and seq < ? order by seq desc limit ?";
            let query =
                sqlx::query(sql).bind(self.session).bind(id.as_str()).bind(below).bind(ITEM_STRIDE);
            let rows = rows_of(query, &mut *self.database.reader().await?).await?;
            for row in &rows {
                below = row.try_get(0)?;
                if !more(parse(row.try_get(1)?)?) {
                    return Ok(());
                }
            }
            if (rows.len() as i64) < ITEM_STRIDE {
                return Ok(());
            }
        }
    }

    /// Walks a chain back from the answer of a response on, newest item first, for as long as
    /// `more` wants to see another one.
    pub async fn walk_chain(
        &self,
        from: &Id<Response>,
        mut more: impl FnMut(Item) -> bool,
    ) -> Result<()> {
        let mut place = Some(ChainPlace { response: from.clone(), with_output: true });
        while let Some(from) = place {
            let stretch = self.stretch(&from).await?;
            for item in stretch.items {
                if !more(item) {
                    return Ok(());
                }
            }
            place = stretch.next;
        }
        Ok(())
    }

    /// The items of so many responses of a chain.
    async fn stretch(&self, from: &ChainPlace) -> Result<Stretch> {
        let sql = "with recursive chain (id, previous_id, depth) as (select id, previous_id, 0 from \
                   responses where session = ?1 and id = ?2 union all select it.id, \
                   it.previous_id, depth + 1 from chain cross join responses as it on it.session = \
                   ?1 and it.id = chain.previous_id where depth + 1 < ?3) select depth, \
                   chain.previous_id, item.body, item.is_output from chain left join \
                   response_items as item on item.session = ?1 and item.response_id = chain.id \
                   order by depth, item.seq desc";
        let query =
            sqlx::query(sql).bind(self.session).bind(from.response.as_str()).bind(CHAIN_STRIDE);
        let rows = rows_of(query, &mut *self.database.reader().await?).await?;
        let (mut items, mut last) = (Vec::new(), (0, None));
        for row in &rows {
            let depth: i64 = row.try_get(0)?;
            last = (depth, row.try_get::<Option<String>, _>(1)?);
            let Some(body) = row.try_get::<Option<&str>, _>(2)? else { continue };
            let is_output: i64 = row.try_get(3)?;
            if depth > 0 || from.with_output || is_output == 0 {
                items.push(parse(body)?);
            }
        }
        let next = last
            .1
            .filter(|_| last.0 + 1 == CHAIN_STRIDE)
            .map(|previous| ChainPlace { response: Id::new(previous), with_output: true });
        Ok(Stretch { items, next })
    }

    /// A page of what a response was given to read: its own items, then those of the chain or the
    /// conversation before it. None if the cursor is none of them.
    pub async fn input_items(
        &self,
        of: &Response,
        page: &PageRequest,
    ) -> Result<Option<Page<Item>>> {
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let ascending = page.order == Order::Ascending;
        let (mut items, mut is_behind) = (Vec::new(), page.after.is_none() || ascending);
        let mut take = |item: Item| {
            if is_behind {
                items.push(item);
            } else {
                is_behind = page.after.as_deref() == Some(item.id.as_str());
            }
            // One more tells that there are more.
            ascending || items.len() <= limit
        };
        let own = ChainPlace { response: of.id.clone(), with_output: false };
        let (mut place, mut goes_on) = (Some(own), true);
        while let Some(from) = place.filter(|_| goes_on) {
            let stretch = self.stretch(&from).await?;
            goes_on = stretch.items.into_iter().all(&mut take);
            place = stretch.next;
        }
        if let (Some(conversation), Some(end), true) =
            (&of.settings.conversation, of.settings.conversation_end, goes_on)
        {
            self.walk_conversation(conversation, end.saturating_add(1), &mut take).await?;
        }
        if !is_behind {
            return Ok(None);
        }
        if ascending {
            items.reverse();
            if let Some(after) = &page.after {
                let place = items.iter().position(|item| item.id.as_str() == after);
                let Some(place) = place else { return Ok(None) };
                items.drain(..=place);
            }
        }
        let has_more = items.len() > limit;
        items.truncate(limit);
        Ok(Some(Page { items, has_more }))
    }

    /// An item of a response or a conversation, by its id alone.
    pub async fn find_item(&self, id: &str) -> Result<Option<Item>> {
        let sql = "select body from response_items where session = ?1 and id = ?2 union all select \
                   body from conversation_items where session = ?1 and id = ?2 limit 1";
        let query = sqlx::query_scalar::<_, String>(sql).bind(self.session).bind(id);
        let body = query.fetch_optional(&mut *self.database.reader().await?).await?;
        body.map(|body| parse(&body)).transpose()
    }

    /// How a reply goes on once the output of a call is there, if that was noted.
    pub async fn continuation(&self, call_id: &str) -> Result<Option<String>> {
        let sql = "select body from continuations where session = ? and id = ?";
        let query = sqlx::query_scalar(sql).bind(self.session).bind(call_id);
        Ok(query.fetch_optional(&mut *self.database.reader().await?).await?)
    }

    /// The events of a stream that can be asked for again, as they were kept.
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
