//! Notes the turns of a run: the input of the performer, and its answer.
//!
//! A turn is in the log before the commit of the new state of its run. So a client that sees the
//! end of a run finds its turns. Events about turns come after the commit.

use std::{collections::HashMap, mem, sync::Arc};

use serde_json::Value;

use super::{event::Event, run_context::RunContext};
use crate::{
    turns::{
        Answered, Asked, AskedAssistant, AskedMessage, AskedRole, Citation, GivenOutput, KeptTurn,
        Turn, TurnApi, TurnLog, TurnPlace, TurnUsage,
    },
    types::{
        Api, Message, Run, RunStatus, Step, Tool, Usage, message::Annotation, run::Phase,
        step::ToolCallKind, tool::FunctionCall,
    },
};

/// The recorder of one run.
pub(super) struct TurnRecorder {
    log: Arc<TurnLog>,
    open: Option<OpenTurn>,
    /// The messages of the thread when the run began, and the later messages of the run.
    heard: Vec<AskedMessage>,
    fixed: Option<Fixed>,
    filenames: HashMap<String, String>,
    /// The places of the turns in the log.
    noted: Vec<TurnPlace>,
    /// The turns that have ended, but have no event yet.
    ended: Vec<KeptTurn>,
}

/// The values that are equal for all turns of a run.
#[derive(Clone)]
struct Fixed {
    instructions: Option<Arc<str>>,
    tools: Arc<[Tool]>,
}

/// An open turn.
struct OpenTurn {
    turn: Turn,
    /// Its place in the log, if it is there already.
    noted: Option<TurnPlace>,
    /// The usage of the run before this turn.
    used: Usage,
}

