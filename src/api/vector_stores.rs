//! Vector stores: create, list, retrieve, modify, delete, search.

use axum::{
    Router,
    routing::{get, post},
};

use super::{change, deleted, page};
use crate::{
    http::{
        Answer, ApiError, AppState, Found, PageQuery, PathAndBody, RequestContext,
        error::Result,
        extract::{JsonBody, PageToken, PathIds},
    },
    knowledge::SearchQuestion,
    types::{
        Deleted, List, VectorStore,
        search::{SearchItem, SearchPage, SearchRequest, TextPart},
        vector_store::{NewVectorStore, VectorStoreChange},
    },
};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/vector_stores", get(list).post(create))
        .route("/vector_stores/{vector_store_id}", get(retrieve).post(modify).delete(delete))
        .route("/vector_stores/{vector_store_id}/search", post(search))
}

async fn create(
    context: RequestContext,
    JsonBody(new): JsonBody<NewVectorStore>,
) -> Result<Answer<VectorStore>> {
    Ok(Answer(context.knowledge.make_store(new).await?))
}

async fn list(context: RequestContext, query: PageQuery) -> Result<Answer<List<VectorStore>>> {
    page(&context, &[], &query.page, |store| store).await
}

async fn retrieve(
    context: RequestContext,
    ids: PathIds<VectorStore>,
) -> Result<Answer<VectorStore>> {
    context.count_poll(context.knowledge.poll_store(ids.own())).await;
    ids.find(&context).await.map(Answer)
}

async fn modify(
    context: RequestContext,
    PathAndBody { ids: of, body }: PathAndBody<VectorStore, VectorStoreChange>,
) -> Result<Answer<VectorStore>> {
    let changed = change(&context, &of, |store: &mut VectorStore| {
        store.change(body.clone());
        Ok::<_, ApiError>(())
    });
    let changed = changed.await?;
    context.knowledge.expects(&changed);
    Ok(Answer(changed))
}

async fn delete(
    context: RequestContext,
    Found(store): Found<VectorStore>,
) -> Result<Answer<Deleted<VectorStore>>> {
    let was_there = context.knowledge.delete_store(&store.id).await?;
    deleted(was_there, &store.id, &[store.id.to_string()]).map(Answer)
}

/// `next_page` is the number of the previous results; the client sends it back as `page` in the
/// query. The OpenAPI document describes only the part in the response.
async fn search(
    context: RequestContext,
    PageToken(skip): PageToken,
    PathAndBody { ids: of, body }: PathAndBody<VectorStore, SearchRequest>,
) -> Result<Answer<SearchPage>> {
    let store = of.find(&context).await?;
    let question = SearchQuestion {
        queries: &body.queries,
        filter: body.filter.as_ref(),
        score_threshold: body.score_threshold,
        skip,
        most: body.max_num_results,
    };
    let (hits, has_more) = context.knowledge.search(&[store.id.to_string()], &question).await?;
    let next = has_more.then(|| (skip + hits.len()).to_string());
    let items = hits.into_iter().map(|hit| SearchItem {
        file_id: hit.file_id,
        filename: hit.filename,
        score: hit.score,
        attributes: hit.attributes,
        content: vec![TextPart::new(hit.text)],
    });
    Ok(Answer(SearchPage::new(body.queries, items.collect(), next)))
}
