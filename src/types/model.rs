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

impl Model {
    pub fn listed() -> Vec<Self> {
        LISTED
            .map(|(id, created)| Self { id: id.to_owned(), object: "model", created: Timestamp(created), owned_by: "openai" })
            .into()
    }
}
