//! From a fixture's reply to timed cues, step by step. A text is rendered when its step begins, and
//! cut at tokens.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::{
    citations::{self, Segment},
    cue::{Cue, PerformanceEnd, TimedCue},
    memory::{AfterCues, Cues, Memory, Position},
    run_context::RunContext,
    step_inputs::{self, PrepareError, StepInputs},
};
use crate::{
    fixture::{
        Outcome, ReplyStep,
        asset::Asset,
        pace::Timing,
        step::{Citations, ReplyCall, ReplyMessage, ReplyOutput},
        template::{self, TemplateError, Variables},
    },
    tokens,
    types::{
        Api, File, Id,
        run::{IncompleteRun, LastError},
    },
};

/// The cues of the next step, or of the end. They are empty if nothing more comes: the run hangs.
/// After a cancel that came too late, the rest still plays, but without requests to the client.
pub(super) async fn next(
    position: Position,
    is_late: bool,
    context: &RunContext<'_>,
    timing: Timing,
) -> Cues {
    let mut script = Script { position, is_late };
    let cues = script.next(context, timing).await;
    let position = script.position;
    let then = if cues.is_empty() { AfterCues::Silence } else { then(&position) };
    Cues { cues, memory: Memory::Script(position), then }
}

/// The next action after the cues of this script.
pub(super) fn then(position: &Position) -> AfterCues {
    let searches = |call: &ReplyCall| matches!(call, ReplyCall::FileSearch(search) if search.results.is_none());
    let rest = position.reply.entries.iter().skip(position.entry);
    let next =
        rest.into_iter().find(|it| matches!(it, ReplyStep::Message(_) | ReplyStep::ToolCalls(_)));
    match next {
        Some(ReplyStep::ToolCalls(calls)) if calls.iter().any(searches) => AfterCues::Search,
        _ => AfterCues::More,
    }
}

/// A reply in performance.
struct Script {
    position: Position,
    is_late: bool,
}

impl Script {
    async fn next(&mut self, context: &RunContext<'_>, timing: Timing) -> Vec<TimedCue> {
        let mut cues = CueList { cues: Vec::new(), wait: Duration::ZERO };
        while cues.cues.is_empty() {
            let at = self.position.entry;
            self.position.entry += 1;
            let reply = Arc::clone(&self.position.reply);
            let Some(entry) = reply.entries.get(at) else {
                self.end(context.api, &mut cues);
                break;
            };
            if self.is_late && entry.calls_functions() || entry.is_foreign_to(context.api) {
                continue;
            }
            if let Err(error) = self.write(entry, context, timing, &mut cues).await {
                cues.cues.clear();
                let error =
                    LastError::server_error(format!("{}: {error}", reply.origin.of_step(at)));
                cues.push(Cue::End(PerformanceEnd::failed(error)));
            }
        }
        cues.cues
    }

    async fn write(
        &mut self,
        entry: &ReplyStep,
        context: &RunContext<'_>,
        timing: Timing,
        cues: &mut CueList,
    ) -> Result<(), PrepareError> {
        match entry {
            ReplyStep::Pause(wait) => {
                cues.wait(wait.0);
                return Ok(());
            }
            ReplyStep::Disconnect => {
                cues.push(Cue::Disconnect);
                return Ok(());
            }
            ReplyStep::Await => {
                cues.push(Cue::AwaitOutputs);
                return Ok(());
            }
            ReplyStep::Message(_) | ReplyStep::ToolCalls(_) => {}
            ReplyStep::Reasoning(_) | ReplyStep::Item(_) => {}
        }
        let (captures, query) = (self.position.captures.clone(), self.position.query.clone());
        let variables = context.variables(&captures, query.as_deref());
        let inputs = step_inputs::prepare(&self.position.reply, entry, context, &variables).await?;
        if let Some((query, _)) = inputs.searches.last() {
            self.position.query = Some(query.clone());
        }
        cues.wait(timing.first_token);
        let mut writing = Writing { context, variables: &variables, timing, cues };
        off_the_workers(entry, || match entry {
            ReplyStep::Message(said) => {
                writing.message(said, &inputs, !self.is_cut_off(context.api))
            }
            ReplyStep::ToolCalls(calls) => writing.calls(calls, inputs),
            ReplyStep::Reasoning(summary) => writing.reasoning(summary),
            ReplyStep::Item(item) => writing.item(item),
            ReplyStep::Pause(_) | ReplyStep::Await | ReplyStep::Disconnect => Ok(()),
        })?;
        Ok(())
    }

