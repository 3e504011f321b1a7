//! How a reply goes on in another response: what is noted under the ids of the calls that a response
//! ends with, and found again when their outputs come. Calls of all types are noted in the form of
//! functions, which templates and turns read.
//!
//! The note does not depend on how the client comes back: by `previous_response_id`, by a
//! conversation, or with the whole list of items. It is there for responses that are not stored,
//! too.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::super::memory::Performance;
use crate::types::{
    Id, Run, Step, Timestamp, Usage,
    step::{CalledFunction, StepDetails, StepEnd, ToolCall, ToolCallKind},
    tool::FunctionCall,
};

/// Where a reply goes on once the outputs of these calls are there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in super::super) struct Continuation {
    pub performance: Performance,
    /// The rounds of calls that were answered before.
    pub answered: Vec<Vec<FunctionCall>>,
    /// The calls that wait for outputs.
    pub asked: Vec<FunctionCall>,
    pub turn: i64,
}

/// What is kept under the id of a call: the note, or where it is.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(in super::super) enum Kept<C> {
    Here(C),
    Under(String),
}

/// A round of calls, and what the client gave for each.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in super::super) struct Round(pub Vec<(FunctionCall, String)>);

impl Continuation {
    /// The rounds with their outputs, if those of the last one are all there. What an earlier round
    /// was given may not be read any more.
    pub(super) fn rounds(&self, outputs: &HashMap<&str, String>) -> Option<Vec<Round>> {
        let output_of = |call: &FunctionCall| {
            outputs.get(call.id.as_str()).map(|output| (call.clone(), output.clone()))
        };
        let earlier =
            self.answered.iter().map(|calls| calls.iter().filter_map(output_of).collect());
        let last = self.asked.iter().map(output_of).collect::<Option<Vec<_>>>()?;
        Some(earlier.chain([last]).map(Round).collect())
    }
}

impl Round {
    pub(super) fn calls(&self) -> Vec<FunctionCall> {
        self.0.iter().map(|(call, _)| call.clone()).collect()
    }

    /// The round as a step of the run that performers see.
    pub(super) fn step(&self, number: usize, run: &Run, at: Timestamp) -> Step {
        let tool_calls = self.0.iter().map(|(call, output)| ToolCall {
            id: call.id.clone(),
            kind: ToolCallKind::Function {
                function: CalledFunction {
                    name: call.name.clone(),
                    arguments: call.arguments.clone(),
                    output: Some(output.clone()),
                },
            },
        });
        let details = StepDetails::ToolCalls { tool_calls: tool_calls.collect() };
        let mut step = Step::begun(Id::new(format!("{}_{number}", run.id)), at, run, details);
        step.end(StepEnd::Completed, at, Usage::default());
        step
    }
}
