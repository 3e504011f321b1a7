//! Makes a fixture of conversations: seeds for the assistants that took part, and a reply for each
//! run.
//!
//! What a run did is read off its steps, or off its messages and the calls that it waited for where
//! nobody was told of steps. What cannot be told again is left out, and said. Texts are written
//! such that templates leave them alone.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::{
    Objects,
    objects::{is_over, text_of},
    redact::{REDACTED, Redactor},
    seeds::{seed, seed_of_run},
    spelling::{arguments, literal, safe, slug},
};

/// Where contents of files are put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// In the document itself.
    Inline,
    /// In files beside it.
    Beside,
}

/// Something that could not be told again.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    /// The id of the object that it is about.
    pub about: String,
    pub what: String,
}

/// A fixture, the files that go with it, and what is missing from it.
#[derive(Debug, Default)]
pub struct Retold {
    pub document: Value,
    /// Paths relative to the document, and contents.
    pub files: Vec<(String, Vec<u8>)>,
    pub gaps: Vec<Gap>,
    /// How many runs there are replies for.
    pub runs: usize,
}

/// How conversations are to be told.
#[derive(Debug)]
pub struct Manner<'m> {
    pub keeping: Keeping,
    /// The folder, beside the document, that files go to.
    pub folder: &'m str,
    pub redactor: &'m Redactor,
    /// Whether assistants are seeded, and files that are cited.
    pub seeds: bool,
    /// What stands behind the name of each reply.
    pub suffix: &'m str,
    /// Whether only those runs are told that an upstream performed.
    pub only_performed: bool,
}

/// What documents that are served together have used up: names of replies, ids of seeds.
#[derive(Debug, Default)]
pub struct Taken(HashSet<String>);

impl Taken {
    /// Takes note of a document that is there already.
    pub fn note(&mut self, document: &Value) {
        for list in ["assistants", "threads", "files", "vector_stores"] {
            let seeds = document[list].as_array().into_iter().flatten();
            self.0.extend(seeds.filter_map(|seed| seed["id"].as_str().map(str::to_owned)));
        }
        let replies = document["replies"].as_array().into_iter().flatten();
        self.0.extend(replies.filter_map(|reply| reply["name"].as_str().map(of_reply)));
    }
}

/// How the name of a reply is told from ids.
fn of_reply(name: &str) -> String {
    format!("reply {name}")
}

/// Tells conversations again.
pub fn retell(objects: &Objects, manner: &Manner<'_>, taken: &mut Taken) -> Retold {
    // Whatever is told from here on has no secret in it.
    let objects = &objects.cleaned(manner.redactor);
    let mut teller = Teller {
        objects,
        manner,
        taken,
        messages: objects.messages_by_thread(),
        steps: objects.steps_by_run(),
        retold: Retold::default(),
        seeds: Vec::new(),
    };
    let mut replies = Vec::new();
    for (thread, runs) in objects.runs_by_thread() {
        for (index, run) in runs.iter().enumerate() {
            if manner.only_performed && run["upstream"].is_null() {
                continue;
            }
            // What is written anew as a thread goes on says the same of each run every time.
            let turn = (manner.only_performed || runs.len() > 1).then_some(index + 1);
            if let Some(reply) = teller.reply(&thread, run, runs.get(index + 1).copied(), turn) {
                replies.push(reply);
            }
        }
    }
    teller.finish(replies)
}

struct Teller<'o> {
    objects: &'o Objects,
    manner: &'o Manner<'o>,
    taken: &'o mut Taken,
    messages: HashMap<String, Vec<Value>>,
    steps: HashMap<&'o str, Vec<&'o Value>>,
    retold: Retold,
    /// Files that are seeded.
    seeds: Vec<Value>,
}

impl<'o> Teller<'o> {
    fn gap(&mut self, about: &Value, what: impl Into<String>) {
        let gap = Gap { about: about.as_str().unwrap_or_default().to_owned(), what: what.into() };
        if !self.retold.gaps.contains(&gap) {
            self.retold.gaps.push(gap);
        }
    }

