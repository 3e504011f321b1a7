//! The files of vector stores, one by one and in batches.

use axum::{
    Router,
    routing::{get, post},
};

use super::{change, deleted, page};
use crate::{
    http::{
        Answer, ApiError, AppState, Asked, Found, Here, PageQuery, Polled,
        error::Result,
        extract::{Ids, StatusFilter},
    },
    types::{
        Deleted, FileBatch, List, StoreFile, VectorStore,
        search::ContentPage,
        store_file::{AttributesChange, NewFileBatch, NewStoreFile},
    },
};

pub(super) fn routes() -> Router<AppState> {
    const FILES: &str = "/vector_stores/{vector_store_id}/files";
    const BATCHES: &str = "/vector_stores/{vector_store_id}/file_batches";
    Router::new()
        .route(FILES, get(list).post(create))
        .route(&format!("{FILES}/{{file_id}}"), get(retrieve).post(modify).delete(delete))
        .route(&format!("{FILES}/{{file_id}}/content"), get(content))
        .route(BATCHES, post(create_batch))
        .route(&format!("{BATCHES}/{{batch_id}}"), get(retrieve_batch))
        .route(&format!("{BATCHES}/{{batch_id}}/cancel"), post(cancel_batch))
        .route(&format!("{BATCHES}/{{batch_id}}/files"), get(list_batch))
}

async fn create(
    here: Here,
    Asked { of, body }: Asked<VectorStore, NewStoreFile>,
) -> Result<Polled<StoreFile>> {
    let store = of.find(&here).await?;
    let mut added = here.knowledge.add_files(&store.id, vec![body], None).await?;
    added.pop().map(Polled).ok_or_else(|| ApiError::missing::<VectorStore>(of.all()))
}

async fn list(
    here: Here,
    Found(store): Found<VectorStore>,
    query: PageQuery,
    filter: StatusFilter,
) -> Result<Answer<List<StoreFile>>> {
    let mut within = vec![("vector_store_id", store.id.as_str())];
    within.extend(filter.0.as_ref().map(|status| ("status", status.as_str())));
    page(&here, &within, &query.page, |file: StoreFile| file).await
}

async fn retrieve(here: Here, ids: Ids<StoreFile>) -> Result<Polled<StoreFile>> {
    let (store, file) = ids.key();
    here.knowledge.poll_file(store.as_str(), file.as_str()).await;
    ids.find(&here).await.map(Polled)
}

async fn modify(
    here: Here,
    Asked { of, body }: Asked<StoreFile, AttributesChange>,
) -> Result<Polled<StoreFile>> {
    let changed = change(&here, &of, |file: &mut StoreFile| {
        file.attributes = body.attributes.clone();
        Ok::<_, ApiError>(())
    });
    changed.await.map(Polled)
}

async fn delete(here: Here, Found(file): Found<StoreFile>) -> Result<Answer<Deleted<StoreFile>>> {
    let was_there = here.knowledge.remove_from_store(&file).await?;
    deleted(was_there, &file.id, &[file.vector_store_id.to_string(), file.id.to_string()])
        .map(Answer)
}

async fn content(here: Here, Found(file): Found<StoreFile>) -> Result<Answer<ContentPage>> {
    Ok(Answer(ContentPage::new(here.store.text_of(&file).await?)))
}

async fn create_batch(
    here: Here,
    Asked { of, body }: Asked<VectorStore, NewFileBatch>,
) -> Result<Polled<FileBatch>> {
    let store = of.find(&here).await?;
    Ok(Polled(here.knowledge.add_batch(&store.id, body.files).await?))
}

async fn retrieve_batch(here: Here, ids: Ids<FileBatch>) -> Result<Polled<FileBatch>> {
    here.knowledge.poll_batch(ids.own()).await;
    ids.find(&here).await.map(Polled)
}

async fn cancel_batch(here: Here, Found(batch): Found<FileBatch>) -> Result<Polled<FileBatch>> {
    Ok(Polled(here.knowledge.cancel_batch(&batch).await?))
}

async fn list_batch(
    here: Here,
    Found(batch): Found<FileBatch>,
    query: PageQuery,
    filter: StatusFilter,
) -> Result<Answer<List<StoreFile>>> {
    let mut within =
        vec![("vector_store_id", batch.vector_store_id.as_str()), ("batch_id", batch.id.as_str())];
    within.extend(filter.0.as_ref().map(|status| ("status", status.as_str())));
    page(&here, &within, &query.page, |file: StoreFile| file).await
}
