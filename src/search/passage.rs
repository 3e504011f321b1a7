//! The best passage of a text for a query: the fewest adjacent sentences or lines that have most of
//! its words.

use super::words::Words;

/// The maximum length of a passage, in characters.
const LONGEST: usize = 300;

/// The passage with most of the sought words (`Words::sought`). Among equals it is the shortest,
/// then the earliest. If the text has none of the words, it is the start of the text.
pub fn best<'t>(text: &'t str, sought: &[String]) -> &'t str {
    let words = Words::default();
    let sentences: Vec<Sentence> =
        sentences(text).map(|place| Sentence::new(text, place, &words, sought)).collect();
    let mut best: Option<(usize, &str)> = None;
    for (first, begin) in sentences.iter().enumerate() {
        let mut has = vec![false; sought.len()];
        for sentence in &sentences[first..] {
            let passage = &text[begin.start..sentence.end];
            if sentence.end != begin.end && passage.chars().count() > LONGEST {
                break;
            }
            for word in &sentence.words {
                has[*word] = true;
            }
            let score = has.iter().filter(|has| **has).count();
            if best.is_none_or(|(known, shown)| {
                score > known || (score == known && score > 0 && passage.len() < shown.len())
            }) {
                best = Some((score, passage));
            }
        }
    }
    shortened(best.map_or("", |(_, passage)| passage))
}

/// The place of a sentence, and the indexes of the sought words in it.
struct Sentence {
    start: usize,
    end: usize,
    words: Vec<usize>,
}

impl Sentence {
    fn new(text: &str, (start, end): (usize, usize), words: &Words, sought: &[String]) -> Self {
        let mut has = Vec::new();
        words.count(&text[start..end], |word, _| {
            has.extend(sought.iter().position(|sought| sought == word))
        });
        Self { start, end, words: has }
    }
}

/// The places of sentences and lines, without the white space around them.
fn sentences(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let rest = text.get(from..).filter(|rest| !rest.is_empty())?;
        let start = from;
        from += sentence_end(rest);
        Some((start, from))
    })
    .filter_map(|(start, end)| {
        let (whole, sentence) = (&text[start..end], text[start..end].trim());
        let before = whole.len() - whole.trim_start().len();
        (!sentence.is_empty()).then_some((start + before, start + before + sentence.len()))
    })
}

/// The end of the first sentence: the end of its line, or a full stop before white space. In
/// scripts without spaces, any full stop ends it.
fn sentence_end(text: &str) -> usize {
    let end = text.char_indices().find_map(|(place, character)| {
        let behind = place + character.len_utf8();
        let ends = match character {
            '\n' | '。' | '！' | '？' => true,
            '.' | '!' | '?' | '…' => text[behind..].starts_with(char::is_whitespace),
            _ => false,
        };
        ends.then_some(behind)
    });
    end.unwrap_or(text.len())
}

fn shortened(passage: &str) -> &str {
    let Some((end, _)) = passage.char_indices().nth(LONGEST) else { return passage };
    let space = passage[..end].rfind(' ').filter(|place| *place > 0);
    &passage[..space.unwrap_or(end)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best<'t>(text: &'t str, query: &str) -> &'t str {
        super::best(text, &Words::default().sought(query))
    }

    #[test]
    fn the_sentence_that_answers_is_found() {
        let text = "Our shop opens at 9. Refunds are paid within 14 days of the return. Call \
                    us!\nShipping is free.";
        assert_eq!(
            best(text, "How fast are refunds paid?"),
            "Refunds are paid within 14 days of the return."
        );
        assert_eq!(best(text, "Is shipping free?"), "Shipping is free.");
        assert_eq!(best(text, "zebra"), "Our shop opens at 9.");
        assert_eq!(best("返品は14日以内です。送料は無料です。", "送料"), "送料は無料です。");
        assert_eq!(best("", "x"), "");
    }

    #[test]
    fn adjacent_lines_form_one_passage() {
        let text = "Favorite foods:\n- Ann: tacos\n- Filip: cake\n- Eva: soup";
        assert_eq!(
            best(text, "Filip's favorite food"),
            "Favorite foods:\n- Ann: tacos\n- Filip: cake"
        );
        assert_eq!(best(text, "Filip"), "- Filip: cake");
    }
}
