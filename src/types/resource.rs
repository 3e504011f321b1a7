//! What is peculiar to each noun; generic code in the other rooms does the rest.

use serde::{Serialize, de::DeserializeOwned};

use super::Id;

/// How the random part of an id is spelled, as in recorded ids of 2025.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// 24 letters and digits.
    Base62,
    /// 22 letters and digits that cannot be mistaken for one another.
    Base58,
    /// 32 hexadecimal digits.
    Hex,
    /// 32 hexadecimal digits, of which the service made the first eight from the time. Here they
    /// only look like it: ids follow from the seed alone.
    Dated,
}

pub trait Resource: Serialize + DeserializeOwned + Send + Sync + Unpin + 'static {
    /// How its ids begin: `asst_`.
    const PREFIX: &'static str;
    const SPELLING: Spelling = Spelling::Base62;
    /// The value of `object`: `thread.message`.
    const OBJECT: &'static str;
    /// The value of `object` in the answer to a delete.
    const DELETED: &'static str;
    /// What errors call it: `run step`.
    const NOUN: &'static str;
    /// Its name in URLs and columns, parents first: `["thread_id", "message_id"]`.
    const PATH: &'static [&'static str];
    /// The `param` of the 404.
    const MISSING_PARAM: Option<&'static str> = None;

    fn id(&self) -> &Id<Self>;

    /// The text of the 404, from the ids that were asked for, parents first.
    fn missing(ids: &[String]) -> String {
        format!("No {} found with id '{}'.", Self::NOUN, ids.last().map_or("", String::as_str))
    }
}
