//! Text out of files: what is in a document that somebody wants to find something in.
//!
//! Plain text is read here. Whatever has to be taken apart first, is so in a process of its own,
//! with bounds on time, memory and size (`apart.rs`): a hostile document fails alone. Knows no
//! database and no HTTP.

mod apart;
mod office;
mod plain;

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::sync::{Semaphore, SemaphorePermit};

pub use self::apart::{Apart, take_apart};
use crate::types::limits::TEXT;

/// Why there is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoText {
    #[error("The file type is not supported.")]
    Unsupported,
    #[error("The file could not be parsed because it is too large.")]
    TooLarge,
    /// A scanned document, or nothing but white space.
    #[error("The file could not be parsed because it is empty.")]
    Empty,
    #[error("The file could not be parsed.")]
    Broken,
    #[error("The file could not be parsed in time.")]
    TooSlow,
    #[error("The file could not be read.")]
    Unreadable,
}

/// The endings that can be searched, as OpenAI's guide to file search lists them.
const SEARCHABLE: [&str; 21] = [
    "c", "cpp", "cs", "css", "doc", "docx", "go", "html", "java", "js", "json", "md", "pdf", "php",
    "pptx", "py", "rb", "sh", "tex", "ts", "txt",
];

/// How many files are made ready at the same time, for all sessions together.
const AT_ONCE: usize = 3;

/// Whether a file of this name may be put into a vector store at all. One without an ending is
/// taken for text.
pub fn is_searchable(extension: Option<&str>) -> bool {
    extension.is_none_or(|extension| SEARCHABLE.contains(&extension))
}

/// Takes texts out of files.
#[derive(Clone, Debug)]
pub struct Extractor {
    /// The program that takes documents apart: this one.
    program: Arc<PathBuf>,
    patience: Duration,
    places: Arc<Semaphore>,
}

impl Extractor {
    /// `patience` is how long one document may take; none for the usual half minute.
    pub fn new(program: PathBuf, patience: Option<Duration>) -> Self {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        Self { program: Arc::new(program), patience: patience.unwrap_or(apart::PATIENCE), places }
    }

    /// Waits for a turn: only so many files are made ready at the same time.
    pub async fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.places.acquire().await.ok()
    }

    /// The text of a document, in which there is something to find. What it is, its name says.
    pub async fn text_of(&self, path: &Path, extension: Option<&str>) -> Result<String, NoText> {
        let text = self.read(path, extension).await?;
        if text.trim().is_empty() { Err(NoText::Empty) } else { Ok(text) }
    }

    async fn read(&self, path: &Path, extension: Option<&str>) -> Result<String, NoText> {
        let kind = match extension {
            Some("pdf") => Apart::Pdf,
            Some("docx") => Apart::Docx,
            Some("pptx") => Apart::Pptx,
            Some("html") => Apart::Html,
            // Word's old format has been asked for by nobody yet.
            Some("doc") => return Err(NoText::Unsupported),
            _ => {
                let path = path.to_owned();
                let read = tokio::task::spawn_blocking(move || plain::decode(read(&path, TEXT)?));
                return read.await.unwrap_or(Err(NoText::Unreadable));
            }
        };
        apart::in_a_process_of_its_own(&self.program, self.patience, kind, path).await
    }
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>, NoText> {
    let file = fs::File::open(path).map_err(|_| NoText::Unreadable)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(|_| NoText::Unreadable)?;
    if bytes.len() as u64 > most { Err(NoText::TooLarge) } else { Ok(bytes) }
}