    fn reply(
        &mut self,
        thread: &str,
        run: &'o Value,
        next: Option<&Value>,
        turn: Option<usize>,
    ) -> Option<Map<String, Value>> {
        if !is_over(run) {
            let status = run["status"].as_str().unwrap_or("unknown").to_owned();
            self.gap(
                &run["id"],
                format!("the run was last seen as {status}: what became of it is not known"),
            );
        }
        let asked = self.asked(thread, run, next);
        if asked.is_none() {
            self.gap(&run["id"], "what was asked is not known: its reply holds for any question");
        }
        let mut reply = Map::new();
        reply.insert(
            "name".to_owned(),
            Value::String(asked.as_deref().map(slug).unwrap_or_default()),
        );
        reply.insert("when".to_owned(), self.when(run, asked.as_deref(), turn));
        let steps = self.entries(thread, run);
        if steps.is_empty() && run["status"] == "completed" {
            self.gap(
                &run["id"],
                "nothing that the run wrote was ever shown: its reply says nothing",
            );
        }
        if !steps.is_empty() {
            reply.insert("steps".to_owned(), Value::Array(steps));
        }
        if let Some(outcome) = outcome(run) {
            reply.insert("outcome".to_owned(), outcome);
        }
        if let (Some(prompt), Some(completion)) =
            (run["usage"]["prompt_tokens"].as_u64(), run["usage"]["completion_tokens"].as_u64())
        {
            reply.insert(
                "usage".to_owned(),
                json!({"prompt_tokens": prompt, "completion_tokens": completion}),
            );
        }
        if let Some(timing) = timing(&run["upstream"]) {
            reply.insert("timing".to_owned(), timing);
        }
        self.retold.runs += 1;
        Some(reply)
    }

    /// What the user said last before the run.
    fn asked(&self, thread: &str, run: &Value, next: Option<&Value>) -> Option<String> {
        let messages = self.messages.get(thread)?;
        if let Some(known) = messages
            .iter()
            .find(|message| !message["id"].is_null() && message["id"] == run["upstream"]["asked"])
        {
            return Some(text_of(known));
        }
        let of = |run: &Value| {
            messages
                .iter()
                .position(|message| !run["id"].is_null() && message["run_id"] == run["id"])
        };
        let created = |value: &Value| value["created_at"].as_i64().unwrap_or_default();
        let end = of(run).unwrap_or_else(|| {
            // It wrote nothing: whatever was said up to its time, and before the next one wrote.
            let until = next.and_then(of).unwrap_or(messages.len());
            let later =
                messages[..until].iter().position(|message| created(message) > created(run));
            later.unwrap_or(until)
        });
        let mut users = (0..end).rev().filter(|place| messages[*place]["role"] == "user");
        let (last, before) = (users.next()?, users.next());
        // In the same second, what was said last may be what the next run was asked.
        let is_of_next =
            of(run).is_none() && next.is_some() && created(&messages[last]) == created(run);
        let goes_before = |before: &usize| {
            messages[*before..last].iter().all(|message| message["role"] == "user")
        };
        let asked = before.filter(|before| is_of_next && goes_before(before)).unwrap_or(last);
        Some(text_of(&messages[asked]))
    }

    fn when(&self, run: &Value, asked: Option<&str>, turn: Option<usize>) -> Value {
        let mut when = Map::new();
        let assistant = run["assistant_id"].as_str().unwrap_or_default();
        let named =
            self.objects.assistants.get(assistant).and_then(|assistant| assistant["name"].as_str());
        if let Some(name) = named.filter(|name| !name.is_empty() && !name.contains(REDACTED)) {
            when.insert("assistant".to_owned(), Value::from(name));
        }
        if let Some(asked) = asked {
            when.insert("message".to_owned(), matcher(asked));
        }
        if let Some(turn) = turn {
            when.insert("turn".to_owned(), Value::from(turn));
        }
        if when.is_empty() && !run["model"].is_null() {
            when.insert("model".to_owned(), run["model"].clone());
        }
        Value::Object(when)
    }

