//! From a fixture's reply to timed cues: its steps one after the other, texts rendered when their
//! turn comes and cut at tokens.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::{
    citations::{self, Segment},
    cue::{Cue, End, TimedCue},
    memory::{Cues, Memory, Position, Then},
    props::{self, Props, Unready},
    scene::Scene,
};
use crate::{
    fixture::{
        Entry, Outcome,
        asset::Asset,
        pace::Timing,
        reply::{Call, Citations, Output, Said},
        template::{self, TemplateError, Variables},
    },
    tokens,
    types::{
        File, Id,
        run::{IncompleteRun, LastError},
    },
};

/// The cues of the next step, or of the end. None if nothing more will come: the run hangs. A
/// cancel that came too late lets the rest be said, without asking the client for anything more.
pub(super) async fn next(
    position: Position,
    is_late: bool,
    scene: &Scene<'_>,
    timing: Timing,
) -> Cues {
    let mut script = Script { position, is_late };
    let cues = script.next(scene, timing).await;
    let position = script.position;
    let then = if cues.is_empty() { Then::Silence } else { then(&position) };
    Cues { cues, memory: Memory::Script(position), then }
}

/// What comes behind the cues of a script that stands here.
pub(super) fn then(position: &Position) -> Then {
    let searches =
        |call: &Call| matches!(call, Call::FileSearch(search) if search.results.is_none());
    let rest = position.reply.entries.iter().skip(position.entry);
    let next = rest.into_iter().find(|it| !matches!(it, Entry::Pause(_) | Entry::Disconnect));
    match next {
        Some(Entry::ToolCalls(calls)) if calls.iter().any(searches) => Then::Search,
        _ => Then::More,
    }
}

/// A reply being performed.
struct Script {
    position: Position,
    is_late: bool,
}

impl Script {
    async fn next(&mut self, scene: &Scene<'_>, timing: Timing) -> Vec<TimedCue> {
        let mut cues = CueList { cues: Vec::new(), wait: Duration::ZERO };
        while cues.cues.is_empty() {
            let at = self.position.entry;
            self.position.entry += 1;
            let reply = Arc::clone(&self.position.reply);
            let Some(entry) = reply.entries.get(at) else {
                self.end(&mut cues);
                break;
            };
            if self.is_late && entry.calls_functions() {
                continue;
            }
            if let Err(error) = self.write(entry, scene, timing, &mut cues).await {
                cues.cues.clear();
                let error =
                    LastError::server_error(format!("{}: {error}", reply.origin.of_step(at)));
                cues.push(Cue::End(End::failed(error)));
            }
        }
        cues.cues
    }

    async fn write(
        &mut self,
        entry: &Entry,
        scene: &Scene<'_>,
        timing: Timing,
        cues: &mut CueList,
    ) -> Result<(), Unready> {
        match entry {
            Entry::Pause(wait) => {
                cues.wait(wait.0);
                return Ok(());
            }
            Entry::Disconnect => {
                cues.push(Cue::Disconnect);
                return Ok(());
            }
            Entry::Message(_) | Entry::ToolCalls(_) => {}
        }
        let variables = scene.variables(&self.position.captures, self.position.query.as_deref());
        let props = props::prepare(&self.position.reply, entry, scene, &variables).await?;
        if let Some((query, _)) = props.searches.last() {
            self.position.query = Some(query.clone());
        }
        cues.wait(timing.first_token);
        let mut writing = Writing { scene, variables: &variables, timing, cues };
        off_the_workers(entry, || match entry {
            Entry::Message(said) => writing.message(said, &props, !self.is_cut_off()),
            Entry::ToolCalls(calls) => writing.calls(calls, props),
            Entry::Pause(_) | Entry::Disconnect => Ok(()),
        })?;
        Ok(())
    }

    /// Whether this is the last step of a run that is to run out of tokens, or into a filter: then
    /// its message is left unfinished.
    fn is_cut_off(&self) -> bool {
        let cuts = matches!(
            self.position.reply.outcome,
            Outcome::Incomplete(IncompleteRun::MaxCompletionTokens | IncompleteRun::ContentFilter)
        );
        cuts && self.position.entry == self.position.reply.entries.len()
    }

    fn end(&self, cues: &mut CueList) {
        let reply = &self.position.reply;
        let usage = reply.usage;
        cues.push(Cue::End(match &reply.outcome {
            _ if self.is_late => End::Completed { usage },
            Outcome::Completed => End::Completed { usage },
            Outcome::Failed(error) => End::Failed { error: error.clone(), usage },
            Outcome::Incomplete(reason) => End::Incomplete { reason: *reason, usage },
            Outcome::Expired => End::Expired,
            Outcome::Hang => return,
        }));
    }
}

