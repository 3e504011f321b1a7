//! The places of citations in a text: pure functions from a rendered text and search results to
//! segments.

use super::cue::MarkTarget;
use crate::{
    fixture::template::CITE,
    types::{File, Id, message::CitedFile, step::SearchResult},
};

/// A part of the text of a message.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Segment {
    Plain(String),
    /// A text that refers to a file.
    Marked {
        text: String,
        refers: MarkTarget,
    },
}

/// The form of the citation marks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Marks {
    V1,
    V2 { turn: i64 },
}

/// A file to cite, the quoted part of it, and its number among the results.
#[derive(Clone, Debug)]
pub(super) struct Cited {
    pub file_id: Id<File>,
    pub file_name: String,
    pub number: usize,
    pub quote: Option<String>,
}

impl Cited {
    pub(super) fn of_result(number: usize, result: &SearchResult) -> Self {
        Self {
            file_id: Id::new(result.file_id.as_str()),
            file_name: result.file_name.clone(),
            number,
            quote: None,
        }
    }

    /// Under v2 it is `【4:0†name】`: the first number grew by four with each turn of a thread. Under
    /// v1 it was `【0†source】`, and the citation had a quote.
    fn marker(&self, manner: Marks) -> Segment {
        let (text, refers) = self.marked(manner);
        Segment::Marked { text, refers }
    }

    /// The text of its marker, and the target of the marker.
    pub(super) fn marked(&self, manner: Marks) -> (String, MarkTarget) {
        let (text, quote) = match manner {
            Marks::V1 => (
                format!("【{}†source】", self.number),
                Some(self.quote.clone().unwrap_or_default()),
            ),
            Marks::V2 { turn } => {
                (format!("【{}:{}†{}】", turn.saturating_mul(4), self.number, self.file_name), None)
            }
        };
        let cited = CitedFile { file_id: self.file_id.to_string(), quote };
        (text, MarkTarget::Citation { cited, filename: self.file_name.clone() })
    }
}

/// The minimum length of a sentence that counts as a quotation, in characters.
const QUOTED: usize = 12;

/// The results that a text quotes, in their order. If it quotes none, the best result. If the text
/// has marks, each mark refers to the quotation before it.
pub(super) fn used(text: &str, results: &[SearchResult]) -> Vec<Cited> {
    let best = || results.first().map(|result| Cited::of_result(0, result));
    let mut parts: Vec<&str> = text.split(CITE).collect();
    if parts.len() > 1 {
        parts.pop();
        return parts
            .iter()
            .filter_map(|part| quoted(part, results).into_iter().next().or_else(best))
            .collect();
    }
    let used = quoted(text, results);
    if used.is_empty() { best().into_iter().collect() } else { used }
}

fn quoted(text: &str, results: &[SearchResult]) -> Vec<Cited> {
    let mut used: Vec<Cited> = Vec::new();
    for (number, result) in results.iter().enumerate() {
        let quote = result
            .text()
            .split(['\n', '.', '。'])
            .map(str::trim)
            .find(|sentence| sentence.chars().count() >= QUOTED && text.contains(sentence));
        // Chunks overlap: the same sentence in another chunk is the same quotation.
        if let Some(quote) =
            quote.filter(|quote| !used.iter().any(|known| known.quote.as_deref() == Some(quote)))
        {
            used.push(Cited { quote: Some(quote.to_owned()), ..Cited::of_result(number, result) });
        }
    }
    used
}

/// Puts markers in place of the marks. A citation without a mark goes after its quotation, or else
/// to the end.
pub(super) fn cite(text: &str, cited: &[Cited], marks: Marks) -> Vec<Segment> {
    let mut parts = text.split(CITE);
    let mut plain = parts.next().unwrap_or_default().to_owned();
    let (mut places, mut waiting) = (Vec::new(), cited.iter());
    for part in parts {
        places.extend(waiting.next().map(|cited| (plain.len(), cited)));
        plain.push_str(part);
    }
    for cited in waiting {
        places.push((place_of(&plain, cited), cited));
    }
    places.sort_by_key(|(place, _)| *place);
    let (mut segments, mut from) = (Vec::new(), 0);
    for (place, cited) in places {
        push_plain(&mut segments, &plain[from..place]);
        segments.push(cited.marker(marks));
        from = place;
    }
    push_plain(&mut segments, &plain[from..]);
    segments
}

