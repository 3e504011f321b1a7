//! From a fixture's reply to timed cues: its steps one after the other, texts rendered when their turn
//! comes and cut at tokens.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::{
    stage::{Cue, End},
    tokens,
};
use crate::{
    fixture::{
        Entry, Outcome, Reply,
        matching::{Captures, Metadata, Subject},
        pace::Timing,
        reply::Call,
        template::{self, TemplateError, Variables},
    },
    store::Surroundings,
    types::{
        Run, Step,
        run::{IncompleteRun, LastError},
        step::{StepStatus, ToolCallKind},
    },
};

/// A cue and how long after the one before it is due.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct TimedCue {
    pub after: Duration,
    pub cue: Cue,
}

/// What a run looks like to whoever answers it.
pub(super) struct Scene<'a> {
    pub run: &'a Run,
    pub steps: &'a [Step],
    pub surroundings: &'a Surroundings,
    pub turn: i64,
    /// RFC 3339.
    pub now: String,
}

impl Scene<'_> {
    /// Shows the run to the conditions of replies.
    pub(super) fn judged<R>(&self, judge: impl FnOnce(&Subject<'_>) -> R) -> R {
        let Surroundings { thread, assistant, user_message, .. } = self.surroundings;
        let text = user_message.as_ref().map(|message| message.text());
        judge(&Subject {
            assistant_id: self.run.assistant_id.as_str(),
            assistant_name: assistant.as_ref().and_then(|assistant| assistant.name.as_deref()),
            model: &self.run.model,
            instructions: self.run.instructions.as_deref(),
            message: text.as_deref(),
            turn: self.turn,
            tools: &self.run.tools,
            attachments: user_message.as_ref().is_some_and(|message| !message.attachments.is_empty()),
            metadata: Metadata([
                Some(&self.run.metadata),
                thread.as_ref().map(|thread| &thread.metadata),
                assistant.as_ref().map(|assistant| &assistant.metadata),
            ]),
        })
    }

    fn variables(&self, captures: &Captures) -> Variables {
        let Surroundings { thread, assistant, user_message, .. } = self.surroundings;
        let message = user_message.as_ref().map(|message| message.text()).unwrap_or_default();
        Variables::new(
            captures,
            [
                ("message", Value::from(message)),
                ("turn", Value::from(self.turn)),
                ("assistant", json!(assistant)),
                ("thread", json!(thread)),
                ("run", json!(self.run)),
                ("outputs", outputs(self.steps)),
                ("results", json!([])),
                ("files", json!([])),
                ("now", Value::from(self.now.as_str())),
            ],
        )
    }
}

/// The submitted outputs, by function name and by call id; parsed when they are JSON, a list when a
/// function was called more than once.
fn outputs(steps: &[Step]) -> Value {
    let mut by_name: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    let mut all = Map::new();
    for call in steps.iter().filter(|step| step.status == StepStatus::Completed).flat_map(Step::tool_calls) {
        if let ToolCallKind::Function { function } = &call.kind
            && let Some(output) = &function.output
        {
            let value = serde_json::from_str(output).unwrap_or_else(|_| Value::from(output.as_str()));
            by_name.entry(&function.name).or_default().push(value.clone());
            all.insert(call.id.clone(), value);
        }
    }
    for (name, mut values) in by_name {
        let value = if values.len() == 1 { values.remove(0) } else { Value::Array(values) };
        all.insert(name.to_owned(), value);
    }
    Value::Object(all)
}

/// A reply being performed.
#[derive(Debug)]
pub(super) struct Script {
    pub reply: Arc<Reply>,
    pub captures: Captures,
    /// The entry that comes next.
    pub entry: usize,
}

impl Script {
    /// The cues of the next step, or of the end. Empty if nothing more will come: the run hangs.
    pub(super) fn next(&mut self, scene: &Scene<'_>, timing: Timing) -> Vec<TimedCue> {
        let mut cues = Cues { cues: Vec::new(), wait: Duration::ZERO };
        while cues.cues.is_empty() {
            let at = self.entry;
            self.entry += 1;
            let reply = Arc::clone(&self.reply);
            let Some(entry) = reply.entries.get(at) else {
                self.end(&mut cues);
                break;
            };
            let written = off_the_workers(entry, || self.write(entry, scene, timing, &mut cues));
            if let Err(error) = written {
                cues.cues.clear();
                cues.push(Cue::End(End::Failed { error: self.template_fault(at, &error), usage: None }));
            }
        }
        cues.cues
    }

