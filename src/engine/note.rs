//! What is noted beside an open run: its machine, with a version, so that another process takes it
//! up where it stood. Notes of version 0.1.0, which had no number, are converted.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    cue::TimedCue,
    machine::{Budget, Kind, Machine, OpenStep, Prompt, State, Tool},
    memory::{Memory, Performance, Position, Then},
    script,
};
use crate::{
    clock::Moment,
    fixture::{Pace, matching::Captures, reply::Origin},
    store::OpenRun,
    tokens,
    types::{
        Message, Phase, Run, Step, Usage,
        step::{CodeOutput, StepDetails, ToolCall, ToolCallKind},
    },
    upstream::Noted,
};

/// The version of the notes that are written.
const VERSION: u32 = 1;

/// Why a note cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoteError {
    #[error("there is none")]
    Missing,
    #[error("it has version {0}, and this server reads version {VERSION}")]
    Version(Value),
    #[error("it does not parse: {0}")]
    Json(#[from] serde_json::Error),
    #[error("its reply is none that this version understands")]
    Reply,
}

pub(super) fn write(machine: &Machine) -> String {
    #[derive(Serialize)]
    struct Note<'a> {
        version: u32,
        machine: &'a Machine,
    }
    serde_json::to_string(&Note { version: VERSION, machine }).expect("a machine is JSON")
}

/// The machine of an open run, as it was noted. A run that nobody has performed yet has no note.
pub(super) fn read(open: &OpenRun, prompt: Prompt, now: Moment) -> Result<Machine, NoteError> {
    let Some(note) = &open.performance else {
        let is_new = open.run.phase == Phase::Queued && open.steps.is_empty();
        return if is_new {
            Ok(new_machine(&open.run, prompt, now))
        } else {
            Err(NoteError::Missing)
        };
    };
    let mut note: Value = serde_json::from_str(note)?;
    match note["version"].take() {
        Value::Null => from_0_1_0(serde_json::from_value(note)?, open, prompt, now),
        version if version == VERSION => Ok(Machine::deserialize(note["machine"].take())?),
        version => Err(NoteError::Version(version)),
    }
}

/// The machine of a run that was just created.
pub(super) fn new_machine(run: &Run, prompt: Prompt, now: Moment) -> Machine {
    let limit = |tokens: Option<i64>| tokens.map(i64::unsigned_abs);
    let budget = Budget {
        max_prompt: limit(run.max_prompt_tokens),
        max_completion: limit(run.max_completion_tokens),
        prompt,
        spent: Usage::default(),
        answered: 0,
    };
    Machine::new(run.model.clone(), Moment::from(run.deadline()), budget, now)
}

/// A machine that stands where the objects of its run stand, and that nobody performs.
pub(super) fn machine_of_objects(open: &OpenRun, prompt: Prompt, now: Moment) -> Machine {
    let count = |text: &str| tokens::count(&open.run.model, text);
    let mut machine = new_machine(&open.run, prompt, now);
    let mut open_step = None;
    for step in &open.steps {
        let answered = step.tool_calls().iter().map(|call| answered_in(call, count)).sum();
        if let Some(usage) = step.usage {
            machine.count_step(usage, answered);
        } else {
            let said: u64 = step.tool_calls().iter().map(|call| said_in(call, count)).sum();
            let message = open.message.as_ref().filter(|message| message.is_open());
            let written = message.map_or(0, |message: &Message| count(&message.text()));
            let said = said + written;
            open_step = Some(OpenStep { kind: kind_of(step), said, answered, reported: None });
        }
    }
    let state = match &open.run.phase {
        Phase::Queued => State::Queued,
        Phase::RequiresAction { calls } => State::Waiting { functions: calls.len() },
        Phase::Cancelling => State::Cancelling { late: false },
        _ => State::Performing,
    };
    machine.stand(state, open_step);
    machine
}

/// Tokens that the model wrote for a call.
fn said_in(call: &ToolCall, count: impl Fn(&str) -> u64) -> u64 {
    match &call.kind {
        ToolCallKind::Function { function } => count(&function.name) + count(&function.arguments),
        ToolCallKind::CodeInterpreter { code_interpreter } => count(&code_interpreter.input),
        ToolCallKind::FileSearch { .. } => 0,
    }
}

/// Tokens that the tool of a call has answered.
fn answered_in(call: &ToolCall, count: impl Fn(&str) -> u64) -> u64 {
    match &call.kind {
        ToolCallKind::Function { function } => {
            count(function.output.as_deref().unwrap_or_default())
        }
        ToolCallKind::CodeInterpreter { code_interpreter } => {
            let logs = code_interpreter.outputs.iter().filter_map(|output| match output {
                CodeOutput::Logs { logs } => Some(count(logs)),
                CodeOutput::Image { .. } => None,
            });
            logs.sum()
        }
        ToolCallKind::FileSearch { file_search } => {
            file_search.results.iter().map(|result| count(result.text())).sum()
        }
    }
}

fn kind_of(step: &Step) -> Kind {
    let StepDetails::ToolCalls { tool_calls } = &step.step_details else { return Kind::Message };
    let tool = |call: &ToolCall| match call.kind {
        ToolCallKind::Function { .. } => Tool::Function,
        ToolCallKind::CodeInterpreter { .. } => Tool::CodeInterpreter,
        ToolCallKind::FileSearch { .. } => Tool::FileSearch,
    };
    let functions = tool_calls.iter().filter(|call| tool(call) == Tool::Function).count();
    Kind::Calls { functions, last: tool_calls.last().map(tool) }
}

/// A note of version 0.1.0: the performer and what it had said. All else stood in the objects.
#[derive(Deserialize)]
struct Note010 {
    #[serde(flatten)]
    by: By010,
    pace: Pace,
    cues: VecDeque<TimedCue>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum By010 {
    Script {
        reply: Value,
        origin: Origin,
        captures: Captures,
        entry: usize,
        #[serde(default)]
        query: Option<String>,
        #[serde(default)]
        too_late: bool,
    },
    Upstream {
        upstream: Noted,
    },
}

fn from_0_1_0(
    note: Note010,
    open: &OpenRun,
    prompt: Prompt,
    now: Moment,
) -> Result<Machine, NoteError> {
    let mut machine = machine_of_objects(open, prompt, now);
    let Note010 { by, pace, cues } = note;
    let (memory, then) = match by {
        By010::Script { reply, origin, captures, entry, query, too_late } => {
            let position =
                Position::read(reply, origin, captures, entry, query).ok_or(NoteError::Reply)?;
            if too_late {
                machine.cancel_late();
            }
            let then = script::then(&position);
            (Memory::Script(position), then)
        }
        By010::Upstream { upstream } => {
            machine.report(upstream.usage);
            (Memory::Upstream(upstream), Then::More)
        }
    };
    machine.perform(Performance { pace, memory, then }, cues);
    Ok(machine)
}
