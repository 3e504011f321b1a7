//! The note of an open run: its machine, with a version, so that another process can resume the run
//! in the same state. Notes of version 0.1.0, which had no version number, are converted.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    cue::TimedCue,
    machine::{Budget, Machine, OpenStep, PlayKind, PlayTool, Prompt, RunState},
    memory::{AfterCues, Memory, Performance, Position},
    responses::record::Record,
    script,
};
use crate::{
    clock::Moment,
    fixture::{Pace, matching::Captures, reply::Origin},
    store::OpenRun,
    tokens,
    types::{
        Message, Phase, Run, Step, Usage, limits,
        step::{CodeOutput, StepDetails, ToolCall, ToolCallKind},
    },
    upstream::Noted,
};

/// The version of the notes that this server writes.
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
    #[error("this version cannot read its reply")]
    Reply,
}

/// Writes a note. It contains the objects of a response, because their state is stored nowhere
/// else.
pub(super) fn write(machine: &Machine, response: Option<&Record<'_>>) -> String {
    #[derive(Serialize)]
    struct Note<'a> {
        version: u32,
        machine: &'a Machine,
        #[serde(skip_serializing_if = "Option::is_none")]
        response: Option<&'a Record<'a>>,
    }
    serde_json::to_string(&Note { version: VERSION, machine, response }).expect("a note is JSON")
}

/// The machine and the objects of an open response, from its note.
pub(super) fn read_response(note: &str) -> Result<(Machine, Record<'static>), NoteError> {
    #[derive(Deserialize)]
    struct Note {
        version: Value,
        machine: Value,
        response: Record<'static>,
    }
    let Note { version, machine, response } = serde_json::from_str(note)?;
    if version != VERSION {
        return Err(NoteError::Version(version));
    }
    Ok((Machine::deserialize(machine)?, response))
}

/// The machine of an open run, from its note. A run without a performer has no note yet.
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

/// The machine of a new run.
pub(super) fn new_machine(run: &Run, prompt: Prompt, now: Moment) -> Machine {
    let limit = |tokens: Option<i64>| tokens.map(i64::unsigned_abs);
    let budget = Budget {
        max_prompt: limit(run.max_prompt_tokens),
        max_completion: limit(run.max_completion_tokens),
        prompt,
        spent: Usage::default(),
        answered: 0,
        reasoned: 0,
        window: limits::CONTEXT_WINDOW,
        tool_calls_left: None,
    };
    Machine::new(run.model.clone(), Moment::from(run.deadline()), budget, now)
}

/// A machine in the state of the objects of its run, without a performer.
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
        Phase::Queued => RunState::Queued,
        Phase::RequiresAction { calls } => RunState::Waiting { functions: calls.len() },
        Phase::Cancelling => RunState::Cancelling { late: false },
        _ => RunState::Performing,
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

/// Tokens of the output of a call.
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

fn kind_of(step: &Step) -> PlayKind {
    let StepDetails::ToolCalls { tool_calls } = &step.step_details else {
        return PlayKind::Message;
    };
    let tool = |call: &ToolCall| match call.kind {
        ToolCallKind::Function { .. } => PlayTool::Function,
        ToolCallKind::CodeInterpreter { .. } => PlayTool::CodeInterpreter,
        ToolCallKind::FileSearch { .. } => PlayTool::FileSearch,
    };
    let functions = tool_calls.iter().filter(|call| tool(call) == PlayTool::Function).count();
    PlayKind::Calls { functions, last: tool_calls.last().map(tool) }
}

