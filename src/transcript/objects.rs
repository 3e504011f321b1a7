//! The objects of conversations, each in its last known state.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    clean::clean_object,
    questions::RecordedQuestions,
    recorded::{
        MessageDelta, RecordedAssistant, RecordedContent, RecordedFile, RecordedMessage,
        RecordedPart, RecordedRun, RecordedStep, RecordedToolCall,
    },
};
use crate::{
    redact::Redactor,
    types::lenient::{self, Items, lenient},
};

/// An object with an id that is unique among its kind.
trait Identified {
    fn id(&self) -> &str;
}

macro_rules! identified {
    ($($name:ident),*) => {$(
        impl Identified for $name {
            fn id(&self) -> &str {
                &self.id
            }
        }
    )*};
}

identified!(RecordedAssistant, RecordedRun, RecordedStep, RecordedFile);

impl Identified for RecordedMessage {
    fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }
}

/// Objects of one kind, in the order in which they first appeared.
#[derive(Clone, Debug)]
pub struct KnownObjects<T> {
    order: Vec<T>,
    places: HashMap<String, usize>,
}

impl<T> Default for KnownObjects<T> {
    fn default() -> Self {
        Self { order: Vec::new(), places: HashMap::new() }
    }
}

#[allow(private_bounds, reason = "all kinds are in this file")]
impl<T: Identified> KnownObjects<T> {
    pub fn all(&self) -> &[T] {
        &self.order
    }

    pub fn get(&self, id: &str) -> Option<&T> {
        self.places.get(id).map(|place| &self.order[*place])
    }

    /// Keeps an object, unless the known one has more data.
    fn keep(&mut self, object: T, is_more: impl FnOnce(&T, &T) -> bool) {
        match self.places.get(object.id()) {
            _ if object.id().is_empty() => {}
            Some(place) if is_more(&object, &self.order[*place]) => self.order[*place] = object,
            Some(_) => {}
            None => {
                self.places.insert(object.id().to_owned(), self.order.len());
                self.order.push(object);
            }
        }
    }
}

lenient! {
    /// The beginning of any answer.
    struct ObjectHead {
        object: String,
        /// The items of a list.
        data: Items<Value>,
    }
}

/// A message of a request that no answer repeats.
#[derive(Clone, Debug)]
struct SaidMessage {
    thread: String,
    /// The time of the answer to the request.
    at: i64,
    message: RecordedMessage,
}

/// All known data of some conversations.
#[derive(Clone, Debug, Default)]
pub struct ConversationObjects {
    pub assistants: KnownObjects<RecordedAssistant>,
    pub messages: KnownObjects<RecordedMessage>,
    pub runs: KnownObjects<RecordedRun>,
    pub steps: KnownObjects<RecordedStep>,
    pub files: KnownObjects<RecordedFile>,
    /// The functions that a run waited for, in rounds. The steps may be unknown.
    rounds: HashMap<String, Vec<Vec<RecordedToolCall>>>,
    /// Contents of files, by their ids.
    contents: HashMap<String, Arc<[u8]>>,
    said: Vec<SaidMessage>,
    pub questions: RecordedQuestions,
    /// The vector stores that the recording creates.
    pub made_stores: HashSet<String>,
}

impl ConversationObjects {
    /// Adds all data of others.
    pub fn absorb(&mut self, others: Self) {
        let Self {
            assistants,
            messages,
            runs,
            steps,
            files,
            rounds,
            contents,
            said,
            questions,
            made_stores,
        } = others;
        assistants.order.into_iter().for_each(|assistant| self.note_assistant(assistant));
        messages.order.into_iter().for_each(|message| self.note_message(message));
        runs.order.into_iter().for_each(|run| self.note_run(run));
        steps.order.into_iter().for_each(|step| self.note_step(step));
        files.order.into_iter().for_each(|file| self.note_file(file));
        self.rounds.extend(rounds);
        self.contents.extend(contents);
        self.said.extend(said);
        self.questions.absorb(questions);
        self.made_stores.extend(made_stores);
    }

    /// The same without data that must not be kept. Contents of files stay: contents with a secret
    /// are left out as a whole.
    pub(super) fn cleaned(&self, redactor: &Redactor) -> Self {
        let mut clean = self.clone();
        let Self {
            assistants,
            messages,
            runs,
            steps,
            files,
            rounds,
            contents: _,
            said,
            questions: _,
            made_stores: _,
        } = &mut clean;
        clean_all(&mut assistants.order, redactor);
        clean_all(&mut messages.order, redactor);
        clean_all(&mut runs.order, redactor);
        clean_all(&mut steps.order, redactor);
        clean_all(&mut files.order, redactor);
        clean_all(rounds.values_mut().flatten().flatten(), redactor);
        clean_all(said.iter_mut().map(|said| &mut said.message), redactor);
        clean
    }

    /// Adds the data of an answer: one object, or a list of them.
    pub fn note(&mut self, answer: &Value) {
        let head: ObjectHead = lenient::read(answer.clone());
        match head.object.as_str() {
            // Lists are newest first, unless the request asked otherwise.
            "list" => head.data.iter().rev().for_each(|item| self.note(item)),
            "assistant" => self.note_assistant(lenient::read(answer.clone())),
            "thread.message" => self.note_message(lenient::read(answer.clone())),
            "thread.run" => self.note_run(lenient::read(answer.clone())),
            "thread.run.step" => self.note_step(lenient::read(answer.clone())),
            "file" => self.note_file(lenient::read(answer.clone())),
            _ => {}
        }
    }

