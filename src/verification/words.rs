//! The words of a text that differ from the expected ones.

use std::time::Duration;

use similar::{ChangeTag, TextDiff};

/// The maximum length of a compared text, in characters.
const COMPARED: usize = 20_000;
/// The length of equal text around a difference, in characters.
const AROUND: usize = 30;
/// The minimum share of equal text for a useful comparison.
const ALIKE: f32 = 0.15;
/// The maximum time for a comparison of two texts.
const PATIENCE: Duration = Duration::from_millis(200);

/// The differences, in the notation of `wdiff`: `Answer in [-French-]{+German+}.` If the expected
/// text must be only a part, the text around it does not count. `None` if the texts have too little
/// in common, or if nothing differs.
pub(super) fn difference(expected: &str, got: &str, is_part: bool) -> Option<String> {
    let (expected, got) = (beginning(expected), beginning(got));
    let (before, after) = (tokens(expected), tokens(got));
    let diff = TextDiff::configure().timeout(PATIENCE).diff_slices(&before, &after);
    let mut runs = runs(&diff);
    if is_part {
        leave_out_surroundings(&mut runs);
    }
    let has_words =
        |run: &&Run<'_>| run.tokens.iter().any(|token| token.contains(char::is_alphanumeric));
    let equal = runs.iter().filter(|run| run.tag == ChangeTag::Equal).filter(has_words);
    let alike: usize = equal.map(Run::chars).sum();
    let all: usize = runs.iter().map(Run::chars).sum();
    let differs = runs.iter().any(|run| run.tag != ChangeTag::Equal);
    (differs && alike > 0 && alike as f32 >= ALIKE * all as f32).then(|| show(&runs))
}

/// Adjacent tokens that are all equal, all missing, or all unexpected.
struct Run<'t> {
    tag: ChangeTag,
    tokens: Vec<&'t str>,
}

impl Run<'_> {
    fn chars(&self) -> usize {
        self.tokens.iter().map(|token| token.chars().count()).sum()
    }
}

fn runs<'t>(diff: &TextDiff<'t, 't, '_, str>) -> Vec<Run<'t>> {
    let mut runs: Vec<Run<'t>> = Vec::new();
    for change in diff.iter_all_changes() {
        match runs.last_mut().filter(|run| run.tag == change.tag()) {
            Some(run) => run.tokens.push(change.value()),
            None => runs.push(Run { tag: change.tag(), tokens: vec![change.value()] }),
        }
    }
    runs
}

/// Drops the text before and after a text that must be only a part of the other. If its first or
/// last words were replaced, the same number of words stays there.
fn leave_out_surroundings(runs: &mut Vec<Run<'_>>) {
    match runs.as_mut_slice() {
        [
            ..,
            Run { tag: ChangeTag::Delete, tokens: lost },
            Run { tag: ChangeTag::Insert, tokens },
        ] => {
            tokens.truncate(lost.len());
        }
        [.., Run { tag: ChangeTag::Insert, .. }] => _ = runs.pop(),
        _ => {}
    }
    match runs.as_mut_slice() {
        [
            Run { tag: ChangeTag::Delete, tokens: lost },
            Run { tag: ChangeTag::Insert, tokens },
            ..,
        ] => {
            let around = tokens.len().saturating_sub(lost.len());
            tokens.drain(..around);
        }
        [Run { tag: ChangeTag::Insert, .. }, ..] => _ = runs.remove(0),
        _ => {}
    }
}

fn show(runs: &[Run<'_>]) -> String {
    let mut shown = String::new();
    for (index, Run { tag, tokens }) in runs.iter().enumerate() {
        let text = tokens.concat();
        match tag {
            ChangeTag::Delete => shown.extend(["[-", &text, "-]"]),
            ChangeTag::Insert => shown.extend(["{+", &text, "+}"]),
            ChangeTag::Equal => shown.push_str(&near(&text, index == 0, index + 1 == runs.len())),
        }
    }
    shown.lines().collect::<Vec<_>>().join("⏎")
}

/// The part of an equal text next to a change, in whole words.
fn near(text: &str, is_first: bool, is_last: bool) -> String {
    let count = text.chars().count();
    let (from, to) = (if is_first { 0 } else { AROUND }, if is_last { 0 } else { AROUND });
    if count <= from + to + 1 {
        return text.to_owned();
    }
    let at = |place: usize| text.char_indices().nth(place).map_or(text.len(), |(byte, _)| byte);
    let (head, tail) = (&text[..at(from)], &text[at(count - to)..]);
    let head = head.rfind(char::is_whitespace).map_or(head, |end| &head[..end]);
    let tail = tail.find(char::is_whitespace).map_or(tail, |start| &tail[start..]);
    format!("{head}…{tail}")
}

fn beginning(text: &str) -> &str {
    text.char_indices().nth(COMPARED).map_or(text, |(end, _)| &text[..end])
}

/// Words, white space, and each other character as one token.
fn tokens(text: &str) -> Vec<&str> {
    #[derive(PartialEq)]
    enum Kind {
        Word,
        Space,
        Other,
    }
    let kind = |c: char| match c {
        c if c.is_alphanumeric() => Kind::Word,
        c if c.is_whitespace() => Kind::Space,
        _ => Kind::Other,
    };
    let (mut tokens, mut start, mut last) = (Vec::new(), 0, None);
    for (place, c) in text.char_indices() {
        let now = kind(c);
        if place > start && (now == Kind::Other || last.as_ref() != Some(&now)) {
            tokens.push(&text[start..place]);
            start = place;
        }
        last = Some(now);
    }
    tokens.extend((start < text.len()).then(|| &text[start..]));
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_that_differ_are_marked() {
        let whole = |expected: &str, got: &str| difference(expected, got, false);
        let part = |expected: &str, got: &str| difference(expected, got, true);
        assert_eq!(
            whole("Answer in French.", "Answer in German.").as_deref(),
            Some("Answer in [-French-]{+German+}.")
        );
        assert_eq!(whole("the same", "the same"), None);
        assert_eq!(whole("Be kind.", "Слава труду"), None);
        assert_eq!(
            part("Answer in French", "You are kind. Answer in German, always.").as_deref(),
            Some("Answer in [-French-]{+German+}")
        );
        assert_eq!(
            part("French, please", "Answer in German, please.").as_deref(),
            Some("[-French-]{+German+}, please")
        );
        let long = "word ".repeat(100);
        let (one, two) = (format!("{long}one {long}"), format!("{long}two {long}"));
        assert_eq!(
            whole(&one, &two).as_deref(),
            Some("… word word word word word [-one-]{+two+} word word word word word…")
        );
        assert_eq!(whole("a\nb c", "a\nb d").as_deref(), Some("a⏎b [-c-]{+d+}"));
    }
}
