//! The conditions of an expectation that a turn or a request does not meet.

use serde_json::Value;

use super::{
    evidence::SessionEvidence,
    expectation::{RequestMatcher, TurnMatcher},
    near::{Difference, NearItem},
};
use crate::{
    fixture::matching::{Miss, RunMetadata, Subject, quoted, tool_names},
    session::journal::JournalEntry,
    turns::{Turn, TurnApi},
    types::Api,
};

impl TurnMatcher {
    pub(super) fn misses(&self, turn: &Turn) -> Vec<Difference> {
        let asked = &turn.asked;
        let assistant = asked.assistant.as_ref();
        let (id, name) = (
            assistant.map(|assistant| assistant.id.as_str()),
            assistant.and_then(|assistant| assistant.name.as_deref()),
        );
        let texts = [
            ("message", &self.message, [asked.message(), None]),
            ("instructions", &self.instructions, [asked.instructions.as_deref(), None]),
            ("model", &self.model, [Some(asked.model.as_str()), None]),
            // For people, a name is clearer than an id.
            ("assistant", &self.assistant, [name, id]),
        ];
        let failing = texts.iter().filter_map(|(condition, matcher, got)| {
            let matcher = matcher.as_ref().filter(|matcher| !matcher.admits(got))?;
            Some(Difference::of_text(condition, matcher, got))
        });
        let lacks = |tool: &&String| !asked.tools.iter().any(|offered| offered.answers_to(tool));
        let tools = self
            .tools
            .iter()
            .filter(lacks)
            .map(|tool| Difference::new("tools", quoted(tool), tool_names(&asked.tools)));
        failing.chain(tools).chain(self.missed_outputs(turn)).collect()
    }

    fn missed_outputs(&self, turn: &Turn) -> impl Iterator<Item = Difference> {
        let given = &turn.asked.tool_outputs;
        self.tool_outputs.iter().filter_map(move |(function, matcher)| {
            let of_function = given.iter().filter(|output| output.name == *function);
            let outputs: Vec<_> = of_function.map(|output| Some(output.output.as_str())).collect();
            let condition = format!("tool_outputs.{function}");
            (!matcher.admits(&outputs)).then(|| Difference::of_text(&condition, matcher, &outputs))
        })
    }
}

impl RequestMatcher {
    pub(super) fn misses(&self, entry: &JournalEntry) -> Vec<Difference> {
        let mut misses = Vec::new();
        if let Some(method) = self.method.as_ref().filter(|wanted| *wanted != entry.method.as_str())
        {
            misses.push(Difference::new("method", method.clone(), entry.method.to_string()));
        }
        if let Some((_, glob)) = self.path.as_ref().filter(|(glob, _)| !glob.matches(&entry.path)) {
            misses.push(Difference::new("path", glob.clone(), entry.path.clone()));
        }
        if let Some(status) = self.status.filter(|wanted| entry.status != Some(*wanted)) {
            let got = entry.status.map_or_else(|| "no answer".to_owned(), |it| it.to_string());
            misses.push(Difference::new("status", status.to_string(), got));
        }
        match &self.body {
            // The body is compared only if everything else matches.
            Some(body) if misses.is_empty() => {
                missing(body, &entry.request.to_json(), "body", &mut misses);
            }
            _ => {}
        }
        misses
    }
}

/// The maximum number of shown differences of one body.
const SHOWN: usize = 5;

/// Finds the parts of one value that another lacks. An object must have the given keys. An array
/// must have all items in their order.
fn missing(expected: &Value, got: &Value, at: &str, misses: &mut Vec<Difference>) {
    if misses.len() >= SHOWN {
        return;
    }
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => {
            for (key, value) in expected {
                missing(
                    value,
                    got.get(key).unwrap_or(&Value::Null),
                    &format!("{at}.{key}"),
                    misses,
                );
            }
        }
        (Value::Array(expected), Value::Array(got)) if expected.len() == got.len() => {
            for (index, (expected, got)) in expected.iter().zip(got).enumerate() {
                missing(expected, got, &format!("{at}[{index}]"), misses);
            }
        }
        (Value::Number(one), Value::Number(other)) if one.as_f64() == other.as_f64() => {}
        (one, other) if one != other => misses.push(Difference::of_part(at, one, other)),
        _ => {}
    }
}

/// Conditions on facts that a turn does not have.
const UNKNOWN: [&str; 3] = ["turn", "metadata", "attachments"];

impl SessionEvidence {
    /// The runs that a reply did not answer, and its conditions that did not hold.
    pub(super) fn near_runs(&self, name: &str) -> Vec<NearItem> {
        let begun = self.turns.iter().filter(|kept| kept.turn.number == 1);
        let others = begun.filter(|kept| kept.turn.answered.reply.as_deref() != Some(name));
        let near = others.flat_map(|kept| {
            self.replies(name).filter_map(move |reply| {
                let misses = with_subject(&kept.turn, |subject| reply.when.misses(subject));
                let is_known = |miss: &Miss| {
                    let key = miss.condition.split('.').next().unwrap_or_default();
                    !UNKNOWN.contains(&key)
                };
                let known: Vec<_> =
                    misses.into_iter().filter(is_known).map(Difference::from).collect();
                (!known.is_empty()).then(|| NearItem::of_turn(kept).with(known))
            })
        });
        near.collect()
    }
}

/// Shows a turn to the conditions of a reply, as far as the turn has the facts.
fn with_subject<R>(turn: &Turn, judge: impl FnOnce(&Subject<'_>) -> R) -> R {
    let asked = &turn.asked;
    let assistant = asked.assistant.as_ref();
    judge(&Subject {
        api: if turn.api == TurnApi::Responses { Api::Responses } else { Api::Assistants },
        assistant_id: assistant.map_or("", |assistant| &assistant.id),
        assistant_name: assistant.and_then(|assistant| assistant.name.as_deref()),
        model: &asked.model,
        instructions: asked.instructions.as_deref(),
        message: asked.message(),
        turn: 1,
        tools: &asked.tools,
        attachments: false,
        files: !asked.vector_stores.is_empty(),
        metadata: RunMetadata([None; 3]),
    })
}
