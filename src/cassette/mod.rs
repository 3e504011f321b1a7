//! Recordings of HTTP that other tools made, as far as they are of the Assistants API or the
//! Responses API: from the text of a file to the objects in it.
//!
//! `formats/` knows the format of each tool. `exchange.rs` interprets one request and its response,
//! `collect.rs` all of them together. The input is text, the output is objects and complaints. This
//! module knows no fixtures and no network.

mod collect;
mod exchange;
mod formats;

use std::{io, path::Path};

use crate::transcript::ConversationObjects;

/// A part of a recording that cannot be used or cannot be replayed.
#[derive(Clone, Debug, PartialEq)]
pub struct Complaint {
    /// The line of the recording at which the exchange in question begins.
    pub line: usize,
    pub what: String,
}

/// The contents of recordings.
#[derive(Debug, Default)]
pub struct CassetteContents {
    pub objects: ConversationObjects,
    /// How many exchanges were of use.
    pub exchanges: usize,
    pub complaints: Vec<Complaint>,
    /// For each id, the line at which the object first occurs.
    lines: std::collections::HashMap<String, usize>,
}

/// Why a recording is of no use at all.
#[derive(Debug, thiserror::Error)]
pub enum CassetteError {
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("{line}: {what}")]
    Broken { line: usize, what: String },
    #[error("this is no recording: {0}")]
    Unknown(String),
    #[error("there is nothing of the Assistants API or the Responses API in it: {0}")]
    OfAnotherApi(String),
}

impl CassetteContents {
    /// Merges two recordings. The caller reports the complaints of each one before that.
    pub fn absorb(&mut self, other: Self) {
        self.objects.absorb(other.objects);
        self.exchanges += other.exchanges;
    }

    /// The line at which an object first occurs.
    pub fn line_of(&self, id: &str) -> Option<usize> {
        self.lines.get(id).copied()
    }
}

/// Reads a recording from a file, or from a folder of WireMock's mappings.
pub fn read(path: &Path) -> Result<CassetteContents, CassetteError> {
    if path.is_dir() {
        return collect::collect(formats::in_folder(path)?);
    }
    let bytes = std::fs::read(path)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| CassetteError::Unknown("it is not text".to_owned()))?;
    collect::collect(formats::exchanges(&text, Some(path))?)
}

/// Reads the text of a recording.
pub fn parse(text: &str) -> Result<CassetteContents, CassetteError> {
    collect::collect(formats::exchanges(text, None)?)
}
