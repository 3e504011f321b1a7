//! Makes sense of a recording as a whole: which objects were seen in it, and what of it is of no
//! use.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::{
    CassetteContents, CassetteError, Complaint,
    exchange::{Raw, RecordedAnswer},
};
use crate::{
    transcript::{RecordedInput, RecordedMessage, file_ids},
    types::lenient::{self, Items, lenient},
};

pub(super) fn collect(exchanges: Vec<Raw>) -> Result<CassetteContents, CassetteError> {
    let mut seen = CassetteContents::default();
    let mut others: BTreeMap<String, usize> = BTreeMap::new();
    let all = exchanges.len();
    let mut of_ours = 0;
    for raw in exchanges {
        let Some(path) = raw.path() else {
            *others.entry(raw.host()).or_default() += 1;
            continue;
        };
        const ANSWERED: [&str; 4] = ["/assistants", "/threads", "/responses", "/conversations"];
        of_ours += usize::from(ANSWERED.iter().any(|resource| path.starts_with(resource)));
        seen.take(&raw, &path);
    }
    if of_ours == 0 {
        let hosts: Vec<_> =
            others.iter().map(|(host, count)| format!("{count} with {host}")).collect();
        let others =
            if hosts.is_empty() { String::new() } else { format!(", {}", hosts.join(", ")) };
        let exchanges = if all == 1 { "exchange" } else { "exchanges" };
        return Err(CassetteError::OfAnotherApi(format!("{all} {exchanges}{others}")));
    }
    Ok(seen)
}

impl CassetteContents {
    fn complain(&mut self, line: usize, what: impl Into<String>) {
        self.complaints.push(Complaint { line, what: what.into() });
    }

    fn take(&mut self, raw: &Raw, path: &str) {
        let status = raw.status.unwrap_or(200);
        if status >= 400 {
            // What cannot be asked for is refused here too; what failed for other reasons is a
            // fault.
            if status == 429 || status >= 500 {
                let what = format!(
                    "{} {path} was answered with {status}: a fault of a fixture can do that",
                    raw.method
                );
                self.complain(raw.line, what);
            }
            return;
        }
        if raw.response.is_empty() {
            let why = raw.missing.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            return self.complain(raw.line, format!("{} {path} has no answer{why}", raw.method));
        }
        match raw.answer() {
            Ok(answer) => {
                self.exchanges += 1;
                self.note(raw, path, answer);
            }
            Err(what) => self.complain(raw.line, format!("{} {path}: {what}", raw.method)),
        }
    }

    fn note(&mut self, raw: &Raw, path: &str, answer: RecordedAnswer) {
        match answer {
            RecordedAnswer::Json(answer) => self.note_json(raw, path, answer),
            RecordedAnswer::Events(events) => self.note_events(raw, path, events),
            RecordedAnswer::Bytes(bytes) => {
                let id =
                    path.strip_prefix("/files/").and_then(|rest| rest.strip_suffix("/content"));
                match id {
                    Some(id) => self.objects.note_content(id, bytes),
                    None => self.complain(
                        raw.line,
                        format!("{} {path}: the answer is neither JSON nor a file", raw.method),
                    ),
                }
            }
        }
    }

    fn note_json(&mut self, raw: &Raw, path: &str, mut answer: Value) {
        if raw.is_ascending()
            && let Some(Value::Array(items)) = answer.get_mut("data")
        {
            items.reverse();
        }
        self.place(&answer, raw.line);
        self.objects.note(&answer);
        if raw.method == "POST" && path == "/vector_stores" {
            self.objects.made_stores.extend(answer["id"].as_str().map(str::to_owned));
        }
        self.note_response(raw, path, &answer);
        self.note_asked(raw, path, &lenient::read(answer));
    }

