//! Vector stores: create, list, retrieve, modify, delete, search.

use axum::{
    Router,
    routing::{get, post},
};

use super::{change, deleted, page};
use crate::{
    http::{
        Answer, ApiError, AppState, Asked, Found, Here, PageQuery,
        error::Result,
        extract::{Body, Ids, PageToken},
    },
    knowledge::Question,
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

async fn create(here: Here, Body(new): Body<NewVectorStore>) -> Result<Answer<VectorStore>> {
    Ok(Answer(here.knowledge.make_store(new).await?))
}

async fn list(here: Here, query: PageQuery) -> Result<Answer<List<VectorStore>>> {
    page(&here, &[], &query.page, |store| store).await
}

async fn retrieve(here: Here, ids: Ids<VectorStore>) -> Result<Answer<VectorStore>> {
    here.knowledge.poll_store(ids.own()).await;
    ids.find(&here).await.map(Answer)
}

async fn modify(
    here: Here,
    Asked { of, body }: Asked<VectorStore, VectorStoreChange>,
) -> Result<Answer<VectorStore>> {
    let changed = change(&here, &of, |store: &mut VectorStore| {
        store.change(body.clone());
        Ok::<_, ApiError>(())
    });
    let changed = changed.await?;
    here.knowledge.expects(&changed);
    Ok(Answer(changed))
}

async fn delete(
    here: Here,
    Found(store): Found<VectorStore>,
) -> Result<Answer<Deleted<VectorStore>>> {
    let was_there = here.knowledge.delete_store(&store.id).await?;
    deleted(was_there, &store.id, &[store.id.to_string()]).map(Answer)
}

/// `next_page` is how many results came before; it goes into the query as `page`. The OpenAPI
/// document has the answer's half of this only.
async fn search(
    here: Here,
    PageToken(skip): PageToken,
    Asked { of, body }: Asked<VectorStore, SearchRequest>,
) -> Result<Answer<SearchPage>> {
    let store = of.find(&here).await?;
    let question = Question {
        queries: &body.queries,
        filter: body.filter.as_ref(),
        score_threshold: body.score_threshold,
        skip,
        most: body.max_num_results,
    };
    let (hits, has_more) = here.knowledge.search(&[store.id.to_string()], &question).await?;
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
