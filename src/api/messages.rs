//! Messages: create, list, retrieve, modify, delete.

use axum::{Router, routing::get};

use super::{change, delete, page};
use crate::{
    engine,
    http::{Answer, ApiError, AppState, Asked, Found, Here, PageQuery, error::Result},
    types::{
        Id, List, Message, Metadata, Thread, View,
        message::{MessageView, NewMessage},
        metadata::MetadataChange,
        version::Seen,
    },
};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/threads/{thread_id}/messages", get(list).post(create)).route(
        "/threads/{thread_id}/messages/{message_id}",
        get(retrieve).post(modify).delete(delete::<Message>),
    )
}

async fn create(
    here: Here,
    Asked { of, mut body }: Asked<Thread, NewMessage>,
) -> Result<Answer<Seen<MessageView>>> {
    let attached =
        here.knowledge.brought(here.manner.version, std::slice::from_mut(&mut body)).await?;
    here.knowledge.judge_attached(&attached, Some(&Id::new(of.own()))).await?;
    let message =
        Message::sent(here.ids.next(), here.clock.now().seconds(), Id::new(of.own()), body);
    let added = engine::add_message(&here.store, &here.knowledge, message, &attached).await?;
    Ok(here.answer(added.into()))
}

async fn list(
    here: Here,
    Found(thread): Found<Thread>,
    query: PageQuery,
) -> Result<Answer<List<Seen<MessageView>>>> {
    let mut within = vec![("thread_id", thread.id.as_str())];
    within.extend(query.run_id.as_ref().map(|run| ("run_id", run.as_str())));
    page(&here, &within, &query.page, |message: Message| {
        MessageView::from(message).seen(here.manner.version)
    })
    .await
}

async fn retrieve(here: Here, Found(message): Found<Message>) -> Answer<Seen<MessageView>> {
    here.answer(message.into())
}

async fn modify(
    here: Here,
    Asked { of, body }: Asked<Message, MetadataChange>,
) -> Result<Answer<Seen<MessageView>>> {
    let changed = change(&here, &of, |message: &mut Message| {
        body.metadata.clone().apply_or(&mut message.metadata, Metadata::default);
        Ok::<_, ApiError>(())
    });
    changed.await.map(|message| here.answer(MessageView::modified(message)))
}
