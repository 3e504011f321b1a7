//! How a reply goes on in another response: what is noted under the ids of the calls that a response
//! ends with, and found again when their outputs come.
//!
//! The note does not depend on how the client comes back: by `previous_response_id`, by a
//! conversation, or with the whole list of items. It is there for responses that are not stored,
//! too.

use serde::{Deserialize, Serialize};

use super::super::memory::Performance;
use crate::types::{
    Item, Run, Step, Timestamp, Usage,
    step::{CalledFunction, StepDetails, StepEnd, ToolCall, ToolCallKind},
    tool::FunctionCall,
};

/// Where a reply goes on once the outputs of these calls are there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in super::super) struct Continuation {
    pub performance: Performance,
    /// The rounds of calls that were answered before.
    pub answered: Vec<Round>,
    /// The calls that wait for outputs.
    pub asked: Vec<FunctionCall>,
    pub turn: i64,
}

/// Calls, and what the client gave for them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in super::super) struct Round(pub Vec<(FunctionCall, String)>);

impl Continuation {
    /// The round that the items of a client close, if all outputs are there.
    pub(super) fn closed_by<'i>(
        &self,
        items: impl Iterator<Item = &'i Item> + Clone,
    ) -> Option<Round> {
        let output_of = |call: &FunctionCall| {
            let given = items.clone().find(|item| {
                item.is("function_call_output") && item.call_id() == Some(call.id.as_str())
            });
            given.map(|item| (call.clone(), item.output()))
        };
        self.asked.iter().map(output_of).collect::<Option<Vec<_>>>().map(Round)
    }
}

impl Round {
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
        let id = crate::types::Id::new(format!("{}_{number}", run.id));
        let mut step = Step::begun(id, at, run, details);
        step.end(StepEnd::Completed, at, Usage::default());
        step
    }
}
