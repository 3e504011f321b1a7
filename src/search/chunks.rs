//! Cuts a text into chunks of so many tokens. Each chunk shares some tokens with the one before.

use crate::{tokens, types::chunking::Cut};

/// A piece of a text, and its start in the text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TextPiece<'t> {
    pub start: usize,
    pub text: &'t str,
}

/// The size of the part that is cut at a time, in bytes. Tokens are counted from zero after it.
const STRETCH: usize = 1 << 18;

/// Cuts a text. `None` if it has more than `most` tokens.
pub fn cut(text: &str, cut: Cut, most: usize) -> Option<Vec<TextPiece<'_>>> {
    let bounds = bounds(text, most)?;
    let mut pieces = Vec::new();
    // Indexes of bounds: the start of the chunk, and the end of the chunk.
    let (mut from, mut start, mut counted) = (0, 0, 0);
    while from < bounds.len() {
        let full = counted + cut.max_chunk_size_tokens;
        let until = from + bounds[from..].partition_point(|(_, tokens)| *tokens <= full).max(1);
        let end = bounds[until - 1].0;
        pieces.push(TextPiece { start, text: &text[start..end] });
        if until == bounds.len() {
            break;
        }
        let next = bounds[until - 1].1 - cut.chunk_overlap_tokens.min(bounds[until - 1].1);
        // The next chunk begins after the bound that leaves the overlap, and always after the start
        // of this one.
        from = bounds.partition_point(|(_, tokens)| *tokens <= next).clamp(from + 1, until);
        (start, counted) = bounds[from - 1];
    }
    Some(pieces)
}

/// The ends of tokens, in bytes and in tokens from the start of the text. A long text is processed
/// in parts that end at white space, so that memory stays small and time stays linear.
fn bounds(text: &str, most: usize) -> Option<Vec<(usize, usize)>> {
    let mut bounds: Vec<(usize, usize)> = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let end = stretch_end(text, start);
        let counted = bounds.last().map_or(0, |(_, tokens)| *tokens);
        let more = tokens::bounds(&text[start..end]);
        bounds.extend(more.into_iter().map(|(bytes, tokens)| (start + bytes, counted + tokens)));
        if bounds.last().is_some_and(|(_, tokens)| *tokens > most) {
            return None;
        }
        start = end;
    }
    Some(bounds)
}

/// The end of the part of a text that begins here. It is at white space, if there is any.
pub(super) fn stretch_end(text: &str, start: usize) -> usize {
    let far = text.floor_char_boundary(start.saturating_add(STRETCH));
    if far >= text.len() {
        return text.len();
    }
    let space = text[start..far].rfind([' ', '\n']).filter(|place| *place > 0);
    space.map_or(far, |place| start + place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_of(size: usize, overlap: usize) -> Cut {
        Cut { max_chunk_size_tokens: size, chunk_overlap_tokens: overlap }
    }

    #[test]
    fn chunks_have_their_size_and_overlap_and_lose_nothing() {
        let text: String = (0..1000).map(|number| format!(" word{number}")).collect();
        for (size, overlap) in [(100, 0), (100, 50), (800, 400), (4096, 2048)] {
            let pieces = cut(&text, cut_of(size, overlap), usize::MAX).unwrap();
            let mut end = 0;
            for (number, piece) in pieces.iter().enumerate() {
                assert!(piece.start <= end, "nothing is left out");
                assert!(tokens::bounds(piece.text).len() <= size + 1);
                if number > 0 && overlap > 0 {
                    assert!(piece.start < end, "chunks overlap");
                }
                end = piece.start + piece.text.len();
                assert_eq!(&text[piece.start..end], piece.text);
            }
            assert_eq!(end, text.len());
        }
    }

    #[test]
    fn any_text_is_cut_within_characters_never() {
        for text in [
            "日本語のテキストです。".repeat(500),
            "🎉👩‍👩‍👧".repeat(300),
            String::new(),
            "x".to_owned(),
        ] {
            let pieces = cut(&text, cut_of(100, 50), usize::MAX).unwrap();
            assert_eq!(pieces.is_empty(), text.is_empty());
        }
    }

    #[test]
    fn a_text_with_too_many_tokens_is_none() {
        assert!(cut("one two three four", cut_of(100, 0), 3).is_none());
    }
}