    fn entries(&mut self, thread: &str, run: &'o Value) -> Vec<Value> {
        let id = run["id"].as_str().unwrap_or_default();
        let steps = self.steps.get(id).cloned().unwrap_or_default();
        let mut told = HashSet::new();
        let mut rounds = self.objects.rounds_of(id).iter();
        let mut entries = Vec::new();
        for step in steps {
            let details = &step["step_details"];
            if let Some(calls) = details["tool_calls"].as_array() {
                let calls_functions = calls.iter().any(|call| call["type"] == "function");
                let round = if calls_functions || calls.is_empty() { rounds.next() } else { None };
                let calls = if calls.is_empty() {
                    round.map_or(&[] as &[Value], Vec::as_slice)
                } else {
                    calls
                };
                entries.extend(self.calls(calls));
                continue;
            }
            let Some(message) = details["message_creation"]["message_id"].as_str() else {
                continue;
            };
            told.insert(message.to_owned());
            match self.objects.messages.get(message) {
                Some(message) => entries.push(self.message(message)),
                None => {
                    self.gap(
                        &details["message_creation"]["message_id"],
                        "the message was never shown: a note stands in its place",
                    );
                    entries.push(json!({"message": "This message was not recorded."}));
                }
            }
        }
        // Rounds and messages that no step tells of: what was asked of the client came first.
        for round in rounds {
            entries.extend(self.calls(round));
        }
        let rest: Vec<Value> = self
            .messages
            .get(thread)
            .into_iter()
            .flatten()
            .filter(|message| message["run_id"] == run["id"] && !run["id"].is_null())
            .cloned()
            .collect();
        for message in
            rest.iter().filter(|message| !told.contains(message["id"].as_str().unwrap_or_default()))
        {
            entries.push(self.message(message));
        }
        entries
    }

    fn calls(&mut self, calls: &[Value]) -> Option<Value> {
        let calls: Vec<_> = calls.iter().filter_map(|call| self.call(call)).collect();
        (!calls.is_empty()).then(|| json!({ "tool_calls": calls }))
    }

    fn call(&mut self, call: &Value) -> Option<Value> {
        match call["type"].as_str()? {
            "function" => {
                let function = &call["function"];
                let name = function["name"].as_str()?;
                let arguments = arguments(function["arguments"].as_str().unwrap_or_default());
                Some(json!({"function": {"name": name, "arguments": arguments}}))
            }
            "code_interpreter" => {
                let interpreter = &call["code_interpreter"];
                let outputs = interpreter["outputs"].as_array().into_iter().flatten();
                let outputs: Vec<_> = outputs.filter_map(|output| self.output(output)).collect();
                let mut shown =
                    json!({"input": literal(interpreter["input"].as_str().unwrap_or_default())});
                if !outputs.is_empty() {
                    shown["outputs"] = Value::Array(outputs);
                }
                Some(json!({ "code_interpreter": shown }))
            }
            "file_search" if self.manner.seeds => {
                let results = call["file_search"]["results"].as_array().into_iter().flatten();
                let results: Vec<_> = results.filter_map(|result| self.found(result)).collect();
                let mut search = query(call);
                if !results.is_empty() {
                    search.insert("results".to_owned(), Value::Array(results));
                }
                Some(json!({ "file_search": search }))
            }
            // What a search finds hangs on the files that are there.
            "file_search" | "retrieval" => Some(json!({"file_search": query(call)})),
            other => {
                self.gap(&call["id"], format!("nothing can be said of calls of type {other}"));
                None
            }
        }
    }

    /// What a search found, and how well it fitted.
    fn found(&mut self, result: &Value) -> Option<Value> {
        let id = result["file_id"].as_str()?;
        let name = result["file_name"].as_str().unwrap_or(id).to_owned();
        self.seed_file(&result["file_id"], id, &name);
        let mut found = json!({"file": literal(&name), "score": result["score"]});
        let texts = result["content"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|part| part["text"].as_str());
        let text = texts.collect::<Vec<_>>().join("\n");
        if !text.is_empty() {
            found["text"] = Value::String(literal(&text));
        }
        Some(found)
    }