    fn write(&self, entry: &Entry, scene: &Scene<'_>, timing: Timing, cues: &mut Cues) -> Result<(), TemplateError> {
        match entry {
            Entry::Pause(wait) => cues.wait(wait.0),
            Entry::Message { text, refusal } => {
                let variables = scene.variables(&self.captures);
                let text = template::render(text, &variables)?;
                let refusal = refusal.as_ref().map(|refusal| template::render(refusal, &variables)).transpose()?;
                cues.wait(timing.first_token);
                cues.push(Cue::OpenMessage);
                cues.pieces(&scene.run.model, &text, timing, Cue::Text);
                if let Some(refusal) = refusal {
                    cues.push(Cue::Refusal(refusal));
                }
                if !self.is_cut_off() {
                    cues.push(Cue::CloseMessage);
                }
            }
            Entry::ToolCalls(calls) => {
                let variables = scene.variables(&self.captures);
                cues.wait(timing.first_token);
                cues.push(Cue::OpenCalls);
                for call in calls {
                    write_call(call, &variables, &scene.run.model, timing, cues)?;
                }
                cues.push(Cue::CloseCalls);
            }
        }
        Ok(())
    }

    /// Whether this is the last step of a run that is to run out of tokens, or into a filter: then its
    /// message is left unfinished.
    fn is_cut_off(&self) -> bool {
        let cuts =
            matches!(self.reply.outcome, Outcome::Incomplete(IncompleteRun::MaxCompletionTokens | IncompleteRun::ContentFilter));
        cuts && self.entry == self.reply.entries.len()
    }

    fn end(&self, cues: &mut Cues) {
        let usage = self.reply.usage;
        cues.push(Cue::End(match &self.reply.outcome {
            Outcome::Completed => End::Completed { usage },
            Outcome::Failed(error) => End::Failed { error: error.clone(), usage },
            Outcome::Incomplete(reason) => End::Incomplete { reason: *reason, usage },
            Outcome::Expired => End::Expired,
            Outcome::Hang => return,
        }));
    }

    fn template_fault(&self, entry: usize, error: &TemplateError) -> LastError {
        let place = self.reply.origin.of_step(entry);
        let TemplateError { line, what } = error;
        LastError::server_error(format!(
            "{place}: the template of this step cannot be rendered: {what} (line {line} of its text)"
        ))
    }
}

/// A template that loops would hold up everybody else on its worker, so others take over meanwhile.
fn off_the_workers<R>(entry: &Entry, work: impl FnOnce() -> R) -> R {
    let may_take_long = match entry {
        Entry::Message { text, refusal } => {
            template::may_take_long(text) || refusal.as_deref().is_some_and(template::may_take_long)
        }
        Entry::ToolCalls(_) => true,
        Entry::Pause(_) => false,
    };
    let has_others = Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if may_take_long && has_others { tokio::task::block_in_place(work) } else { work() }
}

fn write_call(call: &Call, variables: &Variables, model: &str, timing: Timing, cues: &mut Cues) -> Result<(), TemplateError> {
    match call {
        Call::Function { name, arguments } => {
            let arguments = match template::render_value(arguments, variables)? {
                Value::String(text) => text,
                value => value.to_string(),
            };
            cues.push(Cue::Function { name: name.clone() });
            cues.pieces(model, &arguments, timing, Cue::Arguments);
        }
        Call::CodeInterpreter { input, logs } => {
            let input = template::render(input, variables)?;
            cues.push(Cue::CodeInterpreter);
            cues.pieces(model, &input, timing, Cue::Input);
            for logs in logs {
                cues.push(Cue::Logs(template::render(logs, variables)?));
            }
        }
    }
    Ok(())
}

/// Cues being written down, each with the wait before it.
struct Cues {
    cues: Vec<TimedCue>,
    wait: Duration,
}

impl Cues {
    fn wait(&mut self, wait: Duration) {
        self.wait = self.wait.saturating_add(wait);
    }

    fn push(&mut self, cue: Cue) {
        self.cues.push(TimedCue { after: std::mem::take(&mut self.wait), cue });
    }

    fn pieces(&mut self, model: &str, text: &str, timing: Timing, cue: impl Fn(tokens::Piece) -> Cue) {
        for (index, piece) in tokens::pieces(model, text).into_iter().enumerate() {
            if index > 0 {
                self.wait(timing.per_token);
            }
            self.push(cue(piece));
        }
    }
}