/// A template that loops would hold up everybody else on its worker, so others take over meanwhile.
fn off_the_workers<R>(entry: &Entry, work: impl FnOnce() -> R) -> R {
    let may_take_long = match entry {
        Entry::Message(said) => {
            template::may_take_long(&said.text)
                || said.refusal.as_deref().is_some_and(template::may_take_long)
        }
        Entry::ToolCalls(_) => true,
        Entry::Pause(_) | Entry::Disconnect => false,
    };
    let has_others = Handle::try_current()
        .is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if may_take_long && has_others { tokio::task::block_in_place(work) } else { work() }
}

/// One entry being turned into cues.
struct Writing<'w, 's> {
    scene: &'w Scene<'s>,
    variables: &'w Variables,
    timing: Timing,
    cues: &'w mut CueList,
}

impl Writing<'_, '_> {
    fn message(&mut self, said: &Said, props: &Props, closes: bool) -> Result<(), TemplateError> {
        let text = template::render(&said.text, self.variables)?;
        let refusal = said
            .refusal
            .as_ref()
            .map(|refusal| template::render(refusal, self.variables))
            .transpose()?;
        self.cues.push(Cue::OpenMessage);
        let id_of = |asset: &Asset| {
            props.files.iter().find(|(name, _)| *name == asset.name).map(|(_, id)| id.clone())
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
            citations::link(self.cited(&text, &said.citations, props), &linked);
        for segment in segments {
            match segment {
                Segment::Plain(text) => self.pieces(&text, Cue::Text),
                Segment::Marked { text, refers } => {
                    self.cues.wait(self.timing.per_token);
                    let tokens = tokens::count(&self.scene.run.model, &text);
                    self.cues.push(Cue::Marked { piece: tokens::Piece { text, tokens }, refers });
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

    fn cited(&self, text: &str, citations: &Citations, props: &Props) -> Vec<Segment> {
        let marks = self.scene.marks();
        match citations {
            Citations::None => citations::cite(text, &[], marks),
            Citations::List(_) => citations::cite(text, &props.cited, marks),
            Citations::Auto => {
                let results: Vec<_> = self.scene.results().cloned().collect();
                let mut used = citations::used(text, &results);
                if self.scene.run.version.is_v1() {
                    self.scene.quote(&mut used, &results);
                }
                citations::cite(text, &used, marks)
            }
        }
    }

    fn calls(&mut self, calls: &[Call], props: Props) -> Result<(), TemplateError> {
        self.cues.push(Cue::OpenCalls);
        let Props { searches, files, .. } = props;
        let mut searches = searches.into_iter();
        for call in calls {
            match call {
                Call::Function { name, arguments } => self.function(name, arguments)?,
                Call::CodeInterpreter { input, outputs } => {
                    self.interpreter(input, outputs, &files)?
                }
                Call::FileSearch(_) => {
                    if let Some((query, file_search)) = searches.next() {
                        let tokens = tokens::count(&self.scene.run.model, &query);
                        self.cues.push(Cue::FileSearch { file_search, tokens });
                    }
                }
            }
        }
        self.cues.push(Cue::CloseCalls);
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
        outputs: &[Output],
        files: &[(String, Id<File>)],
    ) -> Result<(), TemplateError> {
        let input = template::render(input, self.variables)?;
        self.cues.push(Cue::CodeInterpreter);
        self.pieces(&input, Cue::Input);
        for output in outputs {
            match output {
                Output::Logs(logs) => {
                    self.cues.push(Cue::Logs(template::render(logs, self.variables)?))
                }
                Output::Image(asset) => {
                    let drawn = files.iter().find(|(name, _)| *name == asset.name);
                    if let Some((_, file_id)) = drawn {
                        self.cues.push(Cue::Drawing { file_id: file_id.clone() });
                    }
                }
            }
        }
        Ok(())
    }

    fn pieces(&mut self, text: &str, cue: impl Fn(tokens::Piece) -> Cue) {
        self.cues.pieces(&self.scene.run.model, text, self.timing, cue);
    }
}

/// Cues being written down, each with the wait before it.
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
        cue: impl Fn(tokens::Piece) -> Cue,
    ) {
        for (index, piece) in tokens::pieces(model, text).into_iter().enumerate() {
            if index > 0 {
                self.wait(timing.per_token);
            }
            self.push(cue(piece));
        }
    }
}