    fn output(&mut self, output: &Value) -> Option<Value> {
        if let Some(logs) = output["logs"].as_str() {
            return Some(json!({"logs": literal(logs)}));
        }
        let file = &output["image"]["file_id"];
        self.asset(file, "png").map(|image| json!({ "image": image }))
    }

    fn message(&mut self, message: &Value) -> Value {
        let parts = message["content"].as_array().cloned().unwrap_or_default();
        let mut said = Map::new();
        let (text, citations, files) = self.text(message, &parts);
        let images = parts.iter().filter(|part| part["type"] == "image_file");
        let images: Vec<_> =
            images.filter_map(|part| self.asset(&part["image_file"]["file_id"], "png")).collect();
        let refusal = parts.iter().find_map(|part| part["refusal"].as_str());
        if images.is_empty() && citations.is_empty() && files.is_empty() && refusal.is_none() {
            return json!({ "message": text });
        }
        if !text.is_empty() {
            said.insert("text".to_owned(), Value::String(text));
        }
        if let Some(refusal) = refusal {
            said.insert("refusal".to_owned(), Value::String(literal(refusal)));
        }
        for (key, list) in [("images", images), ("files", files), ("citations", citations)] {
            if !list.is_empty() {
                said.insert(key.to_owned(), Value::Array(list));
            }
        }
        json!({ "message": said })
    }

    /// The text of a message, with marks where something is cited, what that is, and the files that
    /// it links to.
    fn text(&mut self, message: &Value, parts: &[Value]) -> (String, Vec<Value>, Vec<Value>) {
        let (mut written, mut citations, mut files) = (String::new(), Vec::new(), Vec::new());
        let mut linked = HashSet::new();
        let texts: Vec<_> = parts.iter().filter(|part| part["text"]["value"].is_string()).collect();
        for (index, part) in texts.into_iter().enumerate() {
            if index > 0 {
                self.gap(&message["id"], "its texts are told as one");
                written.push('\n');
            }
            let text = part["text"]["value"].as_str().unwrap_or_default();
            let mut annotations =
                part["text"]["annotations"].as_array().cloned().unwrap_or_default();
            annotations.sort_by_key(|annotation| annotation["start_index"].as_u64());
            let mut rest = text;
            for annotation in annotations {
                let marker = annotation["text"].as_str().unwrap_or_default();
                let Some((before, after)) =
                    around(text, rest, marker, annotation["start_index"].as_u64())
                else {
                    continue;
                };
                if let Some(citation) = self.citation(&annotation, marker) {
                    written += &literal(before);
                    written += "{{ cite }}";
                    citations.push(citation);
                    rest = after;
                } else if annotation["type"] == "file_path" {
                    let name = marker.rsplit('/').next().unwrap_or_default().to_owned();
                    if linked.insert(name.clone()) {
                        files.extend(self.asset_called(&annotation["file_path"]["file_id"], &name));
                    }
                }
            }
            written += &literal(rest);
        }
        (written, citations, files)
    }

    /// A file that is cited, by a name that will be there: it is seeded if nobody is known to have
    /// uploaded it.
    fn citation(&mut self, annotation: &Value, marker: &str) -> Option<Value> {
        let cited = annotation.get("file_citation")?;
        let id = cited["file_id"].as_str()?;
        let known = self
            .objects
            .files
            .get(id)
            .and_then(|file| file["filename"].as_str())
            .map(str::to_owned);
        let marked = marker
            .trim_end_matches('】')
            .rsplit('†')
            .next()
            .filter(|name| *name != "source" && name.contains('.'));
        let name = known
            .clone()
            .or_else(|| marked.map(str::to_owned))
            .unwrap_or_else(|| format!("{id}.txt"));
        self.seed_file(&cited["file_id"], id, &name);
        let mut citation = json!({ "file": literal(&name) });
        if let Some(quote) = cited["quote"].as_str().filter(|quote| !quote.is_empty()) {
            citation["quote"] = Value::String(literal(quote));
        }
        Some(citation)
    }

