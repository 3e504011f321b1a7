//! The tokens that a run has used, and its limits. They are counted once, step by step.

use serde::{Deserialize, Serialize};

use crate::types::{Usage, limits};

/// The tokens of the prompt at the start of a run, and the minimum after truncation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Prompt {
    pub tokens: u64,
    pub fewest: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Budget {
    pub max_prompt: Option<u64>,
    pub max_completion: Option<u64>,
    pub prompt: Prompt,
    /// The usage of the closed steps.
    pub spent: Usage,
    /// The tokens of the tool outputs in the closed steps: the prompt has grown by them.
    pub answered: u64,
    /// The reasoning tokens among the spent ones. A prompt does not contain them.
    #[serde(default)]
    pub reasoned: u64,
    /// The maximum number of tokens that the model reads.
    #[serde(default = "usual_window")]
    pub window: u64,
    /// The remaining calls of tools that need no client, if they are limited.
    #[serde(default)]
    pub tool_calls_left: Option<u64>,
}

/// For notes of runs that are older than the windows per model.
fn usual_window() -> u64 {
    limits::CONTEXT_WINDOW
}

impl Budget {
    /// The growth of the prompt since the run began: the output of the model and of the tools.
    fn grown(&self) -> u64 {
        let said = self.spent.completion_tokens.saturating_sub(self.reasoned);
        self.answered.saturating_add(said)
    }

    /// Whether another step fits.
    pub(super) fn has_room_for_step(&self) -> bool {
        let needed = self.prompt.fewest.saturating_add(self.grown());
        let budget = self.max_prompt.unwrap_or(u64::MAX);
        self.spent.prompt_tokens.saturating_add(needed) <= budget && needed <= self.window
    }

    /// Whether the model may write so many tokens in the open step.
    pub(super) fn has_room_to_say(&self, tokens: u64) -> bool {
        let budget = self.max_completion.unwrap_or(u64::MAX);
        self.spent.completion_tokens.saturating_add(tokens) <= budget
    }

    /// The usage of a step that writes so many tokens. Older messages are dropped from the prompt
    /// until it fits.
    pub(super) fn usage_of_step(&self, said: u64) -> Usage {
        let left = self.max_prompt.unwrap_or(u64::MAX).saturating_sub(self.spent.prompt_tokens);
        Usage::new(self.prompt.tokens.saturating_add(self.grown()).min(left), said)
    }

    /// The usage of the whole run. A model that has only reasoned has read the prompt, too.
    pub(super) fn used(&self) -> Usage {
        let mut used = self.spent;
        if used.prompt_tokens == 0 && self.reasoned > 0 {
            used += Usage::new(self.prompt.tokens, 0);
        }
        used
    }

    /// Whether the run may call another tool that needs no client. The call counts.
    pub(super) fn may_call_tool(&mut self) -> bool {
        match &mut self.tool_calls_left {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        }
    }

    /// Counts reasoning tokens. They belong to the same call as the output that follows.
    pub(super) fn close_reasoning(&mut self, tokens: u64) {
        self.spent += Usage::new(0, tokens);
        self.reasoned = self.reasoned.saturating_add(tokens);
    }

    pub(super) fn close_step(&mut self, usage: Usage, answered: u64) {
        self.spent += usage;
        self.answered = self.answered.saturating_add(answered);
    }
}