    fn note_events(&mut self, raw: &Raw, path: &str, events: Vec<(String, Value)>) {
        if let Some(response) = response_in(&events) {
            return self.note_response(raw, path, &response);
        }
        let mut run = None;
        for (name, data) in events {
            self.place(&data, raw.line);
            if name == "thread.message.delta" {
                self.objects.note_delta(lenient::read(data));
                continue;
            }
            if name.starts_with("thread.") && !name.ends_with(".delta") {
                self.objects.note(&data);
            }
            let head: AnswerHead = lenient::read(data);
            run = run.or(Some(head).filter(|head| head.object == "thread.run"));
        }
        self.note_asked(raw, path, &run.unwrap_or_default());
    }

    /// Adds a response with the question in its request, or the items of a conversation.
    fn note_response(&mut self, raw: &Raw, path: &str, answer: &Value) {
        let segments: Vec<_> = path.split('/').skip(1).collect();
        let asked = || (raw.method == "POST").then(|| raw.asked::<RecordedInput>());
        match segments.as_slice() {
            ["responses"] | ["responses", _] | ["responses", _, "cancel"] => {
                self.place(answer, raw.line);
                let asked = asked().filter(|_| segments.len() == 1);
                self.objects.questions.note(asked.as_ref(), lenient::read(answer.clone()));
            }
            ["conversations"] => {
                let id = answer["id"].as_str().unwrap_or_default();
                asked().iter().for_each(|asked| self.objects.questions.note_items(id, asked));
            }
            ["conversations", id, "items"] => {
                asked().iter().for_each(|asked| self.objects.questions.note_items(id, asked));
            }
            _ => {}
        }
    }

    /// What users said in a request whose answer does not repeat it.
    fn note_asked(&mut self, raw: &Raw, path: &str, answer: &AnswerHead) {
        let thread = if answer.object == "thread" { &answer.id } else { &answer.thread_id };
        let Some(thread) = thread.as_deref().filter(|_| raw.method == "POST") else { return };
        let asked: AskedMessages = raw.asked();
        let said = match path {
            "/threads" => asked.messages,
            "/threads/runs" => asked.thread.messages,
            _ if path.ends_with("/runs") => asked.additional_messages,
            _ => return,
        };
        self.objects.note_said(thread, answer.created_at.unwrap_or_default(), &said);
    }

    /// Notes where the objects of an answer were first met.
    fn place(&mut self, answer: &Value, line: usize) {
        let items = match answer.get("data") {
            Some(Value::Array(items)) => items.as_slice(),
            _ => std::slice::from_ref(answer),
        };
        let of_objects = items.iter().flat_map(|item| {
            ["id", "assistant_id", "run_id", "thread_id"].map(|key| item.get(key)?.as_str())
        });
        let ids: HashSet<&str> =
            of_objects.flatten().chain(items.iter().flat_map(file_ids)).collect();
        for id in ids {
            if !self.lines.contains_key(id) {
                self.lines.insert(id.to_owned(), line);
            }
        }
    }
}

/// The response that a stream shows: its last state, with the complete items of a stream that was
/// cut off.
fn response_in(events: &[(String, Value)]) -> Option<Value> {
    let is_of_response = |(name, _): &&(String, Value)| name.starts_with("response.");
    let mut shown = events.iter().filter(is_of_response).map(|(_, data)| data);
    let mut response = shown.rfind(|data| data["response"].is_object())?["response"].clone();
    if response["output"].as_array().is_none_or(Vec::is_empty) {
        let done = events.iter().filter(|(name, _)| name == "response.output_item.done");
        response["output"] = done.map(|(_, data)| data["item"].clone()).collect();
    }
    Some(response)
}

lenient! {
    /// The beginning of an answer: which thread it is about, and when it was given.
    struct AnswerHead {
        object: String,
        id: Option<String>,
        thread_id: Option<String>,
        created_at: Option<i64>,
    }

    /// A request, as far as it has messages of users.
    struct AskedMessages {
        messages: Items<RecordedMessage>,
        thread: AskedThread,
        additional_messages: Items<RecordedMessage>,
    }

    struct AskedThread {
        messages: Items<RecordedMessage>,
    }
}