/// Recorded: after the quotation and its closing quote, or before the last full stop.
fn place_of(text: &str, cited: &Cited) -> usize {
    let quoted = cited.quote.as_deref().filter(|quote| !quote.is_empty());
    if let Some((found, quote)) = quoted.and_then(|quote| Some((text.find(quote)?, quote))) {
        let end = found + quote.len();
        let around = text[end..]
            .chars()
            .take_while(|character| matches!(character, '"' | '”' | '»' | '’' | '」'));
        return end + around.map(char::len_utf8).sum::<usize>();
    }
    let trimmed = text.trim_end();
    trimmed.len()
        - trimmed
            .chars()
            .next_back()
            .filter(|last| matches!(last, '.' | '!' | '?' | '。'))
            .map_or(0, char::len_utf8)
}

fn push_plain(segments: &mut Vec<Segment>, text: &str) {
    if !text.is_empty() {
        segments.push(Segment::Plain(text.to_owned()));
    }
}

/// Marks every `sandbox:/mnt/data/NAME` of these files, and returns the files that the text does
/// not mention.
pub(super) fn link(
    segments: Vec<Segment>,
    files: &[(String, Id<File>)],
) -> (Vec<Segment>, Vec<Id<File>>) {
    let mut segments = segments;
    let mut unlinked = Vec::new();
    // Longer names first: one name may be the start of another.
    let mut ordered: Vec<_> = files.iter().collect();
    ordered.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    for (name, id) in ordered {
        let path = format!("sandbox:/mnt/data/{name}");
        let mut found = false;
        segments = segments
            .into_iter()
            .flat_map(|segment| match segment {
                Segment::Plain(text) => {
                    let mut parts = text.split(path.as_str());
                    let mut split = Vec::new();
                    push_plain(&mut split, parts.next().unwrap_or_default());
                    for part in parts {
                        found = true;
                        split.push(Segment::Marked {
                            text: path.clone(),
                            refers: MarkTarget::Path(id.clone()),
                        });
                        push_plain(&mut split, part);
                    }
                    split
                }
                marked => vec![marked],
            })
            .collect();
        if !found {
            unlinked.push(id.clone());
        }
    }
    // In their original order.
    let order = |id: &Id<File>| files.iter().position(|(_, known)| known == id);
    unlinked.sort_by_key(order);
    (segments, unlinked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cited(number: usize, quote: Option<&str>) -> Cited {
        let quote = quote.map(str::to_owned);
        Cited {
            file_id: Id::new(format!("file-{number}")),
            file_name: "a.txt".to_owned(),
            number,
            quote,
        }
    }

    fn shown(segments: &[Segment]) -> String {
        let texts = segments.iter().map(|segment| match segment {
            Segment::Plain(text) => text.clone(),
            Segment::Marked { text, .. } => format!("[{text}]"),
        });
        texts.collect()
    }

    #[test]
    fn markers_replace_marks_or_follow_quotations_or_go_to_the_end() {
        let text = format!("Cake{CITE} and tea{CITE}.");
        let turn = |turn| Marks::V2 { turn };
        assert_eq!(
            shown(&cite(&text, &[cited(0, None), cited(1, None)], turn(1))),
            "Cake[【4:0†a.txt】] and tea[【4:1†a.txt】]."
        );
        let quoted = [cited(2, Some("within 14 days"))];
        assert_eq!(
            shown(&cite("It says “within 14 days”, so wait.", &quoted, turn(2))),
            "It says “within 14 days”[【8:2†a.txt】], so wait."
        );
        assert_eq!(
            shown(&cite("Filip likes cake.", &[cited(0, None)], turn(1))),
            "Filip likes cake[【4:0†a.txt】]."
        );
        assert_eq!(shown(&cite(&format!("Nothing{CITE}."), &[], turn(1))), "Nothing.");
        assert_eq!(shown(&cite("Cake.", &[cited(3, None)], Marks::V1)), "Cake[【3†source】].");
    }

    #[test]
    fn files_are_linked_wherever_the_text_says_their_path() {
        let files =
            [("a.csv".to_owned(), Id::new("file-a")), ("b.csv".to_owned(), Id::new("file-b"))];
        let text = vec![Segment::Plain(
            "[x](sandbox:/mnt/data/a.csv) and sandbox:/mnt/data/a.csv".to_owned(),
        )];
        let (segments, unlinked) = link(text, &files);
        assert_eq!(
            shown(&segments),
            "[x]([sandbox:/mnt/data/a.csv]) and [sandbox:/mnt/data/a.csv]"
        );
        assert_eq!(unlinked, [Id::new("file-b")]);
    }
}
