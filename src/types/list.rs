//! Pages: what the store answers, and what the wire shows of it.

use serde::Serialize;

use super::{File, Id, Item, Resource};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Ascending,
    Descending,
}

/// Which page of a list is asked for.
#[derive(Clone, Debug)]
pub struct PageRequest {
    pub limit: i64,
    pub order: Order,
    pub after: Option<String>,
    pub before: Option<String>,
}

/// A page as the store answers it.
#[derive(Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub has_more: bool,
}

/// A page as the wire shows it.
#[derive(Debug, Serialize)]
pub struct List<T> {
    object: &'static str,
    data: Vec<T>,
    first_id: Option<String>,
    last_id: Option<String>,
    has_more: bool,
}

impl<T> List<T> {
    /// Shows each item through `view`; `first_id` and `last_id` are null when the page is empty.
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

/// A list of items or containers, which has its keys in alphabetical order behind the first:
/// recorded.
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

/// The list of files, which has its keys in another order: recorded.
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

/// What the delete of a file answers, with its keys in another order: recorded.
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

/// What a delete answers.
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
