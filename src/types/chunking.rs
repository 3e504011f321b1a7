//! How the files of vector stores are cut into chunks.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    limits,
    reader::{Fields, Path, Read, ValidationErrors, checked, integer_between},
};

/// The size of a chunk in tokens, and the number of tokens that it shares with the one before.
/// Recorded: `auto` shows the values behind it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Chunking {
    Static {
        #[serde(rename = "static")]
        cut: Cut,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cut {
    pub max_chunk_size_tokens: usize,
    pub chunk_overlap_tokens: usize,
}

impl Chunking {
    pub fn cut(self) -> Cut {
        let Self::Static { cut } = self;
        cut
    }
}

impl Default for Chunking {
    fn default() -> Self {
        Self::Static { cut: Cut { max_chunk_size_tokens: 800, chunk_overlap_tokens: 400 } }
    }
}

impl Read for Chunking {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let kind: String = fields.required("type")?;
        let read = match kind.as_str() {
            "auto" => Some(Self::default()),
            "static" => fields.required("static").map(|cut| Self::Static { cut }),
            other => return fields.errors.not_one_of(&at.key("type"), other, &["auto", "static"]),
        };
        fields.finish();
        read
    }
}

impl Read for Cut {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let size = fields.required::<i64>("max_chunk_size_tokens");
        let overlap = fields.required::<i64>("chunk_overlap_tokens");
        fields.finish();
        let (least, most) = limits::CHUNK_TOKENS;
        let size =
            checked(integer_between(size?, least, most), &at.key("max_chunk_size_tokens"), errors)?;
        // The overlap must not be greater than half of the chunk.
        let overlap = checked(
            integer_between(overlap?, 0, size / 2),
            &at.key("chunk_overlap_tokens"),
            errors,
        )?;
        let tokens = |number: i64| usize::try_from(number).unwrap_or_default();
        Some(Self { max_chunk_size_tokens: tokens(size), chunk_overlap_tokens: tokens(overlap) })
    }
}
