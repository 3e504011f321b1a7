//! Text out of files: what is in a document that somebody wants to find something in.
//!
//! Plain text is read here. Whatever has to be taken apart first, is so in a process of its own,
//! with bounds on time, memory and size (`document_kind.rs`): a hostile document fails alone. Knows no
//! database and no HTTP.

mod document_kind;
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

pub use self::document_kind::{DocumentKind, take_apart};
use crate::types::limits::TEXT;

/// Why there is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtractError {
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
    /// The program that takes documents apart, in processes of their own. Without one, they are
    /// taken apart in this process.
    program: Option<Arc<PathBuf>>,
    patience: Duration,
    places: Arc<Semaphore>,
}

impl Extractor {
    /// `patience` is how long one document may take; none for the usual half minute.
    pub fn new(program: Option<PathBuf>, patience: Option<Duration>) -> Self {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        Self {
            program: program.map(Arc::new),
            patience: patience.unwrap_or(document_kind::PATIENCE),
            places,
        }
    }

    /// Waits for a turn: only so many files are made ready at the same time.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.places.acquire().await.ok()
    }

    /// The text of a document, in which there is something to find. What it is, its name says.
    pub async fn text_of(
        &self,
        path: &Path,
        extension: Option<&str>,
    ) -> Result<String, ExtractError> {
        let text = self.read(path, extension).await?;
        if text.trim().is_empty() { Err(ExtractError::Empty) } else { Ok(text) }
    }

    async fn read(&self, path: &Path, extension: Option<&str>) -> Result<String, ExtractError> {
        let kind = match extension {
            Some("pdf") => DocumentKind::Pdf,
            Some("docx") => DocumentKind::Docx,
            Some("pptx") => DocumentKind::Pptx,
            Some("html") => DocumentKind::Html,
            // Word's old format has been asked for by nobody yet.
            Some("doc") => return Err(ExtractError::Unsupported),
            _ => {
                let path = path.to_owned();
                let read = tokio::task::spawn_blocking(move || plain::decode(read(&path, TEXT)?));
                return read.await.unwrap_or(Err(ExtractError::Unreadable));
            }
        };
        match &self.program {
            Some(program) => document_kind::in_process(program, self.patience, kind, path).await,
            None => document_kind::on_thread(self.patience, kind, path).await,
        }
    }
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>, ExtractError> {
    let file = fs::File::open(path).map_err(|_| ExtractError::Unreadable)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(|_| ExtractError::Unreadable)?;
    if bytes.len() as u64 > most { Err(ExtractError::TooLarge) } else { Ok(bytes) }
}
