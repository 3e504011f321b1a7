//! Makes a fixture from conversations: seeds for their assistants, and a reply for each run.
//!
//! Parts that a fixture cannot repeat are left out, and listed as omissions. Texts are escaped such
//! that templates do not change them.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::{
    ConversationObjects,
    escape::{matcher, slug},
    generated::{GeneratedDocument, GeneratedFixture, GeneratedReply, Omission, UsedNames, named},
    recorded::{
        RecordedAssistant, RecordedMessage, RecordedPerformance, RecordedResponse, RecordedRun,
        RecordedStep,
    },
    response::AnsweredQuestion,
    seeds::seed,
};
use crate::{
    redact::{REDACTED, Redactor},
    types::lenient::Items,
};

/// The place for the contents of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilePlacement {
    /// In the document itself.
    Inline,
    /// In files beside it.
    Beside,
}

/// The options for a fixture from conversations.
#[derive(Debug)]
pub struct ExportOptions<'m> {
    pub placement: FilePlacement,
    /// The folder, beside the document, that files go to.
    pub folder: &'m str,
    pub redactor: &'m Redactor,
    /// Whether to seed assistants, and files that are cited.
    pub seeds: bool,
    /// The suffix of the name of each reply.
    pub suffix: &'m str,
    /// Whether to write replies only for the runs that an upstream performed.
    pub only_performed: bool,
}

/// Makes a fixture from conversations.
pub fn generate(
    objects: &ConversationObjects,
    options: &ExportOptions<'_>,
    used: &mut UsedNames,
) -> GeneratedFixture {
    // From here on, no output has a secret in it.
    let objects = &objects.cleaned(options.redactor);
    let mut generator = Generator {
        objects,
        options,
        used,
        messages: objects.messages_by_thread(),
        steps: objects.steps_by_run(),
        fixture: GeneratedFixture::default(),
        seeded_files: Vec::new(),
    };
    let mut replies = Vec::new();
    for (thread, runs) in objects.runs_by_thread() {
        for (index, run) in runs.iter().enumerate() {
            if options.only_performed && run.upstream.is_none() {
                continue;
            }
            // A file that is written again as a thread goes on must say the same of each run every
            // time.
            let turn = (options.only_performed || runs.len() > 1).then_some(index + 1);
            replies.push(generator.reply(thread, run, runs.get(index + 1).copied(), turn));
        }
    }
    for question in objects.questions.answered() {
        replies.push(generator.question(&question));
    }
    generator.finish(replies)
}

pub(super) struct Generator<'o> {
    pub(super) objects: &'o ConversationObjects,
    pub(super) options: &'o ExportOptions<'o>,
    pub(super) used: &'o mut UsedNames,
    pub(super) messages: HashMap<String, Vec<RecordedMessage>>,
    pub(super) steps: HashMap<&'o str, Vec<&'o RecordedStep>>,
    pub(super) fixture: GeneratedFixture,
    /// Files that are seeded.
    pub(super) seeded_files: Vec<Value>,
}

impl<'o> Generator<'o> {
    pub(super) fn omit(&mut self, about: &str, what: impl Into<String>) {
        let omission = Omission { about: about.to_owned(), what: what.into() };
        if !self.fixture.omissions.contains(&omission) {
            self.fixture.omissions.push(omission);
        }
    }

    fn reply(
        &mut self,
        thread: &str,
        run: &'o RecordedRun,
        next: Option<&RecordedRun>,
        turn: Option<usize>,
    ) -> GeneratedReply {
        if !run.is_over() {
            let status = if run.status.is_empty() { "unknown" } else { &run.status };
            let what = format!("the run was last seen as {status}: what became of it is not known");
            self.omit(&run.id, what);
        }
        let asked = self.asked(thread, run, next);
        if asked.is_none() {
            self.omit(&run.id, "what was asked is not known: its reply holds for any question");
        }
        let when = self.when(run, asked.as_deref(), turn);
        let steps = self.entries(thread, run);
        if steps.is_empty() && run.status == "completed" {
            let what = "nothing that the run wrote was ever shown: its reply says nothing";
            self.omit(&run.id, what);
        }
        self.fixture.runs += 1;
        GeneratedReply {
            name: asked.as_deref().map(slug).unwrap_or_default(),
            when,
            times: None,
            steps,
            outcome: outcome(run),
            usage: usage(run),
            timing: run.upstream.as_ref().and_then(RecordedPerformance::timing),
        }
    }

