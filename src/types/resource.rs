//! The properties of each type of object. Generic code in other modules does the rest.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    Id,
    id::check,
    reader::{Path, Read, ValidationErrors},
};

/// How the random part of an id is spelled, as in recorded ids of 2025.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// 24 letters and digits.
    Base62,
    /// 22 letters and digits that cannot be mistaken for one another.
    Base58,
    /// 32 hexadecimal digits.
    Hex,
    /// 32 hexadecimal digits. The service made the first eight from the time. Here they only look
    /// like it: ids depend on the seed alone.
    Dated,
}

/// The ids that identify an object: those of its parents, and then its own.
pub trait ResourceKey: Clone + Send + Sync + 'static {
    /// From as many ids as there are in `Resource::PATH`, in that order.
    fn from_ids(ids: &[String]) -> Self;

    fn ids(&self) -> Vec<&str>;
}

fn nth<T>(ids: &[String], place: usize) -> Id<T> {
    Id::new(ids.get(place).map_or("", String::as_str))
}

impl<T: 'static> ResourceKey for Id<T> {
    fn from_ids(ids: &[String]) -> Self {
        nth(ids, 0)
    }

    fn ids(&self) -> Vec<&str> {
        vec![self.as_str()]
    }
}

impl<P: 'static, T: 'static> ResourceKey for (Id<P>, Id<T>) {
    fn from_ids(ids: &[String]) -> Self {
        (nth(ids, 0), nth(ids, 1))
    }

    fn ids(&self) -> Vec<&str> {
        vec![self.0.as_str(), self.1.as_str()]
    }
}

impl<G: 'static, P: 'static, T: 'static> ResourceKey for (Id<G>, Id<P>, Id<T>) {
    fn from_ids(ids: &[String]) -> Self {
        (nth(ids, 0), nth(ids, 1), nth(ids, 2))
    }

    fn ids(&self) -> Vec<&str> {
        vec![self.0.as_str(), self.1.as_str(), self.2.as_str()]
    }
}

/// The text of the 404 of responses and conversations: recorded.
pub(super) fn not_found(noun: &str, ids: &[String]) -> String {
    format!("{noun} with id '{}' not found.", ids.last().map_or("", String::as_str))
}

pub trait Resource: Serialize + DeserializeOwned + Send + Sync + Unpin + 'static {
    /// The ids that identify it, as `PATH` calls them.
    type Key: ResourceKey;

    /// How its ids begin: `asst_`.
    const PREFIX: &'static str;
    const SPELLING: Spelling = Spelling::Base62;
    /// The value of `object`: `thread.message`.
    const OBJECT: &'static str;
    /// The value of `object` in the answer to a delete.
    const DELETED: &'static str;
    /// Its name in errors: `run step`.
    const NOUN: &'static str;
    /// Its name in URLs and columns, parents first: `["thread_id", "message_id"]`.
    const PATH: &'static [&'static str];
    /// The `param` of the 404.
    const MISSING_PARAM: Option<&'static str> = None;

    fn id(&self) -> &Id<Self>;

    /// The text of the 404, from the requested ids, parents first.
    fn missing(ids: &[String]) -> String {
        format!("No {} found with id '{}'.", Self::NOUN, ids.last().map_or("", String::as_str))
    }
}

impl<T: Resource> Read for Id<T> {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let text = String::read(value, at, errors)?;
        // Recorded: v1 looked up ids with any prefix.
        if errors.version().is_v1() {
            return Some(Self::new(text));
        }
        match check(&text, T::PREFIX) {
            Ok(()) => Some(Self::new(text)),
            Err(kind) => {
                errors.note(at, kind);
                None
            }
        }
    }
}
