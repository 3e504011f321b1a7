//! The threads of a session, and one as a fixture that would answer it again.

use axum::{
    Router,
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;

use super::Query;
use crate::{
    http::{Answer, ApiError, AppState, PageQuery, error::Result, extract::InSession},
    store::{Paged, ThreadBackground, ThreadFilter},
    transcript::{self, ExportError},
    types::{Id, List, Metadata, Thread, Timestamp},
};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/threads", get(list)).route("/threads/{thread_id}/fixture", get(export))
}

/// The summary of a thread.
#[derive(Serialize)]
struct ThreadSummary {
    object: &'static str,
    id: Id<Thread>,
    created_at: Timestamp,
    metadata: Metadata,
    messages: i64,
    runs: i64,
    /// The start of its first message.
    message: Option<String>,
}

/// The threads of the session, newest first. `q` selects threads with this text in a message or in
/// their metadata. `id` selects the thread that has this id, or that has an object with this id.
async fn list(
    InSession(session): InSession,
    query: Query,
    PageQuery { page, .. }: PageQuery,
) -> Result<Answer<List<ThreadSummary>>> {
    query.only(&["q", "id", "limit", "order", "after", "before"])?;
    let store = session.state().store.clone();
    let filter = match (query.get("id"), query.get("q")) {
        (Some(id), _) => ThreadFilter::Id(id),
        (None, Some(text)) => ThreadFilter::Text(text),
        (None, None) => ThreadFilter::All,
    };
    let found = store.search_threads(filter, &page).await?;
    let page = match found {
        Paged::Page(page) => page,
        Paged::UnknownCursor(id) => return Err(ApiError::missing::<Thread>(&[id])),
    };
    let mut backgrounds = store.thread_backgrounds(&page.items).await?;
    let keys = session.keys.now();
    Ok(Answer(List::from_page(page, |thread| {
        let ThreadBackground { messages, runs, mut message } =
            backgrounds.remove(thread.id.as_str()).unwrap_or_default();
        message.iter_mut().for_each(|text| keys.clean_text(text));
        let Thread { id, created_at, metadata, .. } = thread;
        ThreadSummary {
            object: "thread.summary",
            id,
            created_at,
            metadata,
            messages,
            runs,
            message,
        }
    })))
}

async fn export(InSession(session): InSession, Path(thread): Path<String>) -> Result<Response> {
    let exported =
        transcript::export(&session.state().store, &Id::new(thread), session.redactor()).await;
    match exported {
        Ok(exported) => {
            let yaml = HeaderValue::from_static("application/yaml");
            Ok(([(header::CONTENT_TYPE, yaml)], exported.text).into_response())
        }
        Err(ExportError::NoThread(id)) => Err(ApiError::missing::<Thread>(&[id.to_string()])),
        Err(ExportError::Store(error)) => Err(error.into()),
        Err(error @ ExportError::Unwritten(_)) => Err(std::io::Error::other(error).into()),
    }
}