    /// The last message of the user before the run.
    fn asked(&self, thread: &str, run: &RecordedRun, next: Option<&RecordedRun>) -> Option<String> {
        let messages = self.messages.get(thread)?;
        let noted = run.upstream.as_ref().and_then(|performed| performed.asked.as_deref());
        if let Some(known) =
            messages.iter().find(|message| message.id.is_some() && message.id.as_deref() == noted)
        {
            return Some(known.text());
        }
        let of = |run: &RecordedRun| {
            messages.iter().position(|message| message.run_id.as_ref() == Some(&run.id))
        };
        let (run_at, made) = (run.created_at.unwrap_or_default(), of(run));
        let created = |message: &RecordedMessage| message.created_at.unwrap_or_default();
        let end = made.unwrap_or_else(|| {
            // It wrote nothing: everything up to its time counts, and before the next run wrote.
            let until = next.and_then(of).unwrap_or(messages.len());
            let later = messages[..until].iter().position(|message| created(message) > run_at);
            later.unwrap_or(until)
        });
        let mut users = (0..end).rev().filter(|place| messages[*place].role == "user");
        let (last, before) = (users.next()?, users.next());
        // In the same second, the last message may be the question of the next run.
        let is_of_next = made.is_none() && next.is_some() && created(&messages[last]) == run_at;
        let goes_before =
            |before: &usize| messages[*before..last].iter().all(|message| message.role == "user");
        let asked = before.filter(|before| is_of_next && goes_before(before)).unwrap_or(last);
        Some(messages[asked].text())
    }

    fn question(&mut self, question: &AnsweredQuestion) -> GeneratedReply {
        let RecordedResponse { id, status, .. } = &question.response;
        if !question.response.is_over() {
            self.omit(id, format!("the response was last seen as {status}: its end is not known"));
        }
        for (id, name) in question.files() {
            self.seed_file(id, &self.options.redactor.clean(name));
        }
        self.fixture.runs += 1;
        question.reply(self.options.redactor, self.options.seeds)
    }

    fn when(
        &self,
        run: &RecordedRun,
        asked: Option<&str>,
        turn: Option<usize>,
    ) -> Map<String, Value> {
        let mut when = Map::new();
        let assistant = self.objects.assistants.get(&run.assistant_id);
        let name = assistant.and_then(|assistant| assistant.name.as_deref());
        if let Some(name) = name.filter(|name| !name.is_empty() && !name.contains(REDACTED)) {
            when.insert("assistant".to_owned(), Value::from(name));
        }
        if let Some(asked) = asked {
            when.insert("message".to_owned(), matcher(asked));
        }
        if let Some(turn) = turn {
            when.insert("turn".to_owned(), Value::from(turn));
        }
        if let Some(model) = run.model.as_deref().filter(|_| when.is_empty()) {
            when.insert("model".to_owned(), Value::from(model));
        }
        when
    }

    fn finish(mut self, replies: Vec<GeneratedReply>) -> GeneratedFixture {
        let assistants = if self.options.seeds { self.assistants() } else { Vec::new() };
        self.fixture.document = GeneratedDocument {
            assistants: assistants.iter().map(seed).collect(),
            files: std::mem::take(&mut self.seeded_files),
            vector_stores: if self.options.seeds { self.stores() } else { Vec::new() },
            replies: Items(named(replies, self.options.suffix, self.used)),
        };
        self.fixture
    }

    /// The vector stores that responses search, and that nobody creates in the recording.
    fn stores(&mut self) -> Vec<Value> {
        let mut stores = Vec::new();
        for id in self.objects.questions.stores() {
            if !self.objects.made_stores.contains(id) && self.used.use_id(id) {
                self.omit(id, "the files of the vector store are not known: it is empty");
                stores.push(json!({ "id": id }));
            }
        }
        stores
    }

    /// The assistants of the runs. If an assistant was never shown itself, its data comes from its
    /// first run.
    fn assistants(&mut self) -> Vec<RecordedAssistant> {
        let objects = self.objects;
        let ids = objects.runs.all().iter().map(|run| run.assistant_id.as_str());
        let ids: HashSet<&str> = ids.filter(|id| !id.is_empty()).collect();
        let shown = objects.assistants.all().iter();
        let shown = shown.filter(|assistant| ids.contains(assistant.id.as_str()));
        let mut assistants: Vec<RecordedAssistant> =
            shown.filter(|assistant| self.used.use_id(&assistant.id)).cloned().collect();
        let unseen: BTreeSet<&str> =
            ids.into_iter().filter(|id| objects.assistants.get(id).is_none()).collect();
        for id in unseen {
            if self.used.use_id(id) {
                let what =
                    "the assistant was never shown: its seed is made of what its first run says";
                self.omit(id, what);
                let run = objects.runs.all().iter().find(|run| run.assistant_id == id);
                assistants.extend(run.map(RecordedRun::assistant));
            }
        }
        assistants
    }
}

fn usage(run: &RecordedRun) -> Option<Value> {
    let (prompt, completion) = (run.usage.prompt_tokens?, run.usage.completion_tokens?);
    Some(json!({"prompt_tokens": prompt, "completion_tokens": completion}))
}

fn outcome(run: &RecordedRun) -> Option<Value> {
    match run.status.as_str() {
        "failed" => {
            let code = run.last_error.code.as_deref().unwrap_or("server_error");
            let message =
                run.last_error.message.as_deref().unwrap_or("Sorry, something went wrong.");
            Some(json!({"failed": {"code": code, "message": message}}))
        }
        "incomplete" => {
            let reason = run.incomplete_details.reason.as_deref();
            Some(json!({"incomplete": reason.unwrap_or("max_completion_tokens")}))
        }
        "expired" => Some(json!("expired")),
        // It stays until its client cancels it again.
        "cancelled" | "cancelling" => Some(json!("hang")),
        _ => None,
    }
}
