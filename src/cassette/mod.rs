//! Recordings of HTTP that other tools made, as far as they are of the Assistants API: from a
//! file's text to the objects that were seen in it.
//!
//! `formats/` knows how each tool writes. `exchange.rs` makes sense of one request and its answer,
//! `collect.rs` of all of them together. Text in, objects and complaints out: knows no fixtures and
//! no network.

mod collect;
mod exchange;
mod formats;

use std::{io, path::Path};

use crate::transcript::ConversationObjects;

/// Something in a recording that could not be used, or not be told again.
#[derive(Clone, Debug, PartialEq)]
pub struct Complaint {
    /// The line of the recording where the exchange begins that it is about.
    pub line: usize,
    pub what: String,
}

/// What was seen in recordings.
#[derive(Debug, Default)]
pub struct CassetteContents {
    pub objects: ConversationObjects,
    /// How many exchanges were of use.
    pub exchanges: usize,
    pub complaints: Vec<Complaint>,
    /// Where each object was first met: its id, and the line.
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
    #[error("there is nothing of the Assistants API in it: {0}")]
    OfAnotherApi(String),
}

impl CassetteContents {
    /// Two recordings as one; complaints about them are told apart before.
    pub fn absorb(&mut self, other: Self) {
        self.objects.absorb(other.objects);
        self.exchanges += other.exchanges;
    }

    /// The line at which something was first met.
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
