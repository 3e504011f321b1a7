//! The objects of conversations, each as it was last said to be.

use std::{collections::HashMap, sync::Arc};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Redactor;
use crate::types::RunStatus;

/// Objects of one kind, in the order in which they were first met.
#[derive(Clone, Debug, Default)]
pub struct Kind {
    order: Vec<Value>,
    places: HashMap<String, usize>,
}

impl Kind {
    pub fn all(&self) -> &[Value] {
        &self.order
    }

    pub fn get(&self, id: &str) -> Option<&Value> {
        self.places.get(id).map(|place| &self.order[*place])
    }

    /// Keeps an object, unless what is known of it already is more.
    fn keep(&mut self, object: &Value, is_more: impl FnOnce(&Value) -> bool) {
        let Some(id) = object["id"].as_str() else { return };
        match self.places.get(id) {
            Some(place) if is_more(&self.order[*place]) => self.order[*place] = object.clone(),
            Some(_) => {}
            None => {
                self.places.insert(id.to_owned(), self.order.len());
                self.order.push(object.clone());
            }
        }
    }
}

/// Everything that is known of some conversations.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    pub assistants: Kind,
    pub threads: Kind,
    pub messages: Kind,
    pub runs: Kind,
    pub steps: Kind,
    pub files: Kind,
    /// The functions that a run waited for, in rounds: of steps nobody may have been told.
    rounds: HashMap<String, Vec<Vec<Value>>>,
    /// Contents of files, by their ids.
    contents: HashMap<String, Arc<[u8]>>,
    /// What users said of which only the request is known, by thread, and the time of the answer.
    said: Vec<(String, i64, Value)>,
}

impl Objects {
    /// Takes up everything that others know.
    pub fn absorb(&mut self, others: Self) {
        let Self { assistants, threads, messages, runs, steps, files, rounds, contents, said } =
            others;
        for kind in [assistants, threads, messages, runs, steps, files] {
            kind.order.iter().for_each(|object| self.note(object));
        }
        self.rounds.extend(rounds);
        self.contents.extend(contents);
        self.said.extend(said);
    }

    /// The same without what must not be kept. Contents of files stay: those with a secret in them
    /// are left out as a whole.
    pub(super) fn cleaned(&self, redactor: &Redactor) -> Self {
        let mut clean = self.clone();
        let Self { assistants, threads, messages, runs, steps, files, rounds, contents: _, said } =
            &mut clean;
        for kind in [assistants, threads, messages, runs, steps, files] {
            kind.order.iter_mut().for_each(|object| redactor.clean_object(object));
        }
        rounds.values_mut().flatten().flatten().for_each(|call| redactor.clean_object(call));
        said.iter_mut().for_each(|(_, _, message)| redactor.clean_object(message));
        clean
    }

    /// Takes up whatever an answer shows: one object, or a list of them.
    pub fn note(&mut self, answer: &Value) {
        match answer["object"].as_str().unwrap_or_default() {
            // Lists are newest first, unless somebody asked otherwise.
            "list" => answer["data"]
                .as_array()
                .into_iter()
                .flatten()
                .rev()
                .for_each(|item| self.note(item)),
            "assistant" => self.assistants.keep(answer, |_| true),
            "thread" => self.threads.keep(answer, |_| true),
            "thread.message" => {
                self.messages.keep(answer, |known| !is_empty(answer) || is_empty(known))
            }
            "thread.run" => self.note_run(answer),
            "thread.run.step" => self.steps.keep(answer, |known| {
                answer["status"] != "in_progress" || known["status"] == "in_progress"
            }),
            "file" => self.files.keep(answer, |_| true),
            _ => {}
        }
    }

    fn note_run(&mut self, run: &Value) {
        if let (Some(id), Some(calls)) = (
            run["id"].as_str(),
            run["required_action"]["submit_tool_outputs"]["tool_calls"].as_array(),
        ) {
            let rounds = self.rounds.entry(id.to_owned()).or_default();
            // It waits for the same calls as long as it is polled.
            if rounds.last() != Some(calls) {
                rounds.push(calls.clone());
            }
        }
        self.runs.keep(run, |known| !is_over(known) || is_over(run));
    }

    pub fn note_content(&mut self, file: &str, content: Vec<u8>) {
        self.contents.insert(file.to_owned(), content.into());
    }

    /// What a user said in a request that no answer repeats.
    pub fn note_said(&mut self, thread: &str, at: i64, messages: &Value) {
        for message in messages.as_array().into_iter().flatten() {
            self.said.push((thread.to_owned(), at, message.clone()));
        }
    }

