//! The words of a text, in the form of the index: in lower case, without accents, and as stems for
//! English and Russian. Scripts without spaces give single characters, and pairs of neighbours to
//! find phrases.

use std::{cell::RefCell, collections::HashMap};

use compact_str::CompactString;
use foldhash::fast::RandomState;
use snowball_stemmers_rs::{Algorithm, Stemmer};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::types::limits;

/// The maximum length of a word, in bytes. A longer word is cut.
const LONGEST: usize = 64;

/// Common words that no search looks for. These are stems.
const COMMON: [&str; 113] = [
    "a",
    "about",
    "an",
    "and",
    "ani",
    "are",
    "as",
    "at",
    "be",
    "been",
    "but",
    "by",
    "can",
    "could",
    "did",
    "do",
    "doe",
    "for",
    "from",
    "had",
    "has",
    "have",
    "he",
    "her",
    "his",
    "how",
    "i",
    "if",
    "in",
    "into",
    "is",
    "it",
    "me",
    "my",
    "no",
    "not",
    "of",
    "on",
    "or",
    "our",
    "pleas",
    "s",
    "she",
    "should",
    "so",
    "some",
    "t",
    "tell",
    "than",
    "that",
    "the",
    "their",
    "them",
    "then",
    "there",
    "these",
    "they",
    "this",
    "to",
    "use",
    "was",
    "we",
    "were",
    "what",
    "when",
    "where",
    "which",
    "who",
    "whi",
    "will",
    "with",
    "would",
    "you",
    "your",
    "а",
    "без",
    "был",
    "бы",
    "в",
    "во",
    "вы",
    "где",
    "для",
    "до",
    "его",
    "если",
    "же",
    "за",
    "и",
    "из",
    "или",
    "как",
    "когда",
    "к",
    "кто",
    "ли",
    "мне",
    "мо",
    "мы",
    "на",
    "не",
    "но",
    "о",
    "об",
    "он",
    "от",
    "по",
    "при",
    "с",
    "у",
    "что",
    "эт",
    "я",
];

/// Splits texts into words. A new value is cheap; a value that is kept remembers the stems of
/// words.
pub struct Words {
    english: Stemmer,
    russian: Stemmer,
    known: RefCell<KnownWords>,
}

/// The words that this value has seen, with numbers.
#[derive(Default)]
struct KnownWords {
    /// Words in lower case, with the numbers of their stems.
    words: HashMap<CompactString, usize, RandomState>,
    numbers: HashMap<CompactString, usize, RandomState>,
    stems: Vec<CompactString>,
    /// The count of each stem during a tally. All are zero between tallies.
    times: Vec<usize>,
}

/// The maximum number of remembered words.
const REMEMBERED: usize = 200_000;

impl Default for Words {
    fn default() -> Self {
        let (english, russian) =
            (Stemmer::create(Algorithm::English), Stemmer::create(Algorithm::Russian));
        Self { english, russian, known: RefCell::default() }
    }
}

impl Words {
    /// Calls `tell` with each searchable word of a text and its count. Returns the number of words.
    pub fn count(&self, text: &str, tell: impl FnMut(&str, usize)) -> usize {
        self.forget_if_many();
        let mut numbers = Vec::new();
        self.read(text, |_, number| numbers.push(number));
        self.tally(numbers.into_iter(), tell)
    }

    /// Calls `tell` with the start of each word of a text, in order, and the number of its stem.
    pub(super) fn read(&self, text: &str, mut tell: impl FnMut(usize, usize)) {
        let known = &mut *self.known.borrow_mut();
        split(text, |start, word, kind| {
            if let Some(number) = known.number(word, || self.stem(word, kind)) {
                tell(start, number);
            }
        });
    }

    /// Calls `tell` once with each word of these numbers and its count. Returns the number of
    /// numbers.
    pub(super) fn tally(
        &self,
        numbers: impl Iterator<Item = usize>,
        mut tell: impl FnMut(&str, usize),
    ) -> usize {
        let known = &mut *self.known.borrow_mut();
        let (mut all, mut met) = (0, Vec::new());
        known.times.resize(known.stems.len(), 0);
        for number in numbers {
            all += 1;
            known.times[number] += 1;
            if known.times[number] == 1 {
                met.push(number);
            }
        }
        for number in met {
            tell(&known.stems[number], std::mem::take(&mut known.times[number]));
        }
        all
    }