impl TurnRecorder {
    pub(super) fn new(log: Arc<TurnLog>) -> Self {
        Self {
            log,
            open: None,
            heard: Vec::new(),
            fixed: None,
            filenames: HashMap::new(),
            noted: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// The public form of a value: without secrets.
    pub(super) fn cleaned(&self, value: Value) -> Value {
        self.log.cleaned(value)
    }

    /// Takes the messages that the performer has read before the first turn.
    pub(super) fn hear(&mut self, messages: Vec<AskedMessage>) {
        if self.log.is_kept() {
            self.heard = messages;
        }
    }

    /// Begins a turn, unless one is open.
    pub(super) fn begin(&mut self, context: &RunContext<'_>, reply: Option<String>, used: Usage) {
        if self.open.is_some() || !self.log.is_kept() {
            return;
        }
        let run = context.run;
        let number = 1 + context.steps.iter().filter(|step| calls_functions(step)).count();
        for file in context.files {
            self.filenames.insert(file.id.to_string(), file.filename.clone());
        }
        let answered = Answered {
            reply,
            status: RunStatus::InProgress,
            text: String::new(),
            tool_calls: Vec::new(),
            citations: Vec::new(),
            usage: None,
        };
        let turn = Turn {
            id: context.ids.turn(number),
            api: TurnApi::new(context.api, run.version),
            run: run.id.to_string(),
            thread: context.thread().map(ToString::to_string),
            number,
            asked: Arc::new(self.asked(context)),
            answered,
        };
        self.open = Some(OpenTurn { turn, noted: None, used });
    }

    fn asked(&mut self, context: &RunContext<'_>) -> Asked {
        let run = context.run;
        let fixed = || Fixed {
            instructions: run.instructions.as_deref().map(Arc::from),
            tools: run.tools.as_slice().into(),
        };
        let Fixed { instructions, tools } = self.fixed.get_or_insert_with(fixed).clone();
        let name = context.surroundings.assistant.as_ref().and_then(|it| it.name.clone());
        Asked {
            assistant: (context.api == Api::Assistants)
                .then(|| AskedAssistant { id: run.assistant_id.to_string(), name }),
            model: run.model.clone(),
            instructions,
            messages: self.heard.clone(),
            tools,
            tool_choice: run.tool_choice.clone(),
            response_format: run.response_format.clone(),
            temperature: run.temperature,
            top_p: run.top_p,
            max_output_tokens: run.max_completion_tokens,
            truncation: match context.of_response {
                Some(of_response) => of_response.truncation(),
                None => (&run.truncation_strategy).into(),
            },
            vector_stores: context.stores.to_vec(),
            files: context.files.iter().map(|file| file.id.to_string()).collect(),
            tool_outputs: given_outputs(context.steps),
        }
    }

    /// Takes events before they are written. `used` is the current usage of the run.
    pub(super) fn see(&mut self, events: &[Event], used: Usage) {
        for event in events {
            match event {
                Event::Message(message) if !message.is_open() => self.said(message),
                Event::Step(step) => {
                    let found = step.search_results();
                    let names = found.map(|it| (it.file_id.clone(), it.file_name.clone()));
                    self.filenames.extend(names);
                }
                Event::Run(run) => self.turned(run, used),
                _ => {}
            }
        }
        if let Some(open) = self.open.as_mut().filter(|open| open.noted.is_none()) {
            let noted = self.log.note(open.turn.clone(), None).place;
            open.noted = Some(noted);
            self.noted.push(noted);
        }
    }

    /// Takes a complete message.
    fn said(&mut self, message: &Message) {
        if !self.log.is_kept() {
            return;
        }
        let text = message.text();
        if let Some(OpenTurn { turn: Turn { answered, .. }, .. }) = &mut self.open {
            if !answered.text.is_empty() {
                answered.text.push('\n');
            }
            answered.text.push_str(&text);
            let cited = message.annotations().filter_map(|annotation| match annotation {
                Annotation::FileCitation { text, file_citation, .. } => Some(Citation {
                    file_id: file_citation.file_id.clone(),
                    filename: self.filenames.get(&file_citation.file_id).cloned(),
                    text: text.clone(),
                }),
                Annotation::FilePath { .. } => None,
            });
            answered.citations.extend(cited);
        }
        self.heard.push(AskedMessage { role: AskedRole::Assistant, content: text.into() });
    }

    /// Ends the turn if the run waits for the client, or ends.
    fn turned(&mut self, run: &Run, used: Usage) {
        let (calls, used): (&[FunctionCall], _) = match &run.phase {
            Phase::RequiresAction { calls } => (calls, used),
            phase => match phase.usage() {
                Some(usage) => (&[], usage),
                None => return,
            },
        };
        let Some(OpenTurn { mut turn, noted, used: before }) = self.open.take() else { return };
        turn.answered.status = match turn.api {
            // A response that has called functions is complete.
            TurnApi::Responses if !calls.is_empty() => RunStatus::Completed,
            _ => run.status(),
        };
        turn.answered.tool_calls = calls.to_vec();
        turn.answered.usage = Some(TurnUsage::between(before, used));
        let turn = self.log.note(turn, noted);
        self.noted.push(turn.place);
        self.ended.push(turn);
    }

    /// Forgets the turns of a run that could not be written.
    pub(super) fn take_back(&mut self) {
        self.noted.drain(..).for_each(|noted| self.log.take_back(noted));
        self.ended.clear();
        self.open = None;
    }

    /// The turns that have ended since the last call.
    pub(super) fn take_ended(&mut self) -> Vec<KeptTurn> {
        mem::take(&mut self.ended)
    }
}

fn calls_functions(step: &Step) -> bool {
    step.tool_calls().iter().any(|call| matches!(call.kind, ToolCallKind::Function { .. }))
}

/// The last outputs of the client.
fn given_outputs(steps: &[Step]) -> Vec<GivenOutput> {
    let last = steps.iter().rfind(|step| calls_functions(step));
    let calls = last.map(Step::function_calls).unwrap_or_default();
    let outputs = last.into_iter().flat_map(Step::function_outputs);
    let given = calls.into_iter().zip(outputs);
    given
        .map(|(call, output)| GivenOutput {
            id: call.id,
            name: call.name,
            output: output.to_owned(),
        })
        .collect()
}