    /// Adds text to a message of which only the pieces were seen.
    pub fn note_delta(&mut self, delta: &Value) {
        let Some(id) = delta["id"].as_str() else { return };
        let Some(message) =
            self.messages.places.get(id).map(|place| &mut self.messages.order[*place])
        else {
            return;
        };
        if message["status"] == "completed" || message["_pieces"].is_null() && !is_empty(message) {
            return;
        }
        message["_pieces"] = Value::Bool(true);
        for part in delta["delta"]["content"].as_array().into_iter().flatten() {
            let Some(piece) = part["text"]["value"].as_str() else { continue };
            let text =
                message["content"][0]["text"]["value"].as_str().unwrap_or_default().to_owned()
                    + piece;
            let empty = Map::from_iter([
                ("value".to_owned(), Value::String(text)),
                ("annotations".to_owned(), Value::Array(Vec::new())),
            ]);
            let part = Map::from_iter([
                ("type".to_owned(), Value::from("text")),
                ("text".to_owned(), Value::Object(empty)),
            ]);
            message["content"] = Value::Array(vec![Value::Object(part)]);
        }
    }

    pub fn content_of(&self, file: &str) -> Option<&[u8]> {
        self.contents.get(file).map(AsRef::as_ref)
    }

    /// The rounds of functions that a run waited for.
    pub(super) fn rounds_of(&self, run: &str) -> &[Vec<Value>] {
        self.rounds.get(run).map_or(&[], Vec::as_slice)
    }

    /// The runs of each thread, oldest first; threads in the order of their first runs.
    pub(super) fn runs_by_thread(&self) -> Vec<(String, Vec<&Value>)> {
        let mut threads: Vec<(String, Vec<&Value>)> = Vec::new();
        let mut places = HashMap::new();
        for run in &self.runs.order {
            let thread = run["thread_id"].as_str().unwrap_or_default();
            let place = *places.entry(thread).or_insert_with(|| {
                threads.push((thread.to_owned(), Vec::new()));
                threads.len() - 1
            });
            threads[place].1.push(run);
        }
        for (_, runs) in &mut threads {
            runs.sort_by_key(|run| run["created_at"].as_i64());
        }
        threads
    }

    /// The messages of each thread, oldest first, and with them what users said that no answer
    /// repeated.
    pub(super) fn messages_by_thread(&self) -> HashMap<String, Vec<Value>> {
        let mut threads: HashMap<String, Vec<Value>> = HashMap::new();
        for message in &self.messages.order {
            threads
                .entry(message["thread_id"].as_str().unwrap_or_default().to_owned())
                .or_default()
                .push(message.clone());
        }
        let mut unseen: HashMap<String, Vec<Value>> = HashMap::new();
        for (thread, at, said) in &self.said {
            let known = threads.entry(thread.clone()).or_default();
            let text = text_of(said);
            if !known
                .iter()
                .any(|message| message["role"] == said["role"] && text_of(message) == text)
            {
                let mut message = said.clone();
                message["created_at"] = Value::from(*at);
                unseen.entry(thread.clone()).or_default().push(message);
            }
        }
        for (thread, messages) in &mut threads {
            messages.sort_by_key(|message| message["created_at"].as_i64());
            // What was said in a request goes before what its run answered, in the same second
            // perhaps.
            for message in unseen.remove(thread).into_iter().flatten() {
                let is_later = |known: &Value| {
                    let (one, other) =
                        (known["created_at"].as_i64(), message["created_at"].as_i64());
                    one > other || one == other && known["role"] == "assistant"
                };
                let place = messages.iter().position(is_later).unwrap_or(messages.len());
                messages.insert(place, message);
            }
        }
        threads
    }

    pub(super) fn steps_by_run(&self) -> HashMap<&str, Vec<&Value>> {
        let mut runs: HashMap<&str, Vec<&Value>> = HashMap::new();
        for step in &self.steps.order {
            runs.entry(step["run_id"].as_str().unwrap_or_default()).or_default().push(step);
        }
        for steps in runs.values_mut() {
            steps.sort_by_key(|step| step["created_at"].as_i64());
        }
        runs
    }
}

/// Whether nothing can happen to a run any more.
pub(super) fn is_over(run: &Value) -> bool {
    RunStatus::deserialize(&run["status"]).is_ok_and(RunStatus::is_terminal)
}

fn is_empty(message: &Value) -> bool {
    message["content"].as_array().is_none_or(Vec::is_empty)
}

/// The text of a message, as an answer shows it or as a request says it.
pub(super) fn text_of(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        content => {
            let parts = content.as_array().into_iter().flatten();
            let texts: Vec<_> = parts
                .filter_map(|part| part["text"]["value"].as_str().or_else(|| part["text"].as_str()))
                .collect();
            texts.join("\n")
        }
    }
}