    /// Forgets the remembered words if there are very many. Their numbers are invalid after that.
    pub(super) fn forget_if_many(&self) -> bool {
        let many = self.known.borrow().words.len() > REMEMBERED;
        if many {
            self.known.take();
        }
        many
    }

    /// The words to search for, each once, from the start of a long query. If all are common words,
    /// the common words.
    pub fn sought(&self, query: &str) -> Vec<String> {
        let end = query.char_indices().nth(limits::QUERY).map_or(query.len(), |(end, _)| end);
        let (mut telling, mut common) = (Vec::new(), Vec::new());
        split(&query[..end], |_, word, kind| {
            let word = self.stem(word, kind);
            let words = if COMMON.contains(&word.as_str()) { &mut common } else { &mut telling };
            // For scripts with pairs, single characters find too much.
            let helps = kind != WordKind::Single && !word.is_empty();
            if helps && words.len() < limits::QUERY_WORDS && !words.contains(&word) {
                words.push(word);
            }
        });
        if telling.is_empty() { common } else { telling }
    }

    fn stem(&self, word: &str, kind: WordKind) -> String {
        if kind != WordKind::Word {
            return word.to_owned();
        }
        if word.is_ascii() {
            return self.english.stem(shortened(word)).into_owned();
        }
        if word.chars().any(|character| matches!(character, '\u{400}'..='\u{4ff}')) {
            // Of the marks, only the stress mark and the one of ё have no meaning.
            let plain = word.replace('ё', "е").replace('\u{301}', "");
            return self.russian.stem(shortened(&plain)).into_owned();
        }
        let plain: String = word.nfd().filter(|character| !is_combining_mark(*character)).collect();
        if plain.is_ascii() {
            self.english.stem(shortened(&plain)).into_owned()
        } else {
            shortened(&plain).to_owned()
        }
    }
}

impl KnownWords {
    /// The number of a word's stem, if it has one.
    fn number(&mut self, word: &str, stem: impl FnOnce() -> String) -> Option<usize> {
        if let Some(number) = self.words.get(word) {
            return Some(*number);
        }
        let stem = CompactString::from(stem());
        if stem.is_empty() {
            return None;
        }
        let number = match self.numbers.get(&stem) {
            Some(number) => *number,
            None => {
                self.stems.push(stem.clone());
                self.numbers.insert(stem, self.stems.len() - 1);
                self.stems.len() - 1
            }
        };
        self.words.insert(CompactString::from(word), number);
        Some(number)
    }
}

/// Passes the words of a text in order, each with its start in bytes. It cuts at every ASCII
/// character that is not part of a word. After that, most pieces are words.
fn split(text: &str, mut take: impl FnMut(usize, &str, WordKind)) {
    let mut lower = String::new();
    let mut start = 0;
    let between = |byte: &u8| byte.is_ascii() && !byte.is_ascii_alphanumeric();
    for bytes in text.as_bytes().split(between) {
        let piece = &text[start..start + bytes.len()];
        if !piece.is_empty() && piece.is_ascii() {
            lower.clear();
            lower.push_str(piece);
            lower.make_ascii_lowercase();
            take(start, &lower, WordKind::Word);
        } else {
            split_piece(start, piece, &mut take);
        }
        start += bytes.len() + 1;
    }
}

fn split_piece(from: usize, piece: &str, take: &mut impl FnMut(usize, &str, WordKind)) {
    let (mut word, mut word_start) = (String::new(), 0);
    // The current part in a script without spaces.
    let mut stretch: Vec<(usize, char)> = Vec::new();
    for (start, cluster) in clusters(piece) {
        let start = from + start;
        for character in cluster.nfkc().flat_map(char::to_lowercase) {
            if is_unspaced(character) {
                flush_word(word_start, &mut word, take);
                stretch.push((start, character));
                continue;
            }
            flush_stretch(&mut stretch, take);
            if character.is_alphanumeric() || is_combining_mark(character) {
                if word.is_empty() {
                    word_start = start;
                }
                word.push(character);
            } else {
                flush_word(word_start, &mut word, take);
            }
        }
    }
    flush_stretch(&mut stretch, take);
    flush_word(word_start, &mut word, take);
}

