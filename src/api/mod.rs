//! The API itself: one file per resource, with its routes, its request bodies and its handlers.
//!
//! Handlers read like the API's page: take, check, do, answer. They set no status and spell no SQL.
//! What every resource does alike stands here, once.

mod assistants;
mod messages;
mod models;
mod runs;
mod steps;
mod threads;

use axum::Router;
use serde::Serialize;

use crate::{
    http::{Answer, ApiError, Found, Here, error::Result, extract::Ids},
    store::{self, Paged, Stored},
    types::{Deleted, List, list::PageRequest},
    world::World,
};

pub fn routes() -> Router {
    Router::new()
        .merge(assistants::routes())
        .merge(threads::routes())
        .merge(messages::routes())
        .merge(runs::routes())
        .merge(steps::routes())
        .merge(models::routes())
}

async fn retrieve<T: Stored>(Found(found): Found<T>) -> Answer<T> {
    Answer(found)
}

async fn delete<T: Stored>(here: Here, Found(found): Found<T>) -> Result<Answer<Deleted<T>>> {
    let id = found.id().clone();
    let existed = here.store.write(async move |tx| tx.delete(&id).await).await?;
    // Somebody else may have been faster.
    if existed { Ok(Answer(Deleted::of(found.id().clone()))) } else { Err(ApiError::missing::<T>(found.id().as_str())) }
}

/// Changes an object, reading and writing it in one transaction.
async fn change<T: Stored>(world: &World, of: Ids<T>, change: impl FnOnce(&mut T) + Send + 'static) -> Result<T> {
    let missing = ApiError::missing::<T>(of.own());
    let changed: store::Result<_> = world
        .store
        .write(async move |tx| {
            let Some(mut item) = tx.find::<T>(of.own(), &of.within()).await? else { return Ok(None) };
            change(&mut item);
            tx.put(&item).await?;
            Ok(Some(item))
        })
        .await;
    changed?.ok_or(missing)
}

/// A page of what stands within some parent, each item shown through `view`.
async fn page<T: Stored, V: Serialize>(
    world: &World,
    within: store::Within<'_>,
    page: &PageRequest,
    view: impl FnMut(T) -> V,
) -> Result<Answer<List<V>>> {
    match world.store.list::<T>(within, page).await? {
        Paged::Page(page) => Ok(Answer(List::of(page, view))),
        Paged::UnknownCursor(id) => Err(ApiError::missing::<T>(&id)),
    }
}
