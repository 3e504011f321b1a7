//! The APIs that clients use: Assistants, and its successors.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::reader::{Path, Read, ValidationErrors};

/// The API of a request. Azure's paths are another spelling of the same paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    #[default]
    Assistants,
    Responses,
}

impl Api {
    pub const NAMES: [&'static str; 2] = ["assistants", "responses"];

    /// Its name in fixtures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Assistants => "assistants",
            Self::Responses => "responses",
        }
    }
}

impl Read for Api {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        match String::read(value, at, errors)?.as_str() {
            "assistants" => Some(Self::Assistants),
            "responses" => Some(Self::Responses),
            other => errors.not_one_of(at, other, &Self::NAMES),
        }
    }
}
