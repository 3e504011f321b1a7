//! The values that the service sets for each model: its dated name and its defaults.
//!
//! One table, as recorded from June to August 2026. Any other name is used unchanged, with the
//! defaults of a model that does not reason.

use serde_json::{Value, json};

use crate::types::limits;

/// Models whose names have the same start, and that have the same defaults.
#[derive(Debug)]
pub struct ModelDefaults {
    /// The start of their names: the whole name, or the part before `-` or `.`.
    stem: &'static str,
    /// The effort of a model that reasons.
    effort: Option<&'static str>,
    /// The reasoning that the model sees.
    context: Option<&'static str>,
    pub top_p: f64,
    /// Published: the number of tokens that it reads.
    pub window: u64,
    /// The time that prompts stay in the cache.
    pub cache_retention: &'static str,
    /// Whether its messages show their phase of the answer.
    pub has_phases: bool,
    /// Whether tools that the input adds become tools of the response.
    pub adds_tools: bool,
}

const PLAIN: ModelDefaults = ModelDefaults {
    stem: "",
    effort: None,
    context: None,
    top_p: 1.0,
    window: limits::CONTEXT_WINDOW,
    cache_retention: "in_memory",
    has_phases: false,
    adds_tools: false,
};
const REASONING: ModelDefaults = ModelDefaults {
    stem: "o1",
    effort: Some("medium"),
    context: Some("current_turn"),
    window: 200_000,
    ..PLAIN
};
const OF_5: ModelDefaults = ModelDefaults { stem: "gpt-5", window: 400_000, ..REASONING };
const NEWER: ModelDefaults = ModelDefaults {
    stem: "gpt-5.4",
    effort: Some("none"),
    top_p: 0.98,
    cache_retention: "24h",
    has_phases: true,
    ..OF_5
};

const DEFAULTS: [ModelDefaults; 16] = [
    PLAIN,
    ModelDefaults { stem: "gpt-3.5-turbo", window: 16_385, ..PLAIN },
    ModelDefaults { stem: "gpt-4", window: 8_192, ..PLAIN },
    ModelDefaults { stem: "gpt-4-turbo", ..PLAIN },
    ModelDefaults { stem: "gpt-4.1", window: 1_047_576, ..PLAIN },
    REASONING,
    ModelDefaults { stem: "o3", ..REASONING },
    ModelDefaults { stem: "o4", ..REASONING },
    ModelDefaults { stem: "computer-use-preview", ..REASONING },
    OF_5,
    ModelDefaults { stem: "gpt-5-pro", effort: Some("high"), ..OF_5 },
    ModelDefaults { stem: "gpt-5.1", effort: Some("none"), ..OF_5 },
    ModelDefaults { stem: "gpt-5.2", has_phases: false, ..NEWER },
    NEWER,
    ModelDefaults { stem: "gpt-5.5", effort: Some("medium"), ..NEWER },
    ModelDefaults {
        stem: "gpt-5.6",
        effort: Some("medium"),
        context: Some("all_turns"),
        adds_tools: true,
        ..NEWER
    },
];

/// The names of models in requests, and their names in responses.
const DATED: [(&str, &str); 23] = [
    ("gpt-3.5-turbo", "gpt-3.5-turbo-0125"),
    ("gpt-4", "gpt-4-0613"),
    ("gpt-4-turbo", "gpt-4-turbo-2024-04-09"),
    ("gpt-4o", "gpt-4o-2024-08-06"),
    ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
    ("gpt-4.1", "gpt-4.1-2025-04-14"),
    ("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14"),
    ("gpt-4.1-nano", "gpt-4.1-nano-2025-04-14"),
    ("gpt-5", "gpt-5-2025-08-07"),
    ("gpt-5-mini", "gpt-5-mini-2025-08-07"),
    ("gpt-5-nano", "gpt-5-nano-2025-08-07"),
    ("gpt-5-pro", "gpt-5-pro-2025-10-06"),
    ("gpt-5.1", "gpt-5.1-2025-11-13"),
    ("gpt-5.2", "gpt-5.2-2025-12-11"),
    ("gpt-5.4", "gpt-5.4-2026-03-05"),
    ("gpt-5.4-nano", "gpt-5.4-nano-2026-03-17"),
    ("gpt-5.5", "gpt-5.5-2026-04-23"),
    ("gpt-5.6", "gpt-5.6-sol"),
    ("o1", "o1-2024-12-17"),
    ("o3", "o3-2025-04-16"),
    ("o3-mini", "o3-mini-2025-01-31"),
    ("o4-mini", "o4-mini-2025-04-16"),
    ("computer-use-preview", "computer-use-preview-2025-03-11"),
];

/// The name of a model in responses.
pub fn dated(model: &str) -> &str {
    DATED.iter().find(|(name, _)| *name == model).map_or(model, |(_, dated)| dated)
}

impl ModelDefaults {
    pub fn of(model: &str) -> &'static Self {
        let base =
            model.strip_prefix("ft:").and_then(|rest| rest.split(':').next()).unwrap_or(model);
        let is_of = |defaults: &&Self| {
            let rest = base.strip_prefix(defaults.stem);
            let ends = |rest: &str| rest.is_empty() || rest.starts_with(['-', '.']);
            defaults.stem.is_empty() || rest.is_some_and(ends)
        };
        let known = DEFAULTS.iter().filter(is_of).max_by_key(|defaults| defaults.stem.len());
        known.unwrap_or(&PLAIN)
    }

    pub fn reasons(&self) -> bool {
        self.effort.is_some()
    }

    /// Whether the temperature can be set: only if the model does not reason.
    pub fn takes_sampling(&self, effort: Option<&str>) -> bool {
        matches!(effort.or(self.effort), None | Some("none"))
    }

    /// The reasoning settings in force, from those of the client.
    pub fn reasoning(&self, given: &Value) -> Value {
        let of = |key: &str, usual: Option<&str>| match &given[key] {
            Value::Null => usual.map_or(Value::Null, Value::from),
            value => value.clone(),
        };
        // Recorded: all summaries were detailed.
        let summary = match of("summary", None) {
            Value::Null => of("generate_summary", None),
            summary => summary,
        };
        let summary = if summary == "auto" { json!("detailed") } else { summary };
        let (context, effort) = (of("context", self.context), of("effort", self.effort));
        if !self.reasons() {
            return json!({"context": context, "effort": effort, "summary": summary});
        }
        let mode = of("mode", Some("standard"));
        json!({"context": context, "effort": effort, "mode": mode, "summary": summary})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_has_the_defaults_of_the_longest_stem() {
        for (model, stem) in [
            ("gpt-4o-mini", ""),
            ("gpt-5-nano", "gpt-5"),
            ("gpt-5-pro-2025-10-06", "gpt-5-pro"),
            ("gpt-5.4-nano", "gpt-5.4"),
            ("gpt-5.6-terra", "gpt-5.6"),
            ("o4-mini", "o4"),
            ("ft:gpt-5.1:acme::x", "gpt-5.1"),
            ("gpt-50", ""),
            ("", ""),
        ] {
            assert_eq!(ModelDefaults::of(model).stem, stem, "{model}");
        }
    }
}
