//! Pages of the store, and their form in responses.

use serde::Serialize;

use super::{File, Id, Item, Resource};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Ascending,
    Descending,
}

/// The page of a list that a client requests.
#[derive(Clone, Debug)]
pub struct PageRequest {
    pub limit: i64,
    pub order: Order,
    pub after: Option<String>,
    pub before: Option<String>,
}

/// A page of the store.
#[derive(Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub has_more: bool,
}

/// A page in the form of responses.
#[derive(Debug, Serialize)]
pub struct List<T> {
    object: &'static str,
    data: Vec<T>,
    first_id: Option<String>,
    last_id: Option<String>,
    has_more: bool,
}

impl<T> List<T> {
    /// `view` gives the form of each item. `first_id` and `last_id` are null if the page is empty.
    pub fn from_page<R: Resource>(page: Page<R>, view: impl FnMut(R) -> T) -> Self {
        let id = |item: Option<&R>| item.map(|item| item.id().as_str().to_owned());
        Self {
            object: "list",
            first_id: id(page.items.first()),
            last_id: id(page.items.last()),
            has_more: page.has_more,
            data: page.items.into_iter().map(view).collect(),
        }
    }
}

/// A list of items or containers. Recorded: after the first key, its keys are in alphabetical
/// order.
#[derive(Debug, Serialize)]
pub struct ItemList<T = Item> {
    object: &'static str,
    data: Vec<T>,
    first_id: Option<String>,
    has_more: bool,
    last_id: Option<String>,
}

impl<T> From<List<T>> for ItemList<T> {
    fn from(list: List<T>) -> Self {
        let List { object, data, first_id, last_id, has_more } = list;
        Self { object, data, first_id, has_more, last_id }
    }
}

/// The list of files. Recorded: its keys have another order.
#[derive(Debug, Serialize)]
pub struct FileList {
    object: &'static str,
    data: Vec<File>,
    has_more: bool,
    first_id: Option<String>,
    last_id: Option<String>,
}

impl From<List<File>> for FileList {
    fn from(list: List<File>) -> Self {
        let List { object, data, first_id, last_id, has_more } = list;
        Self { object, data, has_more, first_id, last_id }
    }
}

/// The response to the delete of a file. Recorded: its keys have another order.
#[derive(Debug, Serialize)]
pub struct DeletedFile {
    object: &'static str,
    deleted: bool,
    id: Id<File>,
}

impl From<Deleted<File>> for DeletedFile {
    fn from(deleted: Deleted<File>) -> Self {
        Self { object: deleted.object, deleted: deleted.deleted, id: deleted.id }
    }
}

/// The response to a delete.
#[derive(Debug, Serialize)]
pub struct Deleted<T> {
    id: Id<T>,
    object: &'static str,
    deleted: bool,
}

impl<T: Resource> Deleted<T> {
    pub fn of(id: Id<T>) -> Self {
        Self { id, object: T::DELETED, deleted: true }
    }
}
