//! The values that came near to an expectation, and their differences.

use std::fmt::Write as _;

use serde_json::Value;

use super::words;
use crate::{
    fixture::{
        matching::{Miss, TextMatcher},
        miss::{self, shortened},
    },
    session::journal::JournalEntry,
    turns::KeptTurn,
};

/// A turn or a request, and the conditions that it does not meet.
pub(super) struct NearItem {
    title: String,
    misses: Vec<Difference>,
    /// The turn, whose secrets must not be shown.
    turn: Option<KeptTurn>,
}

/// One condition that did not hold.
pub(super) struct Difference {
    miss: Miss,
    /// The compared texts, if whole texts are compared.
    texts: Option<Texts>,
    /// Whether it is about a part of a body, which is compared only if everything else matches.
    is_part: bool,
}

struct Texts {
    expected: String,
    got: String,
    is_part: bool,
}

/// The maximum number of listed items.
const LISTED: usize = 3;
/// The number of items whose texts are compared.
const COMPARED: usize = 200;

impl Difference {
    /// A condition on a text, or on several names of one object.
    pub(super) fn of_text(condition: &str, matcher: &TextMatcher, got: &[Option<&str>]) -> Self {
        let texts = matcher.plain().zip(got.iter().flatten().next()).map(|(expected, got)| Texts {
            expected: expected.to_owned(),
            got: (*got).to_owned(),
            is_part: matcher.is_contained(),
        });
        Self { miss: matcher.miss_of(condition.to_owned(), got), texts, is_part: false }
    }

    pub(super) fn new(condition: impl Into<String>, expected: String, got: String) -> Self {
        let condition = condition.into();
        let miss = Miss { condition, expected, got, hint: None };
        Self { miss, texts: None, is_part: false }
    }

    /// A part of a body.
    pub(super) fn of_part(condition: &str, expected: &Value, got: &Value) -> Self {
        match (expected, got) {
            (Value::String(expected), Value::String(got)) => {
                Self::of_texts(condition.to_owned(), expected, got)
            }
            _ => {
                let differs = Self::new(condition, expected.to_string(), got.to_string());
                Self { is_part: true, ..differs }
            }
        }
    }

    fn of_texts(condition: String, expected: &str, got: &str) -> Self {
        let texts = Texts { expected: expected.to_owned(), got: got.to_owned(), is_part: false };
        let (expected, got) = (format!("{expected:?}"), format!("{got:?}"));
        let miss = Miss { condition, expected: shortened(&expected), got, hint: None };
        Self { miss, texts: Some(texts), is_part: true }
    }

    /// The similarity, from zero to one.
    fn likeness(&self) -> f64 {
        let beginning = |text: &str| text.chars().take(200).collect::<String>();
        let Self { miss, texts, .. } = self;
        let texts = texts.as_ref().map(|texts| (&texts.expected, &texts.got));
        let (expected, got) = texts.unwrap_or((&miss.expected, &miss.got));
        strsim::sorensen_dice(&beginning(expected), &beginning(got))
    }

    fn show(&self) -> String {
        let mut text = miss::describe(&self.miss);
        let words = self.texts.as_ref().and_then(|Texts { expected, got, is_part }| {
            words::difference(expected, got, *is_part)
        });
        if let Some(words) = words {
            _ = write!(text, "\n   {words}");
        }
        text
    }
}

impl From<Miss> for Difference {
    fn from(miss: Miss) -> Self {
        Self { miss, texts: None, is_part: false }
    }
}

impl NearItem {
    pub(super) fn titled(title: String) -> Self {
        Self { title, misses: Vec::new(), turn: None }
    }

    pub(super) fn of_turn(kept: &KeptTurn) -> Self {
        let turn = &kept.turn;
        let reply = turn.answered.reply.as_deref();
        let reply = reply.map_or_else(|| "no reply".to_owned(), |name| format!("reply {name}"));
        let title = format!("turn {} of {} ({reply})", turn.number, turn.run);
        Self { title, misses: Vec::new(), turn: Some(kept.clone()) }
    }

    pub(super) fn of_request(entry: &JournalEntry) -> Self {
        let status = entry.status.map_or_else(|| "no answer".to_owned(), |it| it.to_string());
        Self::titled(format!("{} {} ({status})", entry.method, entry.path))
    }

    pub(super) fn with(self, misses: Vec<Difference>) -> Self {
        Self { misses, ..self }
    }

    pub(super) fn matches(&self) -> bool {
        self.misses.is_empty()
    }

    /// The weight of the conditions that do not hold. All parts of a body count together as one.
    fn distance(&self) -> usize {
        let parts = self.misses.iter().filter(|miss| miss.is_part).count();
        2 * (self.misses.len() - parts) + parts.min(1)
    }

    fn likeness(&self) -> f64 {
        self.misses.iter().map(Difference::likeness).sum()
    }

    fn show(&self) -> String {
        let misses: Vec<_> = self.misses.iter().map(Difference::show).collect();
        let misses = misses.join("\n   ");
        let text = if misses.is_empty() {
            self.title.clone()
        } else {
            format!("{}: {misses}", self.title)
        };
        self.turn.as_ref().map_or(text.clone(), |turn| turn.clean(&text))
    }
}

/// The nearest items: those with the fewest failed conditions and, among them, those with the most
/// similar texts. Of items with equal differences, only the first counts.
pub(super) fn nearest(items: impl IntoIterator<Item = NearItem>) -> Vec<NearItem> {
    let mut items: Vec<_> = items.into_iter().collect();
    items.sort_by_key(NearItem::distance);
    items.truncate(COMPARED);
    let mut judged: Vec<_> = items.into_iter().map(|item| (item.likeness(), item)).collect();
    judged.sort_by(|(one, first), (other, second)| {
        first.distance().cmp(&second.distance()).then(other.total_cmp(one))
    });
    let mut nearest: Vec<NearItem> = Vec::new();
    for (_, item) in judged {
        let is_new = nearest.iter().all(|known| known.said() != item.said());
        if is_new && nearest.len() < LISTED {
            nearest.push(item);
        }
    }
    nearest
}

impl NearItem {
    fn said(&self) -> Vec<(&str, &str)> {
        let misses = self.misses.iter().map(|it| &it.miss);
        misses.map(|miss| (miss.condition.as_str(), miss.got.as_str())).collect()
    }
}

/// Adds the first of these items to the text.
pub(super) fn list(text: &mut String, title: &str, items: impl IntoIterator<Item = NearItem>) {
    let mut items = items.into_iter().peekable();
    if items.peek().is_none() {
        return;
    }
    _ = write!(text, "\n{title}");
    for (index, item) in items.by_ref().take(LISTED).enumerate() {
        _ = write!(text, "\n{}. {}", index + 1, item.show());
    }
    let more = items.count();
    if more > 0 {
        _ = write!(text, "\nand {more} more");
    }
}
