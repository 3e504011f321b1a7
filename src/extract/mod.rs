//! Text out of files: the content of documents, for searches.
//!
//! Plain text is read here. Other formats need a parser, which runs in a separate process with
//! limits on time, memory and size (`document_kind.rs`). So a hostile document fails alone. This
//! module knows no database and no HTTP.

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

/// The file extensions that can be searched, as OpenAI's guide to file search lists them.
const SEARCHABLE: [&str; 21] = [
    "c", "cpp", "cs", "css", "doc", "docx", "go", "html", "java", "js", "json", "md", "pdf", "php",
    "pptx", "py", "rb", "sh", "tex", "ts", "txt",
];

/// How many files are prepared at the same time, for all sessions together.
const AT_ONCE: usize = 3;

/// Whether a vector store accepts a file of this name at all. A file without an extension counts as
/// text.
pub fn is_searchable(extension: Option<&str>) -> bool {
    extension.is_none_or(|extension| SEARCHABLE.contains(&extension))
}

/// Extracts texts from files.
#[derive(Clone, Debug)]
pub struct Extractor {
    /// The program that parses documents, in separate processes. Without one, this process parses
    /// them.
    program: Option<Arc<PathBuf>>,
    patience: Duration,
    places: Arc<Semaphore>,
}

impl Extractor {
    /// `patience` is how long one document may take. `None` means the usual half minute.
    pub fn new(program: Option<PathBuf>, patience: Option<Duration>) -> Self {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        Self {
            program: program.map(Arc::new),
            patience: patience.unwrap_or(document_kind::PATIENCE),
            places,
        }
    }

    /// Waits for a turn: only so many files are prepared at the same time.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.places.acquire().await.ok()
    }

    /// The text of a document, which is not empty. Its name gives its type.
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
            // Nobody has asked for Word's old format yet.
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
