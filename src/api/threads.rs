//! Threads: create, retrieve, modify, delete. There is no list of threads, and the service says
//! why.

use axum::{Router, extract::Request, routing::get};

use super::change;
use crate::{
    http::{Answer, ApiError, AppState, Asked, Found, Here, error::Result, extract::Body},
    knowledge::Attachments,
    store::Changes,
    types::{
        Deleted, Message, Patch, ApiErrorKind, Thread, new_thread::NewThread, thread::ThreadChange,
        version::Seen,
    },
    world::World,
};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/threads", get(list).post(create))
        .route("/threads/{thread_id}", get(retrieve).post(modify).delete(delete))
}

async fn list(request: Request) -> ApiError {
    ApiErrorKind::SessionKeyNeeded {
        method: request.method().to_string(),
        path: format!("/v1{}", request.uri().path()),
    }
    .into()
}

async fn create(here: Here, Body(new): Body<NewThread>) -> Result<Answer<Seen<Thread>>> {
    let (thread, messages, attachments) = make(&here, new).await?;
    let mut changes = Changes::new();
    attachments.write(&mut changes, None)?;
    changes.insert_thread(&thread)?;
    for message in &messages {
        changes.insert_message(message, None)?;
    }
    here.store.write(changes).await?;
    here.knowledge.attached(attachments);
    Ok(here.answer(thread))
}

/// A new thread, its first messages, in the order given, and their files.
pub(super) async fn make(
    here: &Here,
    mut new: NewThread,
) -> Result<(Thread, Vec<Message>, Attachments)> {
    let world: &World = here;
    let attached = world.knowledge.brought(here.manner.version, &mut new.messages).await?;
    world.knowledge.judge_attached(&attached, None).await?;
    world.knowledge.provide(&mut new.tool_resources).await?;
    let attachments = world.knowledge.attach(&mut new.tool_resources, &attached).await?;
    let now = world.clock.now().seconds();
    let thread = Thread::new(world.ids.next(), now, new.metadata, new.tool_resources);
    let messages = new.messages.into_iter();
    let messages = messages
        .map(|message| Message::sent(world.ids.next(), now, thread.id.clone(), message))
        .collect();
    Ok((thread, messages, attachments))
}

async fn retrieve(here: Here, Found(thread): Found<Thread>) -> Answer<Seen<Thread>> {
    here.answer(thread.as_read())
}

async fn modify(
    here: Here,
    Asked { of, mut body }: Asked<Thread, ThreadChange>,
) -> Result<Answer<Seen<Thread>>> {
    if let Patch::Set(resources) = &mut body.tool_resources {
        of.find(&here).await?;
        here.knowledge.provide(resources).await?;
    }
    let change = change(&here, &of, |thread: &mut Thread| {
        thread.change(body.clone());
        Ok::<_, ApiError>(())
    });
    change.await.map(|thread| here.answer(thread))
}

/// Messages and runs go with their thread; a run that is under way ends without a word.
async fn delete(here: Here, Found(thread): Found<Thread>) -> Result<Answer<Deleted<Thread>>> {
    if !here.store.delete(&thread.id).await? {
        return Err(ApiError::missing::<Thread>(&[thread.id.to_string()]));
    }
    here.engine.abandon(&thread.id);
    Ok(Answer(Deleted::of(thread.id)))
}
