//! The view of a run for the conditions of replies, and for templates.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    citations::{Cited, Marks},
    responses::context::{ResponseContainer, ResponseInputs},
};
use crate::{
    clock::RunIds,
    fixture::{
        matching::{Captures, RunMetadata, Subject},
        template::{self, Variables},
    },
    knowledge::Knowledge,
    search::{passage, words::Words},
    store::{PerformerInputs, Store},
    types::{
        Api, File, Id, Run, Step, Thread, Version, View,
        step::{SearchResult, StepStatus, ToolCallKind},
    },
};

/// The view of a run for its performer.
pub(super) struct RunContext<'a> {
    pub api: Api,
    pub run: &'a Run,
    pub steps: &'a [Step],
    pub surroundings: &'a PerformerInputs,
    /// Inputs that only a response has.
    pub of_response: Option<&'a ResponseInputs>,
    pub turn: i64,
    /// The vector stores of the run, the assistant's before the thread's, and all files that the
    /// run was given.
    pub stores: &'a [String],
    pub files: &'a [File],
    /// Whether there is anything in the stores.
    pub has_stored_files: bool,
    pub knowledge: &'a Knowledge,
    pub store: &'a Store,
    pub ids: &'a RunIds,
    /// RFC 3339.
    pub now: String,
}

impl RunContext<'_> {
    /// Shows the run to the conditions of replies.
    pub(super) fn with_subject<R>(&self, judge: impl FnOnce(&Subject<'_>) -> R) -> R {
        let PerformerInputs { thread, assistant, user_message, .. } = self.surroundings;
        let text = user_message.as_ref().map(|message| message.text());
        let conversation = self.of_response.and_then(|it| it.conversation.as_ref());
        let conversation = conversation.map(|conversation| &conversation.metadata);
        let system = self.of_response.and_then(|it| it.system.as_deref());
        judge(&Subject {
            api: self.api,
            assistant_id: self.run.assistant_id.as_str(),
            assistant_name: assistant.as_ref().and_then(|assistant| assistant.name.as_deref()),
            model: &self.run.model,
            instructions: self.run.instructions.as_deref().or(system),
            message: text.as_deref(),
            turn: self.turn,
            tools: &self.run.tools,
            attachments: user_message
                .as_ref()
                .is_some_and(|message| !message.attachments.is_empty()),
            files: self.has_stored_files,
            metadata: RunMetadata([
                Some(&self.run.metadata),
                thread.as_ref().map(|thread| &thread.metadata).or(conversation),
                assistant.as_ref().map(|assistant| &assistant.metadata),
            ]),
        })
    }

    /// The thread, or the conversation if there is one.
    pub(super) fn thread(&self) -> Option<&Id<Thread>> {
        Some(&self.run.thread_id).filter(|id| !id.as_str().is_empty())
    }

    /// Where the code interpreter works. Only responses have containers.
    pub(super) fn container(&self) -> Option<&ResponseContainer> {
        self.of_response.map(|of_response| &of_response.container)
    }

    /// How citations are marked, which depends on the API version of the run's request.
    pub(super) fn marks(&self) -> Marks {
        if self.run.version.is_v1() { Marks::V1 } else { Marks::V2 { turn: self.turn } }
    }

    /// Gives every citation a quote: the passage that answers best, where the text itself quotes
    /// nothing.
    pub(super) fn quote(&self, cited: &mut [Cited], results: &[SearchResult]) {
        let sought = Words::default().sought(&self.message_text());
        for cited in cited.iter_mut().filter(|cited| cited.quote.is_none()) {
            cited.quote = results
                .get(cited.number)
                .map(|result| passage::best(result.text(), &sought).to_owned());
        }
    }

    /// The text of the newest message of a user.
    pub(super) fn message_text(&self) -> String {
        self.surroundings.user_message.as_ref().map(|message| message.text()).unwrap_or_default()
    }

    /// Everything that the run has found so far.
    pub(super) fn results(&self) -> impl Iterator<Item = &SearchResult> {
        self.steps.iter().flat_map(Step::search_results)
    }

    pub(super) fn variables<'v>(
        &'v self,
        captures: &'v Captures,
        query: Option<&'v str>,
    ) -> Variables<'v> {
        Variables::new(captures, move |name| self.variable(name, query))
    }

    /// One of `template::VARIABLES`.
    fn variable(&self, name: &str, query: Option<&str>) -> Option<Value> {
        let PerformerInputs { thread, assistant, .. } = self.surroundings;
        let assistant = || assistant.as_ref().map(|assistant| assistant.seen(Version::V2));
        Some(match name {
            "message" => self.message_text().into(),
            "cite" => template::CITE.into(),
            "turn" => self.turn.into(),
            "assistant" => json!(assistant()),
            "thread" => match self.of_response {
                Some(of_response) => json!(of_response.conversation),
                None => json!(thread),
            },
            "run" => json!(self.run.over_rest().seen(Version::V2)),
            "outputs" => outputs(self.steps),
            "results" => {
                let message = self.message_text();
                results_to_json(self.results(), query.unwrap_or(&message))
            }
            "files" => json!(self.files),
            "now" => self.now.as_str().into(),
            _ => return None,
        })
    }
}

/// The submitted outputs, by function name and by call id; parsed when they are JSON, a list when a
/// function was called more than once.
fn outputs(steps: &[Step]) -> Value {
    let mut by_name: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    let mut all = Map::new();
    for call in
        steps.iter().filter(|step| step.status == StepStatus::Completed).flat_map(Step::tool_calls)
    {
        if let ToolCallKind::Function { function } = &call.kind
            && let Some(output) = &function.output
        {
            let value =
                serde_json::from_str(output).unwrap_or_else(|_| Value::from(output.as_str()));
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

/// Search results as templates see them, each with the passage that answers best.
fn results_to_json<'r>(results: impl Iterator<Item = &'r SearchResult>, query: &str) -> Value {
    let sought = Words::default().sought(query);
    let shown = results.map(|result| {
        json!({
            "file_id": result.file_id,
            "file_name": result.file_name,
            "score": result.score,
            "attributes": result.attributes,
            "text": result.text(),
            "passage": passage::best(result.text(), &sought),
        })
    });
    Value::Array(shown.collect())
}
