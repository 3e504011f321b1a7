//! Threads: create, retrieve, modify, delete. There is no list of threads, and the service says why.

use axum::{Router, extract::Request, routing::get};

use super::change;
use crate::{
    http::{Answer, ApiError, Asked, Found, Here, error::Result, extract::Body},
    store,
    types::{
        Deleted, Message, Refusal, Thread,
        thread::{NewThread, ThreadChange},
    },
    world::World,
};

pub(super) fn routes() -> Router {
    Router::new()
        .route("/threads", get(list).post(create))
        .route("/threads/{thread_id}", get(retrieve).post(modify).delete(delete))
}

async fn list(request: Request) -> ApiError {
    Refusal::SessionKeyNeeded { method: request.method().to_string(), path: format!("/v1{}", request.uri().path()) }.into()
}

async fn create(here: Here, Body(new): Body<NewThread>) -> Result<Answer<Thread>> {
    let (thread, messages) = make(&here, new);
    let stored: store::Result<_> = here
        .store
        .write(async move |tx| {
            tx.insert(&thread).await?;
            for message in &messages {
                tx.insert(message).await?;
            }
            Ok(thread)
        })
        .await;
    Ok(Answer(stored?))
}

/// A new thread and its first messages, in the order given.
pub(super) fn make(world: &World, new: NewThread) -> (Thread, Vec<Message>) {
    let now = world.clock.now().seconds();
    let thread = Thread::new(world.ids.next(), now, new.metadata, new.tool_resources);
    let messages = new.messages.into_iter();
    let messages = messages.map(|message| Message::sent(world.ids.next(), now, thread.id.clone(), message)).collect();
    (thread, messages)
}

async fn retrieve(Found(thread): Found<Thread>) -> Answer<Thread> {
    Answer(thread.as_read())
}

async fn modify(here: Here, Asked { of, body }: Asked<Thread, ThreadChange>) -> Result<Answer<Thread>> {
    change(&here, of, |thread: &mut Thread| thread.change(body)).await.map(Answer)
}

/// Messages and runs go with their thread; a run that is under way ends without a word.
async fn delete(here: Here, Found(thread): Found<Thread>) -> Result<Answer<Deleted<Thread>>> {
    let id = thread.id.clone();
    let deleted: store::Result<_> = here
        .store
        .write(async move |tx| {
            let holder = tx.holder(&id).await?;
            Ok((tx.delete(&id).await?, holder.flatten()))
        })
        .await;
    let (existed, holder) = deleted?;
    if let Some(run) = holder {
        here.engine.abandon(&run);
    }
    if existed { Ok(Answer(Deleted::of(thread.id))) } else { Err(ApiError::missing::<Thread>(thread.id.as_str())) }
}
