//! The words of a text, as the published patterns split them.
//!
//! The patterns are alternatives that are tried in order at each place, with a lookahead for white
//! space. Each function here implements one of them, and names it. The classes of characters come
//! from `regex-syntax`, so they are the ones of the patterns. Words are never empty, and together
//! they are the text.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

/// Which words a vocabulary has.
#[derive(Clone, Copy)]
pub enum Pattern {
    Cl100k,
    O200k,
}

/// The words of a text, in order.
pub fn words(pattern: Pattern, text: &str) -> impl Iterator<Item = &str> {
    let classes: &[u8] = &CLASSES;
    let mut rest = Rest { classes, text };
    std::iter::from_fn(move || {
        let length = (!rest.text.is_empty()).then(|| rest.word(pattern))?;
        let (word, after) = rest.text.split_at(length);
        rest.text = after;
        Some(word)
    })
}

/// `\p{Lu}` and `\p{Lt}`.
const UPPER: u8 = 1;
/// `\p{Ll}`.
const LOWER: u8 = 2;
/// `\p{Lm}` and `\p{Lo}`.
const OTHER_LETTER: u8 = 4;
/// `\p{M}`.
const MARK: u8 = 8;
/// `\p{N}`.
const NUMBER: u8 = 16;
/// `\s` but for line ends.
const SPACE: u8 = 32;
/// `\r` and `\n`.
const LINE_END: u8 = 64;

/// `\p{L}`.
const LETTER: u8 = UPPER | LOWER | OTHER_LETTER;
/// The characters that both cases of a word of o200k may have.
const CASELESS: u8 = OTHER_LETTER | MARK;
/// `\s`.
const WHITE: u8 = SPACE | LINE_END;

/// The class of each character. Most of the table is never used, so it takes no memory.
static CLASSES: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut classes = vec![0; char::MAX as usize + 1];
    for (pattern, class) in [
        (r"[\p{Lu}\p{Lt}]", UPPER),
        (r"\p{Ll}", LOWER),
        (r"[\p{Lm}\p{Lo}]", OTHER_LETTER),
        (r"\p{M}", MARK),
        (r"\p{N}", NUMBER),
        (r"[\s--[\r\n]]", SPACE),
        (r"[\r\n]", LINE_END),
    ] {
        set_class(&mut classes, pattern, class);
    }
    classes
});

/// Gives a class to all characters of a pattern.
fn set_class(classes: &mut [u8], pattern: &str, class: u8) {
    let hir = regex_syntax::parse(pattern).expect("the patterns of classes are right");
    let HirKind::Class(Class::Unicode(characters)) = hir.kind() else {
        unreachable!("the patterns of classes are of one character")
    };
    for range in characters.ranges() {
        classes[range.start() as usize..=range.end() as usize].fill(class);
    }
}

/// The part of a text that is not split yet.
struct Rest<'t> {
    classes: &'static [u8],
    text: &'t str,
}

