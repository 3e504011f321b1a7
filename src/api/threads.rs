//! Threads: create, retrieve, modify, delete. There is no list of threads, and the service says why.

use axum::{Router, extract::Request, routing::get};

use super::change;
use crate::{
    http::{Answer, ApiError, Asked, Found, Here, error::Result, extract::Body},
    store::Changes,
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
    let mut changes = Changes::new();
    changes.insert_thread(&thread)?;
    for message in &messages {
        changes.insert_message(message, None)?;
    }
    here.store.write(changes).await?;
    Ok(Answer(thread))
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
    let change = change(&here, &of, |thread: &mut Thread| {
        thread.change(body.clone());
        Ok(())
    });
    change.await.map(Answer)
}

/// Messages and runs go with their thread; a run that is under way ends without a word.
async fn delete(here: Here, Found(thread): Found<Thread>) -> Result<Answer<Deleted<Thread>>> {
    if !here.store.delete(&thread.id).await? {
        return Err(ApiError::missing::<Thread>(thread.id.as_str()));
    }
    here.engine.abandon(&thread.id);
    Ok(Answer(Deleted::of(thread.id)))
}