    /// Whether this is the last step of a run that runs out of tokens or into a filter. Then its
    /// message stays unfinished.
    fn is_cut_off(&self, api: Api) -> bool {
        let cuts = matches!(
            self.position.reply.outcome,
            Outcome::Incomplete(IncompleteRun::MaxCompletionTokens | IncompleteRun::ContentFilter)
        );
        let mut rest = self.position.reply.entries.iter().skip(self.position.entry);
        cuts && rest.all(|entry| entry.is_foreign_to(api))
    }

    fn end(&self, api: Api, cues: &mut CueList) {
        let reply = &self.position.reply;
        let usage = reply.usage;
        cues.push(Cue::End(match &reply.outcome {
            _ if self.is_late => PerformanceEnd::Completed { usage },
            Outcome::Completed => PerformanceEnd::Completed { usage },
            Outcome::Failed(error) => PerformanceEnd::Failed { error: error.clone(), usage },
            Outcome::Incomplete(reason) => PerformanceEnd::Incomplete { reason: *reason, usage },
            // A response cannot expire in this way: it continues until its time is over.
            Outcome::Expired if api == Api::Responses => return,
            Outcome::Expired => PerformanceEnd::Expired,
            Outcome::Hang => return,
        }));
    }
}

/// A template with loops would block all other tasks on its worker, so the other tasks move to
/// another thread.
fn off_the_workers<R>(entry: &ReplyStep, work: impl FnOnce() -> R) -> R {
    let may_take_long = match entry {
        ReplyStep::Message(said) => {
            template::may_take_long(&said.text)
                || said.refusal.as_deref().is_some_and(template::may_take_long)
        }
        ReplyStep::ToolCalls(_) | ReplyStep::Reasoning(_) | ReplyStep::Item(_) => true,
        ReplyStep::Pause(_) | ReplyStep::Await | ReplyStep::Disconnect => false,
    };
    let has_others = Handle::try_current()
        .is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if may_take_long && has_others { tokio::task::block_in_place(work) } else { work() }
}

/// A template of the user's message only.
const MESSAGE: &str = "{{ message }}";

/// The conversion of one entry into cues.
struct Writing<'w, 's> {
    context: &'w RunContext<'s>,
    variables: &'w Variables<'w>,
    timing: Timing,
    cues: &'w mut CueList,
}

impl Writing<'_, '_> {
    fn message(
        &mut self,
        said: &ReplyMessage,
        inputs: &StepInputs,
        closes: bool,
    ) -> Result<(), TemplateError> {
        let text = match said.text.as_str() {
            // This text has no length limit.
            MESSAGE => self.context.message_text(),
            text => template::render(text, self.variables)?,
        };
        let refusal = said
            .refusal
            .as_ref()
            .map(|refusal| template::render(refusal, self.variables))
            .transpose()?;
        self.cues.push(Cue::OpenMessage);
        let id_of = |asset: &Asset| {
            inputs.files.iter().find(|(name, _)| *name == asset.name).map(|(_, id)| id.clone())
        };
        for file_id in said.images.iter().filter_map(id_of) {
            self.cues.push(Cue::Image { file_id });
        }
        let linked: Vec<_> = said
            .files
            .iter()
            .filter_map(|asset| Some((asset.name.clone(), id_of(asset)?)))
            .collect();
        let (segments, unlinked) =
            citations::link(self.cited(&text, &said.citations, inputs), &linked);
        for segment in segments {
            match segment {
                Segment::Plain(text) => self.pieces(&text, Cue::Text),
                Segment::Marked { text, refers } => {
                    self.cues.wait(self.timing.per_token);
                    let tokens = tokens::count(&self.context.run.model, &text);
                    self.cues
                        .push(Cue::Marked { piece: tokens::TokenPiece { text, tokens }, refers });
                }
            }
        }
        for file_id in unlinked {
            self.cues.push(Cue::Attach { file_id });
        }
        if let Some(refusal) = refusal {
            self.cues.push(Cue::Refusal(refusal));
        }
        if closes {
            self.cues.push(Cue::CloseMessage);
        }
        Ok(())
    }

