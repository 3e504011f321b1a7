//! Messages: create, list, retrieve, modify, delete.

use axum::{Router, routing::get};

use super::{change, delete, page};
use crate::{
    engine,
    http::{Answer, Asked, Found, Here, PageQuery, error::Result},
    knowledge::Attached,
    types::{
        Id, List, Message, Metadata, Thread,
        message::{MessageView, NewMessage},
        metadata::MetadataChange,
    },
};

pub(super) fn routes() -> Router {
    Router::new()
        .route("/threads/{thread_id}/messages", get(list).post(create))
        .route("/threads/{thread_id}/messages/{message_id}", get(retrieve).post(modify).delete(delete::<Message>))
}

async fn create(here: Here, Asked { of, body }: Asked<Thread, NewMessage>) -> Result<Answer<MessageView>> {
    let attached = Attached::to(std::slice::from_ref(&body));
    here.knowledge.judge_attached(&attached, Some(&Id::new(of.own()))).await?;
    let message = Message::sent(here.ids.next(), here.clock.now().seconds(), Id::new(of.own()), body);
    let added = engine::add_message(&here.store, message).await?;
    here.knowledge.attach_to(&added.thread_id, &attached).await?;
    Ok(Answer(added.into()))
}

async fn list(here: Here, Found(thread): Found<Thread>, query: PageQuery) -> Result<Answer<List<MessageView>>> {
    let mut within = vec![("thread_id", thread.id.as_str())];
    within.extend(query.run_id.as_ref().map(|run| ("run_id", run.as_str())));
    page(&here, &within, &query.page, |message: Message| message.into()).await
}

async fn retrieve(Found(message): Found<Message>) -> Answer<MessageView> {
    Answer(message.into())
}

async fn modify(here: Here, Asked { of, body }: Asked<Message, MetadataChange>) -> Result<Answer<MessageView>> {
    let changed = change(&here, &of, |message: &mut Message| {
        body.metadata.clone().apply_or(&mut message.metadata, Metadata::default);
        Ok(())
    });
    changed.await.map(|message| Answer(MessageView::modified(message)))
}
