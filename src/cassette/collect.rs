//! Makes sense of a recording as a whole: which objects were seen in it, and what of it is of no
//! use.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::{
    Complaint, Seen, Useless,
    exchange::{Answer, Raw},
};

pub(super) fn collect(exchanges: Vec<Raw>) -> Result<Seen, Useless> {
    let mut seen = Seen::default();
    let mut others: BTreeMap<String, usize> = BTreeMap::new();
    let all = exchanges.len();
    let mut of_assistants = 0;
    for raw in exchanges {
        let Some(path) = raw.path() else {
            *others.entry(raw.host()).or_default() += 1;
            continue;
        };
        of_assistants +=
            usize::from(path.starts_with("/assistants") || path.starts_with("/threads"));
        seen.take(&raw, &path);
    }
    if of_assistants == 0 {
        let hosts: Vec<_> =
            others.iter().map(|(host, count)| format!("{count} with {host}")).collect();
        let others =
            if hosts.is_empty() { String::new() } else { format!(", {}", hosts.join(", ")) };
        let exchanges = if all == 1 { "exchange" } else { "exchanges" };
        return Err(Useless::OfAnotherApi(format!("{all} {exchanges}{others}")));
    }
    Ok(seen)
}

impl Seen {
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

    fn note(&mut self, raw: &Raw, path: &str, answer: Answer) {
        match answer {
            Answer::Json(mut answer) => {
                if raw.is_ascending()
                    && let Some(items) = answer["data"].as_array_mut()
                {
                    items.reverse();
                }
                self.place(&answer, raw.line);
                self.objects.note(&answer);
                let thread =
                    if answer["object"] == "thread" { &answer["id"] } else { &answer["thread_id"] };
                self.note_asked(raw, path, thread.as_str(), answer["created_at"].as_i64());
            }
            Answer::Events(events) => {
                let first = events
                    .iter()
                    .map(|(_, data)| data)
                    .find(|data| data["object"] == "thread.run")
                    .cloned()
                    .unwrap_or_default();
                for (name, data) in &events {
                    self.place(data, raw.line);
                    if name == "thread.message.delta" {
                        self.objects.note_delta(data);
                    } else if name.starts_with("thread.") && !name.ends_with(".delta") {
                        self.objects.note(data);
                    }
                }
                self.note_asked(
                    raw,
                    path,
                    first["thread_id"].as_str(),
                    first["created_at"].as_i64(),
                );
            }
            Answer::Bytes(bytes) => {
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

    /// What users said in requests whose answers do not repeat it.
    fn note_asked(&mut self, raw: &Raw, path: &str, thread: Option<&str>, at: Option<i64>) {
        if raw.method != "POST" {
            return;
        }
        let (Some(thread), asked) = (thread, raw.asked()) else { return };
        let at = at.unwrap_or_default();
        if path == "/threads" {
            self.objects.note_said(thread, at, &asked["messages"]);
        } else if path == "/threads/runs" {
            self.objects.note_said(thread, at, &asked["thread"]["messages"]);
        } else if path.ends_with("/runs") {
            self.objects.note_said(thread, at, &asked["additional_messages"]);
        }
    }

    /// Notes where the objects of an answer were first met.
    fn place(&mut self, answer: &Value, line: usize) {
        let items = answer["data"].as_array().map_or(std::slice::from_ref(answer), Vec::as_slice);
        let mut met = HashSet::new();
        for item in items {
            for key in ["id", "assistant_id", "run_id", "thread_id"] {
                met.extend(item[key].as_str());
            }
            ids_of_files(item, &mut met);
        }
        for id in met {
            if !self.lines.contains_key(id) {
                self.lines.insert(id.to_owned(), line);
            }
        }
    }
}

fn ids_of_files<'v>(value: &'v Value, met: &mut HashSet<&'v str>) {
    match value {
        Value::Object(map) => {
            met.extend(map.get("file_id").and_then(Value::as_str));
            map.values().for_each(|value| ids_of_files(value, met));
        }
        Value::Array(items) => items.iter().for_each(|item| ids_of_files(item, met)),
        _ => {}
    }
}
