//! The files of vector stores, one by one and in batches.

use axum::{
    Router,
    routing::{get, post},
};

use super::{change, deleted, page};
use crate::{
    http::{
        Answer, ApiError, AppState, Found, PageQuery, PathAndBody, Polled, RequestContext,
        error::Result,
        extract::{PathIds, StatusFilter},
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
    context: RequestContext,
    PathAndBody { ids: of, body }: PathAndBody<VectorStore, NewStoreFile>,
) -> Result<Polled<StoreFile>> {
    let store = of.find(&context).await?;
    let mut added = context.knowledge.add_files(&store.id, vec![body], None).await?;
    added.pop().map(Polled).ok_or_else(|| ApiError::missing::<VectorStore>(of.all()))
}

async fn list(
    context: RequestContext,
    Found(store): Found<VectorStore>,
    query: PageQuery,
    filter: StatusFilter,
) -> Result<Answer<List<StoreFile>>> {
    let mut within = vec![("vector_store_id", store.id.as_str())];
    within.extend(filter.0.as_ref().map(|status| ("status", status.as_str())));
    page(&context, &within, &query.page, |file: StoreFile| file).await
}

async fn retrieve(context: RequestContext, ids: PathIds<StoreFile>) -> Result<Polled<StoreFile>> {
    let (store, file) = ids.key();
    context.count_poll(context.knowledge.poll_file(store.as_str(), file.as_str())).await;
    ids.find(&context).await.map(Polled)
}

async fn modify(
    context: RequestContext,
    PathAndBody { ids: of, body }: PathAndBody<StoreFile, AttributesChange>,
) -> Result<Polled<StoreFile>> {
    let changed = change(&context, &of, |file: &mut StoreFile| {
        file.attributes = body.attributes.clone();
        Ok::<_, ApiError>(())
    });
    changed.await.map(Polled)
}

async fn delete(
    context: RequestContext,
    Found(file): Found<StoreFile>,
) -> Result<Answer<Deleted<StoreFile>>> {
    let was_there = context.knowledge.remove_from_store(&file).await?;
    deleted(was_there, &file.id, &[file.vector_store_id.to_string(), file.id.to_string()])
        .map(Answer)
}

async fn content(
    context: RequestContext,
    Found(file): Found<StoreFile>,
) -> Result<Answer<ContentPage>> {
    Ok(Answer(ContentPage::new(context.store.text_of(&file).await?)))
}

async fn create_batch(
    context: RequestContext,
    PathAndBody { ids: of, body }: PathAndBody<VectorStore, NewFileBatch>,
) -> Result<Polled<FileBatch>> {
    let store = of.find(&context).await?;
    Ok(Polled(context.knowledge.add_batch(&store.id, body.files).await?))
}

async fn retrieve_batch(
    context: RequestContext,
    ids: PathIds<FileBatch>,
) -> Result<Polled<FileBatch>> {
    context.count_poll(context.knowledge.poll_batch(ids.own())).await;
    ids.find(&context).await.map(Polled)
}

async fn cancel_batch(
    context: RequestContext,
    Found(batch): Found<FileBatch>,
) -> Result<Polled<FileBatch>> {
    Ok(Polled(context.knowledge.cancel_batch(&batch).await?))
}

async fn list_batch(
    context: RequestContext,
    Found(batch): Found<FileBatch>,
    query: PageQuery,
    filter: StatusFilter,
) -> Result<Answer<List<StoreFile>>> {
    let mut within =
        vec![("vector_store_id", batch.vector_store_id.as_str()), ("batch_id", batch.id.as_str())];
    within.extend(filter.0.as_ref().map(|status| ("status", status.as_str())));
    page(&context, &within, &query.page, |file: StoreFile| file).await
}