impl Rest<'_> {
    /// The length of the word that the rest starts with. The rest must not be empty.
    fn word(&self, pattern: Pattern) -> usize {
        let (letters, line_ends): (_, &[char]) = match pattern {
            Pattern::Cl100k => (self.cl100k_letters(), &['\r', '\n']),
            Pattern::O200k => (self.o200k_letters(), &['\r', '\n', '/']),
        };
        letters
            .or_else(|| self.digits())
            .or_else(|| self.signs(line_ends))
            .unwrap_or_else(|| self.white())
    }

    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+`
    fn cl100k_letters(&self) -> Option<usize> {
        contraction(self.text).or_else(|| {
            let start = self.before_letters();
            let end = self.span(start, LETTER);
            (end > start).then_some(end)
        })
    }

    /// `[^\r\n\p{L}\p{N}]?` and then one of `[U]*[L]+` and `[U]+[L]*`, and then
    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)?`, where `U` is `\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}` and `L` is
    /// `\p{Ll}\p{Lm}\p{Lo}\p{M}`.
    fn o200k_letters(&self) -> Option<usize> {
        let start = self.before_letters();
        let end = self
            .ending_lower(start)
            // A mark may be the character before the letters, but also the first letter.
            .or_else(|| (start > 0).then(|| self.ending_lower(0)).flatten())
            .or_else(|| Some(self.span(start, UPPER)).filter(|end| *end > start))?;
        Some(end + contraction(&self.text[end..]).unwrap_or(0))
    }

    /// `[U]*[L]+`: the end of a match that starts at a place.
    fn ending_lower(&self, start: usize) -> Option<usize> {
        let upper = self.span(start, UPPER | CASELESS);
        let lower = self.span(upper, LOWER | CASELESS);
        if lower > upper {
            return Some(lower);
        }
        // The lower part has to take something back from the upper one.
        let taken = self.text[start..upper].char_indices().rev();
        let (at, last) = taken.into_iter().find(|(_, c)| self.class(*c) & CASELESS > 0)?;
        Some(start + at + last.len_utf8())
    }

    /// `[^\r\n\p{L}\p{N}]?`
    fn before_letters(&self) -> usize {
        self.text
            .chars()
            .next()
            .filter(|first| self.class(*first) & (LINE_END | LETTER | NUMBER) == 0)
            .map_or(0, char::len_utf8)
    }

    /// `\p{N}{1,3}`
    fn digits(&self) -> Option<usize> {
        let digits = self.text.chars().take(3).take_while(|c| self.class(*c) == NUMBER);
        Some(digits.map(char::len_utf8).sum()).filter(|end| *end > 0)
    }

    /// ` ?[^\s\p{L}\p{N}]+[\r\n]*`
    fn signs(&self, line_ends: &[char]) -> Option<usize> {
        let start = usize::from(self.text.starts_with(' '));
        let end = self.end(start, |class| class & (WHITE | LETTER | NUMBER) == 0);
        let after = self.text[end..].trim_start_matches(line_ends);
        (end > start).then_some(self.text.len() - after.len())
    }

    /// `\s*[\r\n]+|\s+(?!\S)|\s+`: everything up to the last line end. Without a line end,
    /// everything if the text ends there. Otherwise everything but the last character, which
    /// belongs to the next word.
    fn white(&self) -> usize {
        let end = self.span(0, WHITE);
        let white = &self.text[..end];
        let last = white.chars().next_back().map_or(0, char::len_utf8);
        match white.rfind(['\r', '\n']) {
            Some(at) => at + 1,
            None if end == self.text.len() || end == last => end,
            None => end - last,
        }
    }

    /// The end of the characters of some classes that start at a place.
    fn span(&self, start: usize, classes: u8) -> usize {
        self.end(start, |class| class & classes > 0)
    }

    /// The end of the characters that start at a place and have a class that passes.
    fn end(&self, start: usize, passes: impl Fn(u8) -> bool) -> usize {
        let rest = &self.text[start..];
        let end = rest.char_indices().find(|(_, c)| !passes(self.class(*c)));
        end.map_or(self.text.len(), |(at, _)| start + at)
    }

    fn class(&self, character: char) -> u8 {
        self.classes[character as usize]
    }
}

/// `(?i:'s|'t|'re|'ve|'m|'ll|'d)`. A long s is an s, too.
fn contraction(text: &str) -> Option<usize> {
    let mut letters = text.strip_prefix('\'')?.chars();
    let first = letters.next()?;
    let second = match first.to_ascii_lowercase() {
        's' | 't' | 'm' | 'd' | 'ſ' => return Some(1 + first.len_utf8()),
        'r' | 'v' => 'e',
        'l' => 'l',
        _ => return None,
    };
    letters.next().filter(|letter| letter.to_ascii_lowercase() == second).map(|_| 3)
}
