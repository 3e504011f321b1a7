//! The chunks of a file in a vector store. A search returns such chunks.

use axum::{Router, extract::Path, routing::get};
use serde::Serialize;

use super::{ListBody, Query};
use crate::{
    http::{Answer, ApiError, AppState, error::Result, extract::InSession},
    types::{Id, StoreFile},
};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/vector_stores/{vector_store_id}/files/{file_id}/chunks", get(list))
}

#[derive(Serialize)]
struct ChunkView {
    object: &'static str,
    /// The start of the chunk in the text of the file, in bytes.
    start: i64,
    text: String,
}

async fn list(
    InSession(session): InSession,
    Path((store, file)): Path<(String, String)>,
    query: Query,
) -> Result<Answer<ListBody<ChunkView>>> {
    query.only(&[])?;
    let state = session.state();
    let key = (Id::new(store.as_str()), Id::new(file.as_str()));
    let Some(found) = state.store.find::<StoreFile>(&key).await? else {
        return Err(ApiError::missing::<StoreFile>(&[store, file]));
    };
    let chunks = state.store.chunks_of(&found).await?.into_iter();
    let chunks = chunks.map(|(start, text)| ChunkView { object: "chunk", start, text });
    Ok(Answer(ListBody::all(chunks.collect())))
}