    fn note_assistant(&mut self, assistant: RecordedAssistant) {
        self.assistants.keep(assistant, |_, _| true);
    }

    fn note_message(&mut self, message: RecordedMessage) {
        self.messages.keep(message, |message, known| {
            !message.parts().is_empty() || known.parts().is_empty()
        });
    }

    fn note_run(&mut self, run: RecordedRun) {
        if let Some(calls) = run.required_calls().filter(|_| !run.id.is_empty()) {
            let rounds = self.rounds.entry(run.id.clone()).or_default();
            // The run waits for the same calls as long as clients poll it.
            if rounds.last().is_none_or(|last| last != calls) {
                rounds.push(calls.to_vec());
            }
        }
        self.runs.keep(run, |run, known| !known.is_over() || run.is_over());
    }

    fn note_step(&mut self, step: RecordedStep) {
        let is_open = |step: &RecordedStep| step.status == "in_progress";
        self.steps.keep(step, |step, known| !is_open(step) || is_open(known));
    }

    fn note_file(&mut self, file: RecordedFile) {
        self.files.keep(file, |_, _| true);
    }

    pub fn note_content(&mut self, file: &str, content: Vec<u8>) {
        self.contents.insert(file.to_owned(), content.into());
    }

    /// Adds the messages of users in a request that no answer repeats.
    pub fn note_said(&mut self, thread: &str, at: i64, messages: &[RecordedMessage]) {
        let said = messages.iter().map(|message| SaidMessage {
            thread: thread.to_owned(),
            at,
            message: message.clone(),
        });
        self.said.extend(said);
    }

    /// Adds text to a message of which only pieces were seen.
    pub fn note_delta(&mut self, MessageDelta { id, delta }: MessageDelta) {
        let Some(place) = self.messages.places.get(&id) else { return };
        let message = &mut self.messages.order[*place];
        if message.status == "completed" || !message.is_in_pieces && !message.parts().is_empty() {
            return;
        }
        message.is_in_pieces = true;
        let mut text = message.parts().first().and_then(part_value).unwrap_or_default().to_owned();
        let pieces: Vec<&str> = delta.content.iter().filter_map(part_value).collect();
        if !pieces.is_empty() {
            text.extend(pieces);
            message.content = RecordedContent::Parts(Items(vec![RecordedPart::of_text(text)]));
        }
    }

    pub fn content_of(&self, file: &str) -> Option<&[u8]> {
        self.contents.get(file).map(AsRef::as_ref)
    }

    /// The rounds of functions that a run waited for.
    pub(super) fn rounds_of(&self, run: &str) -> &[Vec<RecordedToolCall>] {
        self.rounds.get(run).map_or(&[], Vec::as_slice)
    }

    /// The runs of each thread, oldest first; threads in the order of their first runs.
    pub(super) fn runs_by_thread(&self) -> Vec<(&str, Vec<&RecordedRun>)> {
        let mut threads: Vec<(&str, Vec<&RecordedRun>)> = Vec::new();
        let mut places = HashMap::new();
        for run in &self.runs.order {
            let place = *places.entry(run.thread_id.as_str()).or_insert_with(|| {
                threads.push((&run.thread_id, Vec::new()));
                threads.len() - 1
            });
            threads[place].1.push(run);
        }
        for (_, runs) in &mut threads {
            runs.sort_by_key(|run| run.created_at);
        }
        threads
    }

    /// The messages of each thread, oldest first. They include the messages of users that no answer
    /// repeated.
    pub(super) fn messages_by_thread(&self) -> HashMap<String, Vec<RecordedMessage>> {
        let mut threads: HashMap<String, Vec<RecordedMessage>> = HashMap::new();
        for message in &self.messages.order {
            threads.entry(message.thread_id.clone()).or_default().push(message.clone());
        }
        let mut unseen: HashMap<String, Vec<RecordedMessage>> = HashMap::new();
        for SaidMessage { thread, at, message } in &self.said {
            let known = threads.entry(thread.clone()).or_default();
            let text = message.text();
            if !known.iter().any(|known| known.role == message.role && known.text() == text) {
                let message = RecordedMessage { created_at: Some(*at), ..message.clone() };
                unseen.entry(thread.clone()).or_default().push(message);
            }
        }
        for (thread, messages) in &mut threads {
            messages.sort_by_key(|message| message.created_at);
            // The message of a request comes before the answer of its run, perhaps in the same
            // second.
            for message in unseen.remove(thread).into_iter().flatten() {
                let is_later = |known: &RecordedMessage| {
                    known.created_at > message.created_at
                        || known.created_at == message.created_at && known.role == "assistant"
                };
                let place = messages.iter().position(is_later).unwrap_or(messages.len());
                messages.insert(place, message);
            }
        }
        threads
    }

    pub(super) fn steps_by_run(&self) -> HashMap<&str, Vec<&RecordedStep>> {
        let mut runs: HashMap<&str, Vec<&RecordedStep>> = HashMap::new();
        for step in &self.steps.order {
            runs.entry(&step.run_id).or_default().push(step);
        }
        for steps in runs.values_mut() {
            steps.sort_by_key(|step| step.created_at);
        }
        runs
    }
}

fn part_value(part: &RecordedPart) -> Option<&str> {
    part.text.as_ref()?.value()
}

fn clean_all<'o, T: Serialize + DeserializeOwned + Default + 'o>(
    objects: impl IntoIterator<Item = &'o mut T>,
    redactor: &Redactor,
) {
    for object in objects {
        let mut value = serde_json::to_value(&*object).unwrap_or_default();
        clean_object(redactor, &mut value);
        *object = lenient::read(value);
    }
}
