//! How many tokens a run has used, and how many it may: counted step by step, never again.

use serde::{Deserialize, Serialize};

use crate::types::{Usage, limits};

/// Tokens of the prompt that a run starts with, and the fewest it could be cut down to.
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
    /// What the closed steps have used.
    pub spent: Usage,
    /// What tools have answered in the closed steps: the prompt has grown by that.
    pub answered: u64,
    /// What of it was reasoning, which no prompt has.
    #[serde(default)]
    pub reasoned: u64,
    /// How many tokens the model reads at the most.
    #[serde(default = "usual_window")]
    pub window: u64,
    /// How many more tools may be called that need no client, if that is limited.
    #[serde(default)]
    pub tool_calls_left: Option<u64>,
}

/// Of runs that were noted before models had windows of their own.
fn usual_window() -> u64 {
    limits::CONTEXT_WINDOW
}

impl Budget {
    /// By how much the prompt has grown since the run began: what the model said and the tools
    /// answered.
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

    /// Whether the model may say so many tokens in the open step.
    pub(super) fn has_room_to_say(&self, tokens: u64) -> bool {
        let budget = self.max_completion.unwrap_or(u64::MAX);
        self.spent.completion_tokens.saturating_add(tokens) <= budget
    }

    /// What a step uses that says so many tokens. Older messages are dropped from the prompt until
    /// it fits.
    pub(super) fn usage_of_step(&self, said: u64) -> Usage {
        let left = self.max_prompt.unwrap_or(u64::MAX).saturating_sub(self.spent.prompt_tokens);
        Usage::new(self.prompt.tokens.saturating_add(self.grown()).min(left), said)
    }

    /// What all of it has used. A model that has thought, and no more, has read the prompt too.
    pub(super) fn used(&self) -> Usage {
        let mut used = self.spent;
        if used.prompt_tokens == 0 && self.reasoned > 0 {
            used += Usage::new(self.prompt.tokens, 0);
        }
        used
    }

    /// Whether another tool may be called that needs no client, which counts.
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

    /// Counts tokens that the model has thought: they are of the same call as what follows.
    pub(super) fn close_reasoning(&mut self, tokens: u64) {
        self.spent += Usage::new(0, tokens);
        self.reasoned = self.reasoned.saturating_add(tokens);
    }

    pub(super) fn close_step(&mut self, usage: Usage, answered: u64) {
        self.spent += usage;
        self.answered = self.answered.saturating_add(answered);
    }
}
