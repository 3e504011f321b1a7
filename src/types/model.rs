//! Models: the known families and their abilities in the service, and the list of models.
//!
//! One table. Requests may have any other name. Such a model is unknown, so it may do everything.

use serde::Serialize;

use super::Timestamp;

/// Models whose names have the same start, and that the service treated the same.
#[derive(Debug)]
pub struct Family {
    /// The start of their names: the whole name, or the part before `-` or `.`.
    stem: &'static str,
    /// They came after the v1 beta, which rejected them.
    pub is_newer_than_v1: bool,
    /// They worked with the Assistants API.
    pub has_assistants: bool,
    /// They accept `temperature` and `top_p`.
    pub takes_sampling: bool,
    /// They accept `reasoning_effort`.
    pub takes_effort: bool,
    pub vocabulary: Vocabulary,
    /// The number of results of a file search, unless the tool sets another.
    pub search_results: usize,
}

/// The tokens that a model reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vocabulary {
    Cl100k,
    O200k,
}

const OLDER: Family = Family {
    stem: "gpt-4",
    is_newer_than_v1: false,
    has_assistants: true,
    takes_sampling: true,
    takes_effort: false,
    vocabulary: Vocabulary::Cl100k,
    search_results: 20,
};
const NEWER: Family =
    Family { stem: "gpt-4o", is_newer_than_v1: true, vocabulary: Vocabulary::O200k, ..OLDER };
const REASONING: Family = Family { stem: "o1", takes_sampling: false, takes_effort: true, ..NEWER };

/// The families. If a name starts with several stems, the longest one counts.
///
/// Sources: the models that the v2 document lists for assistants; reports of rejected models and
/// parameters (o-series, gpt-5, gpt-3.5-turbo-0301); the documented number of results of a file
/// search.
const FAMILIES: [Family; 28] = [
    Family { stem: "gpt-3.5", search_results: 5, ..OLDER },
    // The name for it in Azure's deployments.
    Family { stem: "gpt-35", search_results: 5, ..OLDER },
    Family { stem: "gpt-3.5-turbo-0301", has_assistants: false, search_results: 5, ..OLDER },
    Family { stem: "gpt-3.5-turbo-instruct", has_assistants: false, search_results: 5, ..OLDER },
    OLDER,
    Family { stem: "gpt-4-vision-preview", has_assistants: false, ..OLDER },
    NEWER,
    Family { stem: "gpt-4.1", ..NEWER },
    Family { stem: "gpt-4.5", ..NEWER },
    Family { stem: "chatgpt-4o", has_assistants: false, ..NEWER },
    Family { stem: "gpt-4o-audio", has_assistants: false, ..NEWER },
    Family { stem: "gpt-4o-realtime", has_assistants: false, ..NEWER },
    Family { stem: "gpt-4o-search", has_assistants: false, ..NEWER },
    Family { stem: "gpt-4o-transcribe", has_assistants: false, ..NEWER },
    Family { stem: "gpt-4o-mini-audio", has_assistants: false, ..NEWER },
    Family { stem: "gpt-4o-mini-realtime", has_assistants: false, ..NEWER },
    Family { stem: "gpt-4o-mini-search", has_assistants: false, ..NEWER },
    Family { stem: "gpt-4o-mini-transcribe", has_assistants: false, ..NEWER },
    Family { stem: "gpt-4o-mini-tts", has_assistants: false, ..NEWER },
    // No source says whether these accept sampling: they never had assistants.
    Family { stem: "gpt-5", has_assistants: false, takes_effort: true, ..NEWER },
    REASONING,
    Family { stem: "o1-mini", has_assistants: false, takes_effort: false, ..REASONING },
    Family { stem: "o1-preview", has_assistants: false, takes_effort: false, ..REASONING },
    Family { stem: "o1-pro", has_assistants: false, ..REASONING },
    Family { stem: "o3", ..REASONING },
    Family { stem: "o3-pro", has_assistants: false, ..REASONING },
    Family { stem: "o3-deep-research", has_assistants: false, ..REASONING },
    Family { stem: "o4", ..REASONING },
];

impl Family {
    /// The family of a model, or of the base model of a fine-tuned one. `None` if its name is
    /// unknown.
    pub fn of_model(model: &str) -> Option<&'static Self> {
        let base =
            model.strip_prefix("ft:").and_then(|rest| rest.split(':').next()).unwrap_or(model);
        let is_of = |family: &&Self| {
            base.strip_prefix(family.stem)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.']))
        };
        FAMILIES.iter().filter(is_of).max_by_key(|family| family.stem.len())
    }
}

/// Ids and creation times from the list of the real `/v1/models`.
const LISTED: [(&str, i64); 5] = [
    ("gpt-4o", 1_715_367_049),
    ("gpt-4o-mini", 1_721_172_741),
    ("gpt-4-turbo", 1_712_361_441),
    ("gpt-4", 1_687_882_411),
    ("gpt-3.5-turbo", 1_677_610_602),
];

#[derive(Clone, Debug, Serialize)]
pub struct Model {
    pub id: String,
    object: &'static str,
    created: Timestamp,
    owned_by: &'static str,
}

/// The creation time of models from fixtures, which have no such time.
const OF_FIXTURES: i64 = 1_700_000_000;

impl Model {
    /// The usual models, and after them those of fixtures.
    pub fn listed<'m>(more: impl IntoIterator<Item = &'m str>) -> Vec<Self> {
        let usual = LISTED.map(|(id, created)| (id, created, "openai"));
        let mut models: Vec<Self> = Vec::new();
        for (id, created, owned_by) in
            usual.into_iter().chain(more.into_iter().map(|id| (id, OF_FIXTURES, "rehearsal")))
        {
            if !models.iter().any(|known| known.id == id) {
                models.push(Self {
                    id: id.to_owned(),
                    object: "model",
                    created: Timestamp(created),
                    owned_by,
                });
            }
        }
        models
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_belongs_to_the_family_with_the_longest_stem() {
        for (name, stem) in [
            ("gpt-4", Some("gpt-4")),
            ("gpt-4-0613", Some("gpt-4")),
            ("gpt-4-turbo-preview", Some("gpt-4")),
            ("gpt-4o-mini-2024-07-18", Some("gpt-4o")),
            ("gpt-4.1-nano", Some("gpt-4.1")),
            ("gpt-3.5-turbo-16k", Some("gpt-3.5")),
            ("gpt-3.5-turbo-0301", Some("gpt-3.5-turbo-0301")),
            ("gpt-35-turbo", Some("gpt-35")),
            ("gpt-5.1-mini", Some("gpt-5")),
            ("o3-mini", Some("o3")),
            ("o1-mini-2024-09-12", Some("o1-mini")),
            ("ft:gpt-4o-mini:acme::abc", Some("gpt-4o")),
            ("o30", None),
            ("gpt-4x", None),
            ("llama3.1", None),
            ("", None),
        ] {
            assert_eq!(Family::of_model(name).map(|family| family.stem), stem, "{name}");
        }
    }
}
