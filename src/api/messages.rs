//! Messages: create, list, retrieve, modify, delete.

use axum::{Router, routing::get};

use super::{change, delete, page};
use crate::{
    http::{
        Answer, ApiError, AppState, Found, PageQuery, PathAndBody, RequestContext,
        answer::ShownAnswer, error::Result, extract::PathIds,
    },
    types::{
        Id, List, Message, Metadata, Thread, View,
        message::{MessageView, NewMessage},
        metadata::MetadataChange,
        version::Versioned,
    },
};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/threads/{thread_id}/messages", get(list).post(create)).route(
        "/threads/{thread_id}/messages/{message_id}",
        get(retrieve).post(modify).delete(delete::<Message>),
    )
}

async fn create(
    context: RequestContext,
    PathAndBody { ids: of, mut body }: PathAndBody<Thread, NewMessage>,
) -> Result<Answer<Versioned<MessageView>>> {
    let attached =
        context.knowledge.brought(context.dialect.version, std::slice::from_mut(&mut body)).await?;
    context.knowledge.check_attached(&attached, Some(&Id::new(of.own()))).await?;
    let message =
        Message::sent(context.ids.next(), context.clock.now().seconds(), Id::new(of.own()), body);
    let added = context.engine.add_message(message, &attached).await?;
    Ok(context.answer(added.into()))
}

async fn list(
    context: RequestContext,
    Found(thread): Found<Thread>,
    query: PageQuery,
) -> Result<Answer<List<Versioned<MessageView>>>> {
    let mut within = vec![("thread_id", thread.id.as_str())];
    within.extend(query.run_id.as_ref().map(|run| ("run_id", run.as_str())));
    page(&context, &within, &query.page, |message: Message| {
        MessageView::from(message).seen(context.dialect.version)
    })
    .await
}

async fn retrieve(context: RequestContext, ids: PathIds<Message>) -> Result<ShownAnswer> {
    context.show(&ids, |message| context.answer(MessageView::from(message))).await
}

async fn modify(
    context: RequestContext,
    PathAndBody { ids: of, body }: PathAndBody<Message, MetadataChange>,
) -> Result<Answer<Versioned<MessageView>>> {
    let changed = change(&context, &of, |message: &mut Message| {
        body.metadata.clone().apply_or(&mut message.metadata, Metadata::default);
        Ok::<_, ApiError>(())
    });
    changed.await.map(|message| context.answer(MessageView::modified(message)))
}
