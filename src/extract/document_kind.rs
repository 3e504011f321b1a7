//! Extracts text from documents in a separate process. A document that makes it hang, overflows its
//! stack or uses up all memory ends only that process.
//!
//! The process is this program again, with a hidden command. It reads the document from standard
//! input and writes the text to standard output. Its exit code says why there is no text.

use std::{
    fs,
    io::{self, Read, Write},
    path::Path,
    process::Stdio,
    time::Duration,
};

use clap::ValueEnum;
use tokio::{io::AsyncReadExt, process::Command};

use super::{ExtractError, office, plain};
use crate::types::limits::{DOCUMENT, TEXT};

/// How long it may take in real time, unless the caller allows less.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may compute, in seconds.
#[cfg(unix)]
const COMPUTING: u64 = 20;
/// How much address space it may use, in bytes.
#[cfg(unix)]
const MEMORY: u64 = 2 << 30;

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DocumentKind {
    Pdf,
    Docx,
    Pptx,
    Html,
}

/// The exit codes that say why there is no text. Any other exit means a broken document.
const TOO_LARGE: u8 = 3;

/// Extracts the text of a document in a separate process.
pub(super) async fn in_process(
    program: &Path,
    patience: Duration,
    kind: DocumentKind,
    path: &Path,
) -> Result<String, ExtractError> {
    let document = fs::File::open(path).map_err(|_| ExtractError::Unreadable)?;
    if document.metadata().map_err(|_| ExtractError::Unreadable)?.len() > DOCUMENT {
        return Err(ExtractError::TooLarge);
    }
    let name =
        kind.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let mut command = Command::new(program);
    command.args(["take-apart", &name]).env_clear().kill_on_drop(true);
    command.stdin(Stdio::from(document)).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = command.spawn().map_err(|error| {
        tracing::error!(%error, program = %program.display(), "cannot start the text extractor");
        ExtractError::Unreadable
    })?;
    let output = process.stdout.take().ok_or(ExtractError::Unreadable)?;
    let finish = async {
        let mut text = Vec::new();
        output.take(TEXT + 1).read_to_end(&mut text).await.map_err(|_| ExtractError::Broken)?;
        if text.len() as u64 > TEXT {
            return Err(ExtractError::TooLarge);
        }
        let status = process.wait().await.map_err(|_| ExtractError::Broken)?;
        match status.code() {
            // White space around the text belongs to the layout.
            Some(0) => String::from_utf8(text)
                .map(|text| text.trim().to_owned())
                .map_err(|_| ExtractError::Broken),
            Some(code) if code == i32::from(TOO_LARGE) => Err(ExtractError::TooLarge),
            _ => Err(ExtractError::Broken),
        }
    };
    tokio::time::timeout(patience, finish).await.unwrap_or(Err(ExtractError::TooSlow))
}

/// The work of the other process. Returns its exit code.
pub fn take_apart(kind: DocumentKind) -> u8 {
    bound_itself();
    let done = read_document().and_then(|document| {
        let text = text_of(kind, document)?;
        io::stdout().lock().write_all(text.as_bytes()).map_err(|_| ExtractError::TooLarge)
    });
    match done {
        Ok(()) => 0,
        Err(ExtractError::TooLarge) => TOO_LARGE,
        Err(_) => 1,
    }
}

fn text_of(kind: DocumentKind, document: Vec<u8>) -> Result<String, ExtractError> {
    match kind {
        DocumentKind::Pdf => {
            pdf_extract::extract_text_from_mem(&document).map_err(|_| ExtractError::Broken)
        }
        DocumentKind::Docx => office::docx(document),
        DocumentKind::Pptx => office::pptx(document),
        DocumentKind::Html => html(document),
    }
}

/// Extracts the text of a document on a thread of this process: for programs that embed a server
/// and read documents of their own. If a document takes too long, the caller gives up. The thread
/// ends when it is done.
pub(super) async fn on_thread(
    patience: Duration,
    kind: DocumentKind,
    path: &Path,
) -> Result<String, ExtractError> {
    let path = path.to_owned();
    let work = tokio::task::spawn_blocking(move || {
        let text = text_of(kind, super::read(&path, DOCUMENT)?)?;
        if text.len() as u64 > TEXT {
            return Err(ExtractError::TooLarge);
        }
        Ok(text.trim().to_owned())
    });
    match tokio::time::timeout(patience, work).await {
        Ok(done) => done.unwrap_or(Err(ExtractError::Broken)),
        Err(_) => Err(ExtractError::TooSlow),
    }
}

fn read_document() -> Result<Vec<u8>, ExtractError> {
    let mut document = Vec::new();
    io::stdin()
        .lock()
        .take(DOCUMENT)
        .read_to_end(&mut document)
        .map_err(|_| ExtractError::Unreadable)?;
    Ok(document)
}

/// Without line breaks or marks of its own: a text to search in.
fn html(document: Vec<u8>) -> Result<String, ExtractError> {
    const WIDTH: usize = 10_000;
    let text = plain::decode(document)?;
    let config = html2text::config::plain_no_decorate().raw_mode(true).allow_width_overflow();
    config.string_from_read(text.as_bytes(), WIDTH).map_err(|_| ExtractError::Broken)
}

#[cfg(unix)]
fn bound_itself() {
    use rlimit::Resource;
    for (resource, most) in
        [(Resource::AS, MEMORY), (Resource::CPU, COMPUTING), (Resource::CORE, 0)]
    {
        // If a limit cannot be set, the caller still has its timeout.
        _ = resource.set(most, most);
    }
}

#[cfg(not(unix))]
fn bound_itself() {}
