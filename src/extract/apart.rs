//! Takes documents apart in a process of its own: what makes it hang, overflow its stack or eat all
//! memory ends that process and nothing else.
//!
//! The process is this program again, with a command that people are not shown. The document comes
//! in on standard input, the text goes out on standard output, and an exit code says why there is
//! none.

use std::{
    fs,
    io::{self, Read, Write},
    path::Path,
    process::Stdio,
    time::Duration,
};

use clap::ValueEnum;
use tokio::{io::AsyncReadExt, process::Command};

use super::{NoText, office, plain};
use crate::types::limits::{DOCUMENT, TEXT};

/// How long it may take by the clock on the wall, unless somebody has less patience.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may compute, in seconds.
#[cfg(unix)]
const COMPUTING: u64 = 20;
/// How much address space it may use, in bytes.
#[cfg(unix)]
const MEMORY: u64 = 2 << 30;

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Apart {
    Pdf,
    Docx,
    Pptx,
    Html,
}

/// The exit codes that say why there is no text. Any other end is that of a broken document.
const TOO_LARGE: u8 = 3;

pub(super) async fn in_a_process_of_its_own(
    program: &Path,
    patience: Duration,
    kind: Apart,
    path: &Path,
) -> Result<String, NoText> {
    let document = fs::File::open(path).map_err(|_| NoText::Unreadable)?;
    if document.metadata().map_err(|_| NoText::Unreadable)?.len() > DOCUMENT {
        return Err(NoText::TooLarge);
    }
    let name =
        kind.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let mut command = Command::new(program);
    command.args(["take-apart", &name]).env_clear().kill_on_drop(true);
    command.stdin(Stdio::from(document)).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = command.spawn().map_err(|error| {
        tracing::error!(%error, program = %program.display(), "documents cannot be taken apart");
        NoText::Unreadable
    })?;
    let output = process.stdout.take().ok_or(NoText::Unreadable)?;
    let finish = async {
        let mut text = Vec::new();
        output.take(TEXT + 1).read_to_end(&mut text).await.map_err(|_| NoText::Broken)?;
        if text.len() as u64 > TEXT {
            return Err(NoText::TooLarge);
        }
        let status = process.wait().await.map_err(|_| NoText::Broken)?;
        match status.code() {
            // White space around the text is of the layout.
            Some(0) => String::from_utf8(text)
                .map(|text| text.trim().to_owned())
                .map_err(|_| NoText::Broken),
            Some(code) if code == i32::from(TOO_LARGE) => Err(NoText::TooLarge),
            _ => Err(NoText::Broken),
        }
    };
    tokio::time::timeout(patience, finish).await.unwrap_or(Err(NoText::TooSlow))
}

/// What the other process does: answers its exit code.
pub fn take_apart(kind: Apart) -> u8 {
    bound_itself();
    let done = read_document().and_then(|document| {
        let text = match kind {
            Apart::Pdf => {
                pdf_extract::extract_text_from_mem(&document).map_err(|_| NoText::Broken)?
            }
            Apart::Docx => office::docx(document)?,
            Apart::Pptx => office::pptx(document)?,
            Apart::Html => html(document)?,
        };
        io::stdout().lock().write_all(text.as_bytes()).map_err(|_| NoText::TooLarge)
    });
    match done {
        Ok(()) => 0,
        Err(NoText::TooLarge) => TOO_LARGE,
        Err(_) => 1,
    }
}

fn read_document() -> Result<Vec<u8>, NoText> {
    let mut document = Vec::new();
    io::stdin().lock().take(DOCUMENT).read_to_end(&mut document).map_err(|_| NoText::Unreadable)?;
    Ok(document)
}

/// Without line breaks or signs of its own: a text to search in.
fn html(document: Vec<u8>) -> Result<String, NoText> {
    const WIDTH: usize = 10_000;
    let text = plain::decode(document)?;
    let config = html2text::config::plain_no_decorate().raw_mode(true).allow_width_overflow();
    config.string_from_read(text.as_bytes(), WIDTH).map_err(|_| NoText::Broken)
}

#[cfg(unix)]
fn bound_itself() {
    use rlimit::Resource;
    for (resource, most) in
        [(Resource::AS, MEMORY), (Resource::CPU, COMPUTING), (Resource::CORE, 0)]
    {
        // Where a bound cannot be set, the patience of whoever waits remains.
        _ = resource.set(most, most);
    }
}

#[cfg(not(unix))]
fn bound_itself() {}
