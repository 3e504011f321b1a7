//! The API itself: one file per resource, with its routes, its request bodies and its handlers.
//!
//! Handlers read like the page of the API: take, check, do, return. They set no status and contain
//! no SQL. The code that all resources share is here.

mod assistant_files;
mod assistants;
mod containers;
mod conversations;
mod files;
pub(crate) mod matching;
mod message_files;
mod messages;
mod models;
mod responses;
mod runs;
mod steps;
mod store_files;
mod threads;
mod uploads;
mod vector_stores;

use axum::Router;
use serde::Serialize;

use crate::{
    http::{Answer, ApiError, AppState, Found, RequestContext, error::Result, extract::PathIds},
    session::SessionState,
    store::{self, Changeable, Deletable, Paged, Stored},
    types::{
        Deleted, Id, List, Order, Resource,
        list::{Page, PageRequest},
    },
};

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .merge(assistants::routes())
        .merge(assistant_files::routes())
        .merge(threads::routes())
        .merge(messages::routes())
        .merge(message_files::routes())
        .merge(conversations::routes())
        .merge(responses::routes())
        .merge(containers::routes())
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

async fn delete<T: Deletable>(
    context: RequestContext,
    Found(found): Found<T>,
) -> Result<Answer<Deleted<T>>> {
    let was_there = context.store.delete(found.id()).await?;
    deleted(was_there, found.id(), &[found.id().to_string()]).map(Answer)
}

/// The result of a delete. The object may be gone already, because another request was faster.
fn deleted<T: Resource>(was_there: bool, id: &Id<T>, path: &[String]) -> Result<Deleted<T>> {
    if was_there { Ok(Deleted::of(id.clone())) } else { Err(ApiError::missing::<T>(path)) }
}

/// Changes an object that exists. If `change` returns an error, nothing changes.
async fn change<T: Changeable, E>(
    state: &SessionState,
    of: &PathIds<T>,
    change: impl Fn(&mut T) -> Result<(), E> + Send,
) -> Result<T>
where
    ApiError: From<E>,
{
    match state.store.change(&of.key(), change).await? {
        Some(changed) => Ok(changed?),
        None => Err(ApiError::missing::<T>(of.all())),
    }
}

/// A page of the objects within a parent. `view` gives the form of each item.
async fn page<T: Stored, V: Serialize>(
    state: &SessionState,
    within: store::Within<'_>,
    page: &PageRequest,
    view: impl FnMut(T) -> V,
) -> Result<Answer<List<V>>> {
    match state.store.list::<T>(within, page).await? {
        Paged::Page(page) => Ok(Answer(List::from_page(page, view))),
        Paged::UnknownCursor(id) => {
            let parents = within
                .iter()
                .filter(|(column, _)| T::PATH.contains(column))
                .map(|(_, id)| (*id).to_owned());
            Err(ApiError::missing::<T>(&parents.chain([id]).collect::<Vec<_>>()))
        }
    }
}

/// A page of a short list that is complete in memory, with its items in the order of their
/// creation.
fn within<T: Resource>(
    mut all: Vec<T>,
    page: &PageRequest,
    parents: &[String],
) -> Result<Answer<List<T>>> {
    if page.order == Order::Descending {
        all.reverse();
    }
    let place = |id: &Option<String>| match id {
        Some(id) => match all.iter().position(|item| item.id().as_str() == id) {
            Some(place) => Ok(Some(place)),
            None => Err(ApiError::missing::<T>(
                &parents.iter().chain([id]).cloned().collect::<Vec<_>>(),
            )),
        },
        None => Ok(None),
    };
    let (after, before) = (place(&page.after)?, place(&page.before)?);
    let from = after.map_or(0, |place| place + 1);
    all.truncate(before.unwrap_or(usize::MAX));
    let mut items = all.split_off(from.min(all.len()));
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let has_more = items.len() > limit;
    // `before` alone requests the page that ends at the cursor.
    if before.is_some() && after.is_none() {
        items.drain(..items.len().saturating_sub(limit));
    }
    items.truncate(limit);
    Ok(Answer(List::from_page(Page { items, has_more }, |item| item)))
}
