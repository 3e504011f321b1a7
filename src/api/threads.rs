//! Threads: create, retrieve, modify, delete. There is no list of threads, and the error message
//! says why.

use axum::{Router, extract::Request, routing::get};

use super::change;
use crate::{
    http::{
        Answer, ApiError, AppState, Found, PathAndBody, RequestContext,
        answer::ShownAnswer,
        error::Result,
        extract::{JsonBody, PathIds},
    },
    knowledge::Attachments,
    session::SessionState,
    store::Changes,
    types::{
        ApiErrorKind, Deleted, Message, Patch, Thread, new_thread::NewThread, thread::ThreadChange,
        version::Versioned,
    },
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

async fn create(
    context: RequestContext,
    JsonBody(new): JsonBody<NewThread>,
) -> Result<Answer<Versioned<Thread>>> {
    let (thread, messages, attachments) = make(&context, new).await?;
    let mut changes = Changes::new();
    attachments.write(&mut changes, None)?;
    changes.insert_thread(&thread)?;
    for message in &messages {
        changes.insert_message(message, None)?;
    }
    context.store.write(changes).await?;
    context.knowledge.attached(attachments);
    Ok(context.answer(thread))
}

/// A new thread with its files and its first messages, in the order of the request.
pub(super) async fn make(
    context: &RequestContext,
    mut new: NewThread,
) -> Result<(Thread, Vec<Message>, Attachments)> {
    let state: &SessionState = context;
    let attached = state.knowledge.brought(context.dialect.version, &mut new.messages).await?;
    state.knowledge.check_attached(&attached, None).await?;
    state.knowledge.provide(&mut new.tool_resources).await?;
    let attachments = state.knowledge.attach(&mut new.tool_resources, &attached).await?;
    let now = state.clock.now().seconds();
    let thread = Thread::new(state.ids.next(), now, new.metadata, new.tool_resources);
    let messages = new.messages.into_iter();
    let messages = messages
        .map(|message| Message::sent(state.ids.next(), now, thread.id.clone(), message))
        .collect();
    Ok((thread, messages, attachments))
}

async fn retrieve(context: RequestContext, ids: PathIds<Thread>) -> Result<ShownAnswer> {
    context.show(&ids, |thread| context.answer(thread.view())).await
}

async fn modify(
    context: RequestContext,
    PathAndBody { ids: of, mut body }: PathAndBody<Thread, ThreadChange>,
) -> Result<Answer<Versioned<Thread>>> {
    if let Patch::Set(resources) = &mut body.tool_resources {
        of.find(&context).await?;
        context.knowledge.provide(resources).await?;
    }
    let change = change(&context, &of, |thread: &mut Thread| {
        thread.change(body.clone());
        Ok::<_, ApiError>(())
    });
    change.await.map(|thread| context.answer(thread))
}

/// The messages and runs are deleted with their thread. A run in progress ends without an event.
async fn delete(
    context: RequestContext,
    Found(thread): Found<Thread>,
) -> Result<Answer<Deleted<Thread>>> {
    if !context.engine.delete_thread(&thread.id).await? {
        return Err(ApiError::missing::<Thread>(&[thread.id.to_string()]));
    }
    Ok(Answer(Deleted::of(thread.id)))
}
