//! What is peculiar to each noun; generic code in the other rooms does the rest.

use serde::{Serialize, de::DeserializeOwned};

use super::Id;

pub trait Resource: Serialize + DeserializeOwned + Send + Sync + Unpin + 'static {
    /// How its ids begin: `asst_`.
    const PREFIX: &'static str;
    /// The value of `object`: `thread.message`.
    const OBJECT: &'static str;
    /// The value of `object` in the answer to a delete.
    const DELETED: &'static str;
    /// What errors call it: `run step`.
    const NOUN: &'static str;
    /// Its name in URLs and columns, parents first: `["thread_id", "message_id"]`.
    const PATH: &'static [&'static str];
    fn id(&self) -> &Id<Self>;

    /// The text of the 404.
    fn missing(id: &str) -> String {
        format!("No {} found with id '{id}'.", Self::NOUN)
    }
}
