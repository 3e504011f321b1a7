//! Token counts, in the shape of 2025. Recorded: `prompt_token_details` has no "s".

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub total_tokens: u64,
    #[serde(default)]
    prompt_token_details: PromptDetails,
    #[serde(default)]
    completion_tokens_details: CompletionDetails,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct PromptDetails {
    cached_tokens: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
}

impl Usage {
    pub fn new(prompt_tokens: u64, completion_tokens: u64) -> Self {
        Self {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens.saturating_add(completion_tokens),
            ..Self::default()
        }
    }

    /// The same, with what the tokens are: those of the prompt that were cached, and those of the
    /// answer that are reasoning.
    pub fn with_details(self, cached_tokens: u64, reasoning_tokens: u64) -> Self {
        Self {
            prompt_token_details: PromptDetails { cached_tokens },
            completion_tokens_details: CompletionDetails { reasoning_tokens },
            ..self
        }
    }

    pub fn cached_tokens(&self) -> u64 {
        self.prompt_token_details.cached_tokens
    }

    pub fn reasoning_tokens(&self) -> u64 {
        self.completion_tokens_details.reasoning_tokens
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        *self = Self::new(
            self.prompt_tokens.saturating_add(other.prompt_tokens),
            self.completion_tokens.saturating_add(other.completion_tokens),
        )
        .with_details(
            self.cached_tokens().saturating_add(other.cached_tokens()),
            self.reasoning_tokens().saturating_add(other.reasoning_tokens()),
        );
    }
}