/// A note of version 0.1.0: the performer and its remaining cues. Everything else was in the
/// objects.
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
            (Memory::Upstream(upstream), AfterCues::More)
        }
    };
    machine.perform(Performance { pace, memory, then }, cues);
    Ok(machine)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        engine::{
            cue::PerformanceEnd,
            machine::{Ending, EventKind, Input, Next},
        },
        types::Timestamp,
    };

    const START: Timestamp = Timestamp(1_000);

    /// A run of version 0.1.0 with a closed message, and an open step that calls functions.
    fn open(status: &str, note: &Value) -> OpenRun {
        let wants = json!({"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls":
            [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}});
        let run = json!({
            "id": "run_1", "object": "thread.run", "created_at": 1_000, "assistant_id": "asst_1",
            "thread_id": "thread_1", "status": status, "started_at": 1_000, "model": "gpt-4o",
            "required_action": (status == "requires_action").then_some(wants),
            "instructions": null, "tools": [], "metadata": {}, "temperature": 1.0, "top_p": 1.0,
            "max_completion_tokens": null, "max_prompt_tokens": null, "truncation_strategy":
            {"type": "auto", "last_messages": null}, "response_format": "auto",
            "tool_choice": "auto", "parallel_tool_calls": true,
        });
        let step = |id: &str, status: &str, details: Value, usage: Value| {
            let kind = details["type"].clone();
            serde_json::from_value(json!({
                "id": id, "object": "thread.run.step", "created_at": 1_000, "run_id": "run_1",
                "assistant_id": "asst_1", "thread_id": "thread_1", "type": kind, "status": status,
                "cancelled_at": null, "completed_at": null, "expires_at": null, "failed_at": null,
                "last_error": null, "step_details": details, "usage": usage,
            }))
            .unwrap()
        };
        let message = json!({"type": "message_creation", "message_creation": {"message_id": "m"}});
        let calls = json!({"type": "tool_calls", "tool_calls": [{"id": "call_1", "type": "function",
            "function": {"name": "f", "arguments": "{}", "output": null}}]});
        let used = json!({"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8});
        OpenRun {
            run: serde_json::from_value(run).unwrap(),
            performance: Some(note.to_string()),
            steps: vec![
                step("step_1", "completed", message, used),
                step("step_2", "in_progress", calls, Value::Null),
            ],
            message: None,
        }
    }

    fn note(cues: &Value, is_late: bool) -> Value {
        json!({
            "reply": {"steps": [{"message": "m"}], "late_cancel": is_late}, "captures": {},
            "origin": {"file": "a.yaml", "line": 1, "steps": [1]}, "entry": 1, "query": null,
            "too_late": is_late, "pace": "Instant", "cues": cues,
        })
    }

    fn machine_of(status: &str, note: &Value) -> Machine {
        let prompt = Prompt { tokens: 10, fewest: 10 };
        read(&open(status, note), prompt, Moment::from(START)).unwrap()
    }

    #[test]
    fn a_waiting_run_of_0_1_0_keeps_its_state_and_its_usage() {
        let mut machine = machine_of("requires_action", &note(&json!([]), false));
        assert!(matches!(machine.next(), Next::WaitForClient { .. }));
        assert!(!machine.accepts(&Input::Submit(Vec::new())));
        let now = Moment::from(START);
        let events = machine.handle(Input::Submit(vec!["it".to_owned()]), now);
        let closed = events.iter().find_map(|event| match &event.what {
            EventKind::Closed { usage, .. } => Some(*usage),
            _ => None,
        });
        // Ten for the prompt, plus the output of the first step; "f" and "{}" are one token each.
        assert_eq!(closed, Some(Usage::new(13, 2)));
        assert!(matches!(machine.next(), Next::Wait { until } if until == now), "it is queued");
        machine.handle(Input::Time, now);
        assert!(machine.has_started() && machine.is_performing() && !machine.is_cancelled_late());
        assert_eq!(machine.next(), Next::FetchCues);
    }

    #[test]
    fn a_run_of_0_1_0_goes_on_with_its_cues() {
        let mut machine = machine_of(
            "in_progress",
            &note(
                &json!([
                    {"after": {"secs": 1, "nanos": 0}, "cue": "CloseCalls"}
                ]),
                false,
            ),
        );
        let due = Moment::from(Timestamp(1_001));
        assert_eq!(machine.next(), Next::Wait { until: due });
        assert!(machine.next().is_timed() && machine.has_started());
        let events = machine.handle(Input::Time, due);
        assert_eq!(events.last().unwrap().what, EventKind::OutputsWanted);
        assert!(!machine.is_performing());
    }

    #[test]
    fn a_cancelling_run_of_0_1_0_is_cancelled_or_plays_the_rest() {
        let cues = json!([{"after": {"secs": 0, "nanos": 0}, "cue": {"End": {"Completed":
            {"usage": null}}}}]);
        for is_late in [false, true] {
            let mut machine = machine_of("cancelling", &note(&cues, is_late));
            assert_eq!(machine.is_cancelled_late(), is_late);
            assert_eq!(machine.is_performing(), is_late);
            assert!(!machine.accepts(&Input::Cancel));
            let events = machine.handle(Input::Time, Moment::from(START));
            let EventKind::Ended(ending) = &events.last().unwrap().what else { panic!("it ends") };
            assert_eq!(matches!(ending, Ending::Completed(_)), is_late);
            assert_eq!(matches!(ending, Ending::Cancelled(_)), !is_late);
        }
    }

    #[test]
    fn a_queued_run_of_0_1_0_is_taken_from_the_queue_once() {
        let start = json!([{"after": {"secs": 9, "nanos": 0}, "cue": "Start"}]);
        for (cues, seconds) in [(json!([]), 1_000), (start, 1_009)] {
            let machine = machine_of("queued", &note(&cues, false));
            let until = Moment::from(Timestamp(seconds));
            assert_eq!(machine.next(), Next::Wait { until });
        }
    }

    #[test]
    fn the_upstreams_usage_of_the_open_step_is_kept() {
        let reported = json!({"upstream": {"turns": 1, "note": null, "usage": {"prompt_tokens": 40,
            "completion_tokens": 2, "total_tokens": 42}}, "pace": "Instant", "cues": []});
        let mut machine = machine_of("requires_action", &reported);
        let now = Moment::from(START);
        let events = machine.handle(Input::Submit(vec![String::new()]), now);
        let is_reported = |event: &crate::engine::machine::MachineEvent| matches!(event.what, EventKind::Closed { usage, .. } if usage == Usage::new(40, 2));
        assert!(events.iter().any(is_reported), "{events:?}");
    }

    #[test]
    fn a_machine_from_objects_can_be_stopped_in_any_state() {
        for status in ["queued", "in_progress", "requires_action", "cancelling"] {
            let open = open(status, &Value::Null);
            let mut machine = machine_of_objects(&open, Prompt::default(), Moment::from(START));
            let error = crate::types::run::LastError::server_error("no");
            let stop = Input::Stop(PerformanceEnd::failed(error));
            let events = machine.handle(stop, Moment::from(START));
            assert!(machine.is_over() && events.len() == 2, "{status}: {events:?}");
        }
    }
}