    fn cited(&self, text: &str, citations: &Citations, inputs: &StepInputs) -> Vec<Segment> {
        let marks = self.context.marks();
        match citations {
            Citations::None => citations::cite(text, &[], marks),
            Citations::List(_) => citations::cite(text, &inputs.cited, marks),
            Citations::Auto => {
                let results: Vec<_> = self.context.results().cloned().collect();
                let mut used = citations::used(text, &results);
                if self.context.run.version.is_v1() {
                    self.context.quote(&mut used, &results);
                }
                citations::cite(text, &used, marks)
            }
        }
    }

    fn calls(&mut self, calls: &[ReplyCall], inputs: StepInputs) -> Result<(), TemplateError> {
        self.cues.push(Cue::OpenCalls);
        let StepInputs { searches, files, .. } = inputs;
        let mut searches = searches.into_iter();
        for call in calls {
            match call {
                ReplyCall::Function { name, arguments } => self.function(name, arguments)?,
                ReplyCall::CodeInterpreter { input, outputs } => {
                    self.interpreter(input, outputs, &files)?
                }
                ReplyCall::FileSearch(_) => {
                    if let Some((query, file_search)) = searches.next() {
                        let tokens = tokens::count(&self.context.run.model, &query);
                        self.cues.push(Cue::FileSearch { file_search, tokens });
                    }
                }
            }
        }
        self.cues.push(Cue::CloseCalls);
        Ok(())
    }

    fn reasoning(&mut self, summary: &[String]) -> Result<(), TemplateError> {
        self.cues.push(Cue::OpenReasoning);
        for part in summary {
            let text = template::render(part, self.variables)?;
            self.cues.push(Cue::SummaryPart);
            self.pieces(&text, Cue::Summary);
        }
        self.cues.push(Cue::CloseReasoning);
        Ok(())
    }

    fn item(&mut self, item: &Map<String, Value>) -> Result<(), TemplateError> {
        if let Value::Object(item) =
            template::render_value(&Value::Object(item.clone()), self.variables)?
        {
            self.cues.push(Cue::Item(item));
        }
        Ok(())
    }

    fn function(&mut self, name: &str, arguments: &Value) -> Result<(), TemplateError> {
        let arguments = match template::render_value(arguments, self.variables)? {
            Value::String(text) => text,
            value => value.to_string(),
        };
        self.cues.push(Cue::Function { name: name.to_owned() });
        self.pieces(&arguments, Cue::Arguments);
        Ok(())
    }

    fn interpreter(
        &mut self,
        input: &str,
        outputs: &[ReplyOutput],
        files: &[(String, Id<File>)],
    ) -> Result<(), TemplateError> {
        let input = template::render(input, self.variables)?;
        self.cues.push(Cue::CodeInterpreter);
        self.pieces(&input, Cue::Input);
        for output in outputs {
            match output {
                ReplyOutput::Logs(logs) => {
                    self.cues.push(Cue::Logs(template::render(logs, self.variables)?))
                }
                ReplyOutput::Image(asset) => {
                    let drawn = files.iter().find(|(name, _)| *name == asset.name);
                    if let Some((_, file_id)) = drawn {
                        self.cues.push(Cue::Drawing { file_id: file_id.clone() });
                    }
                }
            }
        }
        Ok(())
    }

    fn pieces(&mut self, text: &str, cue: impl Fn(tokens::TokenPiece) -> Cue) {
        self.cues.pieces(&self.context.run.model, text, self.timing, cue);
    }
}

/// A list of cues, each with the wait before it.
struct CueList {
    cues: Vec<TimedCue>,
    wait: Duration,
}

impl CueList {
    fn wait(&mut self, wait: Duration) {
        self.wait = self.wait.saturating_add(wait);
    }

    fn push(&mut self, cue: Cue) {
        self.cues.push(TimedCue { after: std::mem::take(&mut self.wait), cue });
    }

    fn pieces(
        &mut self,
        model: &str,
        text: &str,
        timing: Timing,
        cue: impl Fn(tokens::TokenPiece) -> Cue,
    ) {
        for (index, piece) in tokens::pieces(model, text).into_iter().enumerate() {
            if index > 0 {
                self.wait(timing.per_token);
            }
            self.push(cue(piece));
        }
    }
}