/// Each character with the following ones that may combine with it, and its start.
fn clusters(piece: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let mut behind =
            piece[start..].char_indices().skip(1).filter(|(_, character)| !melts(*character));
        let end = behind.next().map_or(piece.len(), |(place, _)| start + place);
        let cluster = (start, &piece[start..end]);
        start = end;
        (!cluster.1.is_empty()).then_some(cluster)
    })
}

/// Whether it is an accent, the second or third letter of a Korean syllable, or a halfwidth voice
/// mark of Japanese.
fn melts(character: char) -> bool {
    is_combining_mark(character)
        || matches!(character, '\u{1160}'..='\u{11ff}' | '\u{ff9e}' | '\u{ff9f}')
}

fn flush_word(start: usize, word: &mut String, take: &mut impl FnMut(usize, &str, WordKind)) {
    if !word.is_empty() {
        take(start, word, WordKind::Word);
        word.clear();
    }
}

/// Passes a part without spaces: each character, and each pair of neighbours.
fn flush_stretch(stretch: &mut Vec<(usize, char)>, take: &mut impl FnMut(usize, &str, WordKind)) {
    let kind = if stretch.len() == 1 { WordKind::Alone } else { WordKind::Single };
    for (number, (start, character)) in stretch.iter().enumerate() {
        take(*start, character.encode_utf8(&mut [0; 4]), kind);
        if let Some((_, next)) = stretch.get(number + 1) {
            take(*start, &String::from_iter([character, next]), WordKind::Pair);
        }
    }
    stretch.clear();
}

/// The kind of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WordKind {
    Word,
    /// Two neighbours in a part without spaces.
    Pair,
    /// One character of a longer part without spaces.
    Single,
    /// A part without spaces that has only one character.
    Alone,
}

fn shortened(word: &str) -> &str {
    &word[..word.floor_char_boundary(LONGEST)]
}

/// Whether a character belongs to a script without spaces between words. This includes Korean,
/// which attaches endings to words.
fn is_unspaced(character: char) -> bool {
    matches!(character,
        '\u{0e00}'..='\u{0eff}' // Thai, Lao
        | '\u{1000}'..='\u{109f}' // Burmese
        | '\u{1780}'..='\u{17ff}' // Khmer
        | '\u{3040}'..='\u{30ff}' // Hiragana, Katakana
        | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}' // Han
        | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}' // Hangul
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sought(query: &str) -> Vec<String> {
        Words::default().sought(query)
    }

    #[test]
    fn words_are_found_in_other_forms() {
        assert_eq!(sought("Returns"), sought("return"));
        assert_eq!(sought("возврата товаров"), sought("возврат товар"));
        assert_eq!(sought("Café"), sought("CAFE\u{301}"));
        assert_eq!(sought("Всё"), sought("все"));
        assert_eq!(sought("ＦＵＬＬ width"), sought("full width"));
        assert_eq!(sought("ｶﾞｲﾄﾞ"), sought("ガイド"));
        assert_eq!(sought("\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}"), sought("한글"));
    }

    #[test]
    fn phrases_without_spaces_are_pairs() {
        assert_eq!(sought("返品期限"), ["返品", "品期", "期限"]);
        assert_eq!(sought("猫"), ["猫"]);
        let mut words = Vec::new();
        let all = Words::default().count("返品 policy 猫 policies", |word, times| {
            words.push((word.to_owned(), times))
        });
        words.sort_unstable();
        let expected = [("polici", 2), ("品", 1), ("猫", 1), ("返", 1), ("返品", 1)];
        assert_eq!(
            (all, words),
            (6, expected.map(|(word, times)| (word.to_owned(), times)).to_vec())
        );
    }

    #[test]
    fn common_words_are_looked_for_only_if_there_are_no_others() {
        assert_eq!(sought("What is the refund?"), ["refund"]);
        assert_eq!(sought("to be or not to be"), ["to", "be", "or", "not"]);
        assert!(sought("?!").is_empty());
    }
}
