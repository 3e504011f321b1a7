//! The text of Word and PowerPoint documents: XML within a ZIP archive. The size of the unpacked
//! data is limited, no matter what size the archive states.

use std::io::{BufRead, BufReader, Cursor, Read};

use quick_xml::{Reader, escape::resolve_predefined_entity, events::Event};
use zip::ZipArchive;

use super::ExtractError;
use crate::types::limits::TEXT;

/// How many slides are read.
const SLIDES: usize = 2_000;

pub(super) fn docx(bytes: Vec<u8>) -> Result<String, ExtractError> {
    let mut archive = open(bytes)?;
    let mut text = String::new();
    let mut left = TEXT;
    read_part(&mut archive, "word/document.xml", &mut left, &mut text)?;
    Ok(text)
}

pub(super) fn pptx(bytes: Vec<u8>) -> Result<String, ExtractError> {
    let mut archive = open(bytes)?;
    let number = |name: &str| {
        name.strip_prefix("ppt/slides/slide")?.strip_suffix(".xml")?.parse::<u32>().ok()
    };
    let mut slides: Vec<u32> =
        archive.file_names().flatten().filter_map(|name| number(&name)).collect();
    slides.sort_unstable();
    if slides.is_empty() {
        return Err(ExtractError::Broken);
    }
    let mut text = String::new();
    let mut left = TEXT;
    for slide in slides.into_iter().take(SLIDES) {
        read_part(&mut archive, &format!("ppt/slides/slide{slide}.xml"), &mut left, &mut text)?;
        text.push('\n');
    }
    Ok(text)
}

type Archive = ZipArchive<Cursor<Vec<u8>>>;

fn open(bytes: Vec<u8>) -> Result<Archive, ExtractError> {
    ZipArchive::new(Cursor::new(bytes)).map_err(|_| ExtractError::Broken)
}

/// Adds the text of a part. This unpacks no more than `left` bytes.
fn read_part(
    archive: &mut Archive,
    name: &str,
    left: &mut u64,
    text: &mut String,
) -> Result<(), ExtractError> {
    let part = archive.by_name(name).map_err(|_| ExtractError::Broken)?;
    let mut bounded = part.take(*left);
    let read = read_xml(BufReader::new(&mut bounded), text);
    *left = bounded.limit();
    // Data that broke off at the limit was too large, not broken.
    if *left == 0 { Err(ExtractError::TooLarge) } else { read }
}

/// Text is in `t` elements; paragraphs and breaks end lines, cells and tabs end columns.
fn read_xml(source: impl BufRead, text: &mut String) -> Result<(), ExtractError> {
    let mut reader = Reader::from_reader(source);
    let (mut buffer, mut in_text) = (Vec::new(), false);
    loop {
        match reader.read_event_into(&mut buffer).map_err(|_| ExtractError::Broken)? {
            Event::Start(element) => match element.local_name().as_ref() {
                "t" => in_text = true,
                "br" => text.push('\n'),
                _ => {}
            },
            Event::Empty(element) => match element.local_name().as_ref() {
                "br" | "cr" => text.push('\n'),
                "tab" => text.push('\t'),
                _ => {}
            },
            Event::End(element) => match element.local_name().as_ref() {
                "t" => in_text = false,
                "p" => text.push('\n'),
                "tc" => text.push('\t'),
                _ => {}
            },
            Event::Text(piece) if in_text => text.push_str(&piece.xml10_content()),
            Event::GeneralRef(entity) if in_text => {
                if let Ok(Some(character)) = entity.resolve_char_ref() {
                    text.push(character);
                } else {
                    text.push_str(
                        resolve_predefined_entity(&entity.xml10_content()).unwrap_or_default(),
                    );
                }
            }
            Event::Eof => return Ok(()),
            _ => {}
        }
        buffer.clear();
    }
}
