//! The API itself: one file per resource, with its routes, its request bodies and its handlers.
//!
//! Handlers read like the API's page: take, check, do, answer. They set no status and spell no SQL.
//! What every resource does alike stands here, once.

mod assistants;
mod files;
mod messages;
mod models;
mod runs;
mod steps;
mod store_files;
mod threads;
mod uploads;
mod vector_stores;

use axum::Router;
use serde::Serialize;

use crate::{
    engine::Refused,
    http::{Answer, ApiError, Found, Here, error::Result, extract::Ids},
    store::{self, Changeable, Deletable, Paged, Stored},
    types::{Deleted, Id, List, Resource, list::PageRequest},
    world::World,
};

pub(crate) fn routes() -> Router {
    Router::new()
        .merge(assistants::routes())
        .merge(threads::routes())
        .merge(messages::routes())
        .merge(runs::routes())
        .merge(steps::routes())
        .merge(models::routes())
        .merge(files::routes())
        .merge(uploads::routes())
        .merge(vector_stores::routes())
        .merge(store_files::routes())
}

async fn retrieve<T: Stored>(Found(found): Found<T>) -> Answer<T> {
    Answer(found)
}

async fn delete<T: Deletable>(here: Here, Found(found): Found<T>) -> Result<Answer<Deleted<T>>> {
    let was_there = here.store.delete(found.id()).await?;
    deleted(was_there, found.id(), &[found.id().to_string()]).map(Answer)
}

/// What a delete answers: somebody else may have been faster.
fn deleted<T: Resource>(was_there: bool, id: &Id<T>, path: &[String]) -> Result<Deleted<T>> {
    if was_there { Ok(Deleted::of(id.clone())) } else { Err(ApiError::missing::<T>(path)) }
}

/// Changes an object that exists. What `change` refuses changes nothing.
async fn change<T: Changeable>(world: &World, of: &Ids<T>, change: impl Fn(&mut T) -> Result<(), Refused> + Send) -> Result<T> {
    match world.store.change(of.all(), change).await? {
        Some(changed) => Ok(changed?),
        None => Err(ApiError::missing::<T>(of.all())),
    }
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
        Paged::UnknownCursor(id) => {
            let parents = within.iter().filter(|(column, _)| T::PATH.contains(column)).map(|(_, id)| (*id).to_owned());
            Err(ApiError::missing::<T>(&parents.chain([id]).collect::<Vec<_>>()))
        }
    }
}