    /// Sees to it that a file which the conversation leans on is there, if nobody is going to
    /// upload it.
    fn seed_file(&mut self, about: &Value, id: &str, name: &str) {
        if !self.manner.seeds || !self.taken.0.insert(id.to_owned()) {
            return;
        }
        let content =
            self.objects.content_of(id).filter(|content| self.manner.redactor.is_clean(content));
        let text = content.and_then(|content| std::str::from_utf8(content).ok());
        if text.is_none() {
            self.gap(
                about,
                format!("the content of {name} is not known: a file without it stands for it"),
            );
        }
        let text = text.unwrap_or("The content of this file was not recorded.\n");
        self.seeds
            .push(json!({"id": id, "path": {"name": name, "text": text}, "purpose": "assistants"}));
    }

    fn asset(&mut self, file: &Value, extension: &str) -> Option<Value> {
        let id = file.as_str()?;
        let known = self.objects.files.get(id).and_then(|file| file["filename"].as_str());
        let name = known
            .map(|name| name.rsplit('/').next().unwrap_or_default().to_owned())
            .filter(|name| !name.is_empty());
        self.asset_called(file, &name.unwrap_or_else(|| format!("{id}.{extension}")))
    }

    /// The content of a file that the run made, as a part of the fixture.
    fn asset_called(&mut self, file: &Value, name: &str) -> Option<Value> {
        let id = file.as_str()?;
        let content = match self.objects.content_of(id) {
            Some(content) if self.manner.redactor.is_clean(content) => content,
            known => {
                let why = if known.is_some() { "has a secret in it" } else { "was never fetched" };
                self.gap(file, format!("{name} {why}: another file stands for it"));
                stand_in(name)
            }
        };
        match self.manner.keeping {
            Keeping::Inline => {
                use base64::{Engine as _, engine::general_purpose::STANDARD};
                Some(json!({"name": name, "base64": STANDARD.encode(content)}))
            }
            Keeping::Beside => {
                let path = format!("{}/{}/{}", self.manner.folder, safe(id), safe(name));
                if !self.retold.files.iter().any(|(known, _)| *known == path) {
                    self.retold.files.push((path.clone(), content.to_vec()));
                }
                Some(Value::String(path))
            }
        }
    }

    fn finish(mut self, replies: Vec<Map<String, Value>>) -> Retold {
        let used: HashSet<_> =
            self.objects.runs.all().iter().filter_map(|run| run["assistant_id"].as_str()).collect();
        let assistants = self
            .objects
            .assistants
            .all()
            .iter()
            .filter(|assistant| assistant["id"].as_str().is_some_and(|id| used.contains(id)));
        let wanted = assistants.filter(|_| self.manner.seeds);
        let new = wanted.filter(|assistant| {
            self.taken.0.insert(assistant["id"].as_str().unwrap_or_default().to_owned())
        });
        let assistants: Vec<_> = new.map(seed).collect();
        let used = used.into_iter().filter(|_| self.manner.seeds);
        let mut assistants = assistants;
        for id in
            used.filter(|id| self.objects.assistants.get(id).is_none()).collect::<BTreeSet<_>>()
        {
            if self.taken.0.insert(id.to_owned()) {
                self.gap(
                    &Value::from(id),
                    "the assistant was never shown: its seed is made of what its first run says",
                );
                assistants.extend(
                    self.objects
                        .runs
                        .all()
                        .iter()
                        .find(|run| run["assistant_id"] == *id)
                        .map(seed_of_run),
                );
            }
        }
        let mut document = Map::new();
        for (key, list) in [
            ("assistants", assistants),
            ("files", std::mem::take(&mut self.seeds)),
            ("replies", numbered(replies, self.manner.suffix, self.taken)),
        ] {
            if !list.is_empty() {
                document.insert(key.to_owned(), Value::Array(list));
            }
        }
        self.retold.document = Value::Object(document);
        self.retold
    }
}

