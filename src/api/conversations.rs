//! Conversations and their items: create, retrieve, update, delete, list.

use axum::{
    Router,
    routing::{get, post},
};
use serde_json::Value;

use super::{change, delete, deleted, page, retrieve};
use crate::{
    engine::EngineError,
    http::{
        Answer, AppState, Found, PageQuery, PathAndBody, RequestContext,
        error::Result,
        extract::{JsonBody, PathIds},
    },
    store::Changes,
    types::{
        ApiErrorKind, Conversation, Deleted, Id, Item, Metadata, Page, Timestamp,
        list::{ItemList, List},
        reader::{Fields, Path, Read, ValidationErrors},
        response::{
            input::Input,
            question,
            request::{NewConversation, NewItems},
        },
    },
};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/conversations", post(create))
        .route(
            "/conversations/{conversation_id}",
            get(retrieve::<Conversation>).post(update).delete(delete::<Conversation>),
        )
        .route("/conversations/{conversation_id}/items", get(list_items).post(create_items))
        .route(
            "/conversations/{conversation_id}/items/{item_id}",
            get(retrieve::<Item>).delete(delete_item),
        )
}

async fn create(
    context: RequestContext,
    JsonBody(new): JsonBody<NewConversation>,
) -> Result<Answer<Conversation>> {
    let now = context.clock.now().seconds();
    let id = context.ids.next_conversation(now);
    let items = items(&context, &id, new.items, now).await?;
    let conversation = Conversation::new(id, now, new.metadata);
    let mut changes = Changes::new();
    changes.insert_conversation(&conversation)?;
    let turn = question::answered(&items, 0);
    changes.extend_conversation(&conversation.id, &items, 0, None, Some(turn))?;
    context.store.write(changes).await?;
    Ok(Answer(conversation))
}

/// The items of a client, each with an id. An item that is only a reference is looked up.
async fn items(
    context: &RequestContext,
    conversation: &Id<Conversation>,
    given: Input,
    at: Timestamp,
) -> Result<Vec<Item>> {
    let mut items = Vec::with_capacity(given.0.len());
    for new in given.0 {
        items.push(match new.reference().map(str::to_owned) {
            Some(id) => {
                let found = context.store.find_item(&id).await?;
                found.ok_or(ApiErrorKind::ItemNotStored { id })?
            }
            None => new.with_id(|prefix| context.ids.next_item(prefix, conversation, at)),
        });
    }
    Ok(items)
}

/// The new metadata of a conversation.
struct Update {
    metadata: Metadata,
}

impl Read for Update {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let metadata = fields.or_default("metadata");
        fields.finish();
        Some(Self { metadata: metadata? })
    }
}

async fn update(
    context: RequestContext,
    PathAndBody { ids, body }: PathAndBody<Conversation, Update>,
) -> Result<Answer<Conversation>> {
    let changed = change(&context, &ids, |conversation: &mut Conversation| {
        conversation.metadata = body.metadata.clone();
        Ok::<_, EngineError>(())
    });
    changed.await.map(Answer)
}

async fn list_items(
    context: RequestContext,
    Found(conversation): Found<Conversation>,
    query: PageQuery,
) -> Result<Answer<ItemList>> {
    let within = [("conversation_id", conversation.id.as_str())];
    let Answer(list) = page(&context, &within, &query.page, |item: Item| item).await?;
    Ok(Answer(list.into()))
}

async fn create_items(
    context: RequestContext,
    PathAndBody { ids, body }: PathAndBody<Conversation, NewItems>,
) -> Result<Answer<ItemList>> {
    let conversation = ids.find(&context).await?;
    let _lock = context.engine.lock_conversation(&conversation.id)?;
    let now = context.clock.now().seconds();
    let items = items(&context, &conversation.id, body.0, now).await?;
    let end = context.store.conversation_end(&conversation.id).await?;
    let (behind, turn) = end.map_or((0, 0), |end| (end.last, end.turn));
    let turn = question::answered(&items, turn);
    let mut changes = Changes::new();
    changes.extend_conversation(&conversation.id, &items, behind, None, Some(turn))?;
    context.store.write(changes).await?;
    // Another request may have deleted the conversation in the meantime.
    ids.find(&context).await?;
    let page = Page { items, has_more: false };
    Ok(Answer(List::from_page(page, |item: Item| item).into()))
}

async fn delete_item(context: RequestContext, ids: PathIds<Item>) -> Result<Answer<Deleted<Item>>> {
    let (conversation, item) = ids.key();
    ids.parent::<Conversation>().find(&context).await?;
    let _lock = context.engine.lock_conversation(&conversation)?;
    let mut changes = Changes::new();
    changes.delete_conversation_item(&conversation, &item);
    let was_there = context.store.write(changes).await?;
    deleted(was_there, &item, ids.all()).map(Answer)
}
