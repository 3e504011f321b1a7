//! The words of a text, as the index knows them: in lower case, without accents, English and Russian ones cut
//! down to their stems. Scripts without spaces give single characters and pairs of neighbours, which find
//! phrases.

use std::collections::HashMap;

use snowball_stemmers_rs::{Algorithm, Stemmer};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::types::limits;

/// The longest word, in bytes: what is longer is cut.
const LONGEST: usize = 64;

/// What nobody looks for, although everybody says it. Stems.
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

/// Takes texts apart. Making one costs nothing to speak of.
pub struct Words {
    english: Stemmer,
    russian: Stemmer,
}

/// The words of a chunk, for the index.
#[derive(Debug, Default, PartialEq)]
pub struct Counted {
    pub all: usize,
    /// How often each word occurs.
    pub words: HashMap<String, usize>,
}

impl Default for Words {
    fn default() -> Self {
        Self { english: Stemmer::create(Algorithm::English), russian: Stemmer::create(Algorithm::Russian) }
    }
}

impl Words {
    /// All words of a text that is to be found.
    pub fn count(&self, text: &str) -> Counted {
        let mut counted = Counted::default();
        self.split(text, |word, _| {
            counted.all += 1;
            match counted.words.get_mut(word) {
                Some(times) => *times += 1,
                None => _ = counted.words.insert(word.to_owned(), 1),
            }
        });
        counted
    }

    /// The words to look for, each once, the first of a long query. If there are none but common ones, those.
    pub fn sought(&self, query: &str) -> Vec<String> {
        let end = query.char_indices().nth(limits::QUERY).map_or(query.len(), |(end, _)| end);
        let (mut telling, mut common) = (Vec::new(), Vec::new());
        self.split(&query[..end], |word, kind| {
            let words = if COMMON.contains(&word) { &mut common } else { &mut telling };
            // Where there are pairs, single characters find too much.
            if kind != Kind::Single && words.len() < limits::QUERY_WORDS && !words.iter().any(|known| known == word) {
                words.push(word.to_owned());
            }
        });
        if telling.is_empty() { common } else { telling }
    }

    fn split(&self, text: &str, mut take: impl FnMut(&str, Kind)) {
        let mut word = String::new();
        // The stretch of a script without spaces that is being read: its last character, and how long it is.
        let (mut before, mut length) = (None, 0_usize);
        let flush_run = |before: &mut Option<char>, length: &mut usize, take: &mut dyn FnMut(&str, Kind)| {
            if let Some(only) = before.take().filter(|_| *length == 1) {
                take(only.encode_utf8(&mut [0; 4]), Kind::Alone);
            }
            *length = 0;
        };
        for character in text.nfkc().flat_map(char::to_lowercase) {
            if is_unspaced(character) {
                self.flush(&mut word, &mut take);
                if let Some(earlier) = before {
                    let pair: String = [earlier, character].iter().collect();
                    if length == 1 {
                        take(earlier.encode_utf8(&mut [0; 4]), Kind::Single);
                    }
                    take(&pair, Kind::Word);
                    take(character.encode_utf8(&mut [0; 4]), Kind::Single);
                }
                (before, length) = (Some(character), length + 1);
            } else {
                flush_run(&mut before, &mut length, &mut take);
                if character.is_alphanumeric() || is_combining_mark(character) {
                    word.push(character);
                } else {
                    self.flush(&mut word, &mut take);
                }
            }
        }
        flush_run(&mut before, &mut length, &mut take);
        self.flush(&mut word, &mut take);
    }

    fn flush(&self, word: &mut String, take: &mut impl FnMut(&str, Kind)) {
        if word.is_empty() {
            return;
        }
        if word.is_ascii() {
            take(self.english.stem(shortened(word)).as_ref(), Kind::Word);
        } else {
            if word.chars().any(|character| matches!(character, '\u{400}'..='\u{4ff}')) {
                // Of the marks, only those of stress and of ё say nothing.
                let plain: String = word.replace('ё', "е").replace('\u{301}', "");
                take(self.russian.stem(shortened(&plain)).as_ref(), Kind::Word);
                word.clear();
                return;
            }
            let plain: String = word.nfd().filter(|character| !is_combining_mark(*character)).collect();
            if plain.is_ascii() {
                take(self.english.stem(shortened(&plain)).as_ref(), Kind::Word);
            } else if !plain.is_empty() {
                take(shortened(&plain), Kind::Word);
            }
        }
        word.clear();
    }
}

/// What a word is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Word,
    /// One character of a longer stretch without spaces.
    Single,
    /// One such character with nothing beside it.
    Alone,
}

fn shortened(word: &str) -> &str {
    &word[..word.floor_char_boundary(LONGEST)]
}

/// Whether a character belongs to a script that puts no spaces between words, or, as in Korean, sticks
/// endings to them.
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
    }

    #[test]
    fn phrases_without_spaces_are_pairs() {
        assert_eq!(sought("返品期限"), ["返品", "品期", "期限"]);
        assert_eq!(sought("猫"), ["猫"]);
        let counted = Words::default().count("返品 policy 猫");
        let mut words: Vec<_> = counted.words.keys().map(String::as_str).collect();
        words.sort_unstable();
        assert_eq!(words, ["polici", "品", "猫", "返", "返品"]);
    }

    #[test]
    fn common_words_are_looked_for_only_if_there_are_no_others() {
        assert_eq!(sought("What is the refund?"), ["refund"]);
        assert_eq!(sought("to be or not to be"), ["to", "be", "or", "not"]);
        assert!(sought("?!").is_empty());
    }
}
