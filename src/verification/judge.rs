//! Judges expectations. For each one that fails, it shows the nearest value and the difference.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use super::{
    evidence::{Evidence, SessionEvidence},
    expectation::{Expectation, Expected, RequestMatcher, Times, TurnMatcher},
    near::{self, NearItem},
};
use crate::{
    engine::UnmatchedRun,
    fixture::{diagnostic, miss::shortened},
    turns::KeptTurn,
};

/// The result of one expectation.
#[derive(Clone, Debug, Serialize)]
pub struct Judgement {
    pub passed: bool,
    /// The expectation, as in the document.
    pub expectation: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
    /// The line of the expectation.
    #[serde(skip)]
    pub line: usize,
}

/// The maximum number of names in one line.
const LISTED: usize = 20;

pub(super) fn judge(expectation: &Expectation, evidence: &Evidence) -> Judgement {
    let judge = Judge { evidence, session: expectation.session.as_deref() };
    let difference = judge.difference(&expectation.what);
    Judgement {
        passed: difference.is_none(),
        expectation: expectation.source.clone(),
        difference,
        line: expectation.line,
    }
}

struct Judge<'e> {
    evidence: &'e Evidence,
    /// The only session that counts.
    session: Option<&'e str>,
}

impl<'e> Judge<'e> {
    fn difference(&self, expected: &Expected) -> Option<String> {
        match expected {
            Expected::Reply(name, times) => self.reply(name, *times),
            Expected::Turn(matcher, times) => self.turns(matcher, *times),
            Expected::Request(matcher, times) => self.requests(matcher, *times),
            Expected::Unmatched(times) => self.unmatched(*times),
            Expected::Order(names) => self.order(names),
        }
    }

