//! A stored thread as a fixture that answers it again: one document, with everything in it.

use super::{Gap, Keeping, Manner, Redactor, Taken, of_thread, retell};
use crate::{
    fixture,
    store::Store,
    types::{Id, Thread},
};

/// A fixture, and what is missing from it.
#[derive(Debug)]
pub struct Exported {
    pub text: String,
    pub gaps: Vec<Gap>,
}

/// Why a thread was not exported.
#[derive(Debug, thiserror::Error)]
pub enum NotExported {
    #[error("there is no thread {0}")]
    NoThread(Id<Thread>),
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    #[error("the fixture cannot be written: {0}")]
    Unwritten(String),
}

/// Tells a stored thread as a fixture.
pub async fn export(
    store: &Store,
    thread: &Id<Thread>,
    redactor: &Redactor,
) -> Result<Exported, NotExported> {
    let objects =
        of_thread(store, thread).await?.ok_or_else(|| NotExported::NoThread(thread.clone()))?;
    let manner = Manner {
        keeping: Keeping::Inline,
        folder: "",
        redactor,
        seeds: true,
        suffix: "",
        only_performed: false,
    };
    let retold = retell(&objects, &manner, &mut Taken::default());
    let comment = format!("Exported from {thread}.");
    let text = fixture::written(&retold.document, &comment).map_err(NotExported::Unwritten)?;
    Ok(Exported { text, gaps: retold.gaps })
}