/// Gives each reply a name of its own. Those that hold for the same runs are used one after the
/// other; what is the same altogether is told once.
fn numbered(replies: Vec<Map<String, Value>>, suffix: &str, taken: &mut Taken) -> Vec<Value> {
    let mut unique: Vec<Map<String, Value>> = Vec::new();
    let mut seen = HashSet::new();
    for reply in replies {
        if seen.insert(Value::Object(reply.clone()).to_string()) {
            unique.push(reply);
        }
    }
    let mut last: HashMap<String, usize> = HashMap::new();
    for (index, reply) in unique.iter().enumerate() {
        last.insert(reply["when"].to_string(), index);
    }
    let named = unique.into_iter().enumerate().map(|(index, reply)| {
        let base =
            reply["name"].as_str().filter(|name| !name.is_empty()).unwrap_or("run").to_owned();
        let names = (1..).map(|number| {
            if number == 1 { format!("{base}{suffix}") } else { format!("{base}{suffix}-{number}") }
        });
        let name =
            names.into_iter().find(|name| taken.0.insert(of_reply(name))).unwrap_or_default();
        let is_last = last[&reply["when"].to_string()] == index;
        let mut numbered = Map::new();
        for (key, value) in reply {
            let is_name = key == "name";
            let is_when = key == "when";
            numbered.insert(key, if is_name { Value::String(name.clone()) } else { value });
            if is_when && !is_last {
                numbered.insert("times".to_owned(), Value::from(1));
            }
        }
        Value::Object(numbered)
    });
    named.collect()
}

/// What a search looked for, if that is known.
fn query(call: &Value) -> Map<String, Value> {
    let query = call["file_search"]["query"]
        .as_str()
        .map(|query| ("query".to_owned(), Value::String(literal(query))));
    query.into_iter().collect()
}

/// What stands before a marker and behind it in the rest of a text: where its annotation says, or
/// else where it is first.
fn around<'t>(
    text: &'t str,
    rest: &'t str,
    marker: &str,
    start: Option<u64>,
) -> Option<(&'t str, &'t str)> {
    if marker.is_empty() {
        return None;
    }
    let told = text.len() - rest.len();
    let place = start
        .and_then(|start| text.char_indices().nth(usize::try_from(start).ok()?))
        .map(|(place, _)| place);
    match place.filter(|place| *place >= told && text[*place..].starts_with(marker)) {
        Some(place) => Some((&text[told..place], &text[place + marker.len()..])),
        None => rest.split_once(marker),
    }
}

/// What holds of this text, also where something was taken out of it.
fn matcher(text: &str) -> Value {
    if !text.contains(REDACTED) {
        return Value::from(text);
    }
    let parts: Vec<_> = text.split(REDACTED).map(regex::escape).collect();
    json!({"matches": format!("^{}$", parts.join(r"[\s\S]*"))})
}

/// How long an upstream took, in the words of fixtures.
fn timing(performed: &Value) -> Option<Value> {
    let (first_token, per_token) =
        (performed["first_token"].as_u64()?, performed["per_token"].as_u64()?);
    Some(json!({"first_token": format!("{first_token}ms"), "per_token": format!("{per_token}us")}))
}

fn outcome(run: &Value) -> Option<Value> {
    match run["status"].as_str()? {
        "failed" => {
            let error = &run["last_error"];
            let code = error["code"].as_str().unwrap_or("server_error");
            let message = error["message"].as_str().unwrap_or("Sorry, something went wrong.");
            Some(json!({"failed": {"code": code, "message": message}}))
        }
        "incomplete" => {
            let reason = run["incomplete_details"]["reason"].as_str();
            Some(json!({"incomplete": reason.unwrap_or("max_completion_tokens")}))
        }
        "expired" => Some(json!("expired")),
        "completed" => None,
        // It stays until its client cancels it again.
        "cancelled" | "cancelling" => Some(json!("hang")),
        _ => None,
    }
}

/// What stands for a file whose content is not to be had.
fn stand_in(name: &str) -> &'static [u8] {
    /// The smallest picture: one transparent pixel.
    const BLANK: &[u8] = b"\x89PNG\r\n\x1a\n\
        \0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\
        \0\0\0\x0bIDAT\x78\xda\x63\x60\0\x02\0\0\x05\0\x01\xe9\xfa\xdc\xd8\
        \0\0\0\0IEND\xae\x42\x60\x82";
    if name.to_ascii_lowercase().ends_with(".png") { BLANK } else { b"Not recorded.\n" }
}