    fn sessions(&self) -> impl Iterator<Item = &'e SessionEvidence> {
        self.evidence.of(self.session)
    }

    /// All turns, in their order.
    fn all_turns(&self) -> Vec<&'e KeptTurn> {
        let mut turns: Vec<_> = self.sessions().flat_map(|one| &one.turns).collect();
        turns.sort_by_key(|kept| kept.place);
        turns
    }

    fn reply(&self, name: &str, times: Times) -> Option<String> {
        let Some(uses) = self.evidence.uses(self.session, name) else {
            return Some(self.unknown_reply(name));
        };
        if times.admits(uses) {
            return None;
        }
        let mut text = format!("runs answered by '{name}': {uses}, expected {times}");
        let turns = self.all_turns();
        let mut begun = turns.iter().copied().filter(|kept| kept.turn.number == 1);
        if uses < times.at_least {
            self.add_answers(&mut text, begun);
            let near = self.sessions().flat_map(|one| one.near_runs(name));
            near::list(&mut text, "Nearest:", near::nearest(near));
        } else {
            let is_it = |kept: &KeptTurn| kept.turn.answered.reply.as_deref() == Some(name);
            let answered = begun.by_ref().filter(|kept| is_it(kept)).map(NearItem::of_turn);
            near::list(&mut text, "It answered:", answered);
        }
        Some(text)
    }

    fn unknown_reply(&self, name: &str) -> String {
        if let Some(session) = self.session.filter(|_| self.sessions().next().is_none()) {
            return format!("no session has the name '{session}'");
        }
        let known = self.evidence.reply_names(self.session);
        let advice = match diagnostic::nearest(name, &known) {
            Some(meant) => format!("did you mean '{meant}'?"),
            None if known.is_empty() => "no reply has a name.".to_owned(),
            None => format!("there are: {}.", shortened(&known.join(", "))),
        };
        format!("no fixture has a reply '{name}': {advice}")
    }

    /// Adds the names of the replies that answered, with their counts.
    fn add_answers<'t>(&self, text: &mut String, begun: impl Iterator<Item = &'t KeptTurn>) {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for kept in begun {
            let name = kept.turn.answered.reply.as_deref().unwrap_or("no reply");
            match counts.iter_mut().find(|(known, _)| *known == name) {
                Some((_, count)) => *count += 1,
                None => counts.push((name, 1)),
            }
        }
        let listed = counts.iter().take(LISTED).map(|(name, count)| format!("{name} ({count})"));
        let listed = if counts.is_empty() {
            "none".to_owned()
        } else {
            listed.collect::<Vec<_>>().join(", ")
        };
        _ = write!(text, "\nRuns by reply: {listed}");
        self.add_dropped_turns(text);
    }

    fn turns(&self, matcher: &TurnMatcher, times: Times) -> Option<String> {
        let all = self.all_turns();
        let judged =
            all.iter().map(|kept| NearItem::of_turn(kept).with(matcher.misses(&kept.turn)));
        let mut text = counted("turns", judged.collect(), times)?;
        self.add_dropped_turns(&mut text);
        Some(text)
    }

    fn requests(&self, matcher: &RequestMatcher, times: Times) -> Option<String> {
        let all = self.sessions().flat_map(|one| &one.requests);
        let judged = all.map(|entry| NearItem::of_request(entry).with(matcher.misses(entry)));
        let mut text = counted("requests", judged.collect(), times)?;
        let (_, dropped) = self.evidence.dropped(self.session);
        add_dropped(&mut text, dropped, "requests");
        Some(text)
    }

    fn unmatched(&self, times: Times) -> Option<String> {
        let runs: Vec<_> = self.sessions().flat_map(|one| &one.unmatched).collect();
        if times.admits(runs.len() as u64) {
            return None;
        }
        let mut text = format!("runs that no reply matched: {}, expected {times}", runs.len());
        near::list(&mut text, "They are:", runs.iter().map(|run| unmatched_item(run)));
        Some(text)
    }

    fn order(&self, names: &[String]) -> Option<String> {
        let is_unknown = |name: &&String| self.evidence.uses(self.session, name).is_none();
        if let Some(name) = names.iter().find(is_unknown) {
            return Some(self.unknown_reply(name));
        }
        let turns = self.all_turns();
        let begun = turns.iter().filter(|kept| kept.turn.number == 1);
        let used: Vec<_> = begun.filter_map(|kept| kept.turn.answered.reply.as_deref()).collect();
        let mut rest = used.iter();
        let missing = names.iter().position(|name| !rest.any(|used| used == name))?;
        let name = &names[missing];
        let mut text = match missing.checked_sub(1).map(|before| &names[before]) {
            Some(before) => format!("the reply '{name}' does not come after '{before}'"),
            None => format!("the reply '{name}' answered no run"),
        };
        let listed = used.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
        let more = if used.len() > LISTED { ", …" } else { "" };
        let listed = if used.is_empty() { "none" } else { &listed };
        _ = write!(text, "\nReplies in the order of their use: {listed}{more}");
        self.add_dropped_turns(&mut text);
        Some(text)
    }

    fn add_dropped_turns(&self, text: &mut String) {
        let (dropped, _) = self.evidence.dropped(self.session);
        add_dropped(text, dropped, "turns");
    }
}

/// Shows the number of matches if another number is expected. Lists the nearest items if there are
/// too few matches, or the matches if there are too many.
fn counted(noun: &str, items: Vec<NearItem>, times: Times) -> Option<String> {
    let all = items.len();
    let (matching, others): (Vec<_>, Vec<_>) = items.into_iter().partition(NearItem::matches);
    let count = matching.len() as u64;
    if times.admits(count) {
        return None;
    }
    let mut text = format!("{noun} that match: {count} of {all}, expected {times}");
    if count < times.at_least {
        near::list(&mut text, "Nearest:", near::nearest(others));
    } else {
        near::list(&mut text, "These match:", matching);
    }
    Some(text)
}

/// Adds that the oldest items were dropped, if so.
fn add_dropped(text: &mut String, dropped: usize, noun: &str) {
    if dropped > 0 {
        _ = write!(
            text,
            "\nThe server no longer has the oldest {dropped} {noun}: a larger --journal keeps more"
        );
    }
}

fn unmatched_item(run: &UnmatchedRun) -> NearItem {
    let message = run.message().map_or_else(|| "none".to_owned(), |it| format!("{it:?}"));
    let near = run.nearest().first().map(|near| format!("; nearest is {}", near.explain()));
    let title = format!("{}, message: {}", run.run, shortened(&message));
    NearItem::titled(title + &near.unwrap_or_default())
}
