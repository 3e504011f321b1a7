//! The best passage of a text for a query: a sentence or a line, or a few of them.

use super::words::Words;

/// How long a passage may be, in characters.
const LONGEST: usize = 300;

/// The sentence that has most of the sought words, shortest first among equals, and the earliest then. With
/// none of them anywhere, the beginning of the text.
pub fn best<'t>(text: &'t str, query: &str) -> &'t str {
    let words = Words::default();
    let sought = words.sought(query);
    let mut best: Option<(usize, &str)> = None;
    for sentence in sentences(text) {
        let counted = words.count(sentence);
        let score = sought.iter().filter(|word| counted.words.contains_key(*word)).count();
        let better =
            best.is_none_or(|(known, shown)| score > known || (score == known && score > 0 && sentence.len() < shown.len()));
        if better {
            best = Some((score, sentence));
        }
    }
    shortened(best.map_or("", |(_, sentence)| sentence))
}

/// Sentences and lines, without the white space around them.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(['\n', '。', '！', '？'])
        .flat_map(|line| {
            let mut rest = line;
            std::iter::from_fn(move || {
                if rest.is_empty() {
                    return None;
                }
                let (sentence, after) = rest.split_at(sentence_end(rest));
                rest = after;
                Some(sentence)
            })
        })
        .map(str::trim)
        .filter(|sentence| !sentence.is_empty())
}

/// Where the first sentence ends: behind a full stop that is followed by white space.
fn sentence_end(text: &str) -> usize {
    let mut ends = text.char_indices().filter(|(_, character)| matches!(character, '.' | '!' | '?' | '…'));
    let end = ends.find_map(|(place, character)| {
        let behind = place + character.len_utf8();
        text[behind..].starts_with(char::is_whitespace).then_some(behind)
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

    #[test]
    fn the_sentence_that_answers_is_found() {
        let text = "Our shop opens at 9. Refunds are paid within 14 days of the return. Call us!\nShipping is free.";
        assert_eq!(best(text, "How fast are refunds paid?"), "Refunds are paid within 14 days of the return.");
        assert_eq!(best(text, "Is shipping free?"), "Shipping is free.");
        assert_eq!(best(text, "zebra"), "Our shop opens at 9.");
        assert_eq!(best("返品は14日以内です。送料は無料です。", "送料"), "送料は無料です。");
        assert_eq!(best("", "x"), "");
    }
}
