//! The models that are listed. Any other name is accepted in requests too.

use serde::Serialize;

use super::Timestamp;

/// Ids and creation times as the real `/v1/models` listed them.
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

/// When models of fixtures say that they were made: they have no such time.
const OF_FIXTURES: i64 = 1_700_000_000;

impl Model {
    /// The usual ones, and behind them those of fixtures.
    pub fn listed<'m>(more: impl IntoIterator<Item = &'m str>) -> Vec<Self> {
        let usual = LISTED.map(|(id, created)| (id, created, "openai"));
        let mut models: Vec<Self> = Vec::new();
        for (id, created, owned_by) in usual.into_iter().chain(more.into_iter().map(|id| (id, OF_FIXTURES, "rehearsal"))) {
            if !models.iter().any(|known| known.id == id) {
                models.push(Self { id: id.to_owned(), object: "model", created: Timestamp(created), owned_by });
            }
        }
        models
    }
}
