//! A stored thread as a fixture that repeats it: one document, with everything in it.

use super::{ExportOptions, FilePlacement, Omission, UsedNames, generate, of_thread};
use crate::{
    fixture,
    redact::Redactor,
    store::Store,
    types::{Id, Thread},
};

/// A fixture, and what is missing from it.
#[derive(Debug)]
pub struct Exported {
    pub text: String,
    pub omissions: Vec<Omission>,
}

/// Why a thread was not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("there is no thread {0}")]
    NoThread(Id<Thread>),
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    #[error("the fixture cannot be written: {0}")]
    Unwritten(String),
}

/// Makes a fixture of a stored thread.
pub async fn export(
    store: &Store,
    thread: &Id<Thread>,
    redactor: &Redactor,
) -> Result<Exported, ExportError> {
    let objects =
        of_thread(store, thread).await?.ok_or_else(|| ExportError::NoThread(thread.clone()))?;
    let options = ExportOptions {
        placement: FilePlacement::Inline,
        folder: "",
        redactor,
        seeds: true,
        suffix: "",
        only_performed: false,
    };
    let generated = generate(&objects, &options, &mut UsedNames::default());
    let comment = format!("Exported from {thread}.");
    let text = fixture::written(&generated.document, &comment).map_err(ExportError::Unwritten)?;
    Ok(Exported { text, omissions: generated.omissions })
}
