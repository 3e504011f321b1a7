//! The files of messages, which only v1 has: list, retrieve.

use axum::{Router, routing::get};

use super::within;
use crate::{
    http::{
        Answer, ApiError, AppState, Found, PageQuery, RequestContext,
        error::Result,
        extract::{OnlyV1, PathIds},
    },
    types::{List, Message, v1::MessageFile},
};

pub(super) fn routes() -> Router<AppState> {
    const FILES: &str = "/threads/{thread_id}/messages/{message_id}/files";
    Router::new().route(FILES, get(list)).route(&format!("{FILES}/{{file_id}}"), get(retrieve))
}

async fn list(
    _: OnlyV1,
    Found(message): Found<Message>,
    query: PageQuery,
) -> Result<Answer<List<MessageFile>>> {
    within(
        MessageFile::all(&message),
        &query.page,
        &[message.thread_id.to_string(), message.id.to_string()],
    )
}

async fn retrieve(
    _: OnlyV1,
    context: RequestContext,
    ids: PathIds<MessageFile>,
) -> Result<Answer<MessageFile>> {
    let message = ids.parent::<Message>().find(&context).await?;
    let found = MessageFile::all(&message).into_iter().find(|file| file.id.as_str() == ids.own());
    found.map(Answer).ok_or_else(|| ApiError::missing::<MessageFile>(ids.all()))
}
