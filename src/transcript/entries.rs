//! What a run did, as the steps of a reply.
//!
//! It is read off the run's steps, or off its messages and the calls that it waited for where no
//! steps were shown.

use std::collections::HashSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::{
    escape::{arguments, literal, safe},
    generate::{FilePlacement, Generator},
    recorded::{
        AnnotatedText, FileSearchCall, PartText, RecordedAnnotation, RecordedCodeOutput,
        RecordedMessage, RecordedRun, RecordedSearchResult, RecordedToolCall,
    },
};

/// The text of a message with marks where something is cited, what that is, and the files that it
/// links to.
#[derive(Default)]
struct MarkedText {
    text: String,
    citations: Vec<Value>,
    files: Vec<Value>,
    linked: HashSet<String>,
}

impl<'o> Generator<'o> {
    pub(super) fn entries(&mut self, thread: &str, run: &'o RecordedRun) -> Vec<Value> {
        let steps = self.steps.get(run.id.as_str()).cloned().unwrap_or_default();
        let mut written = HashSet::new();
        let mut rounds = self.objects.rounds_of(&run.id).iter();
        let mut entries = Vec::new();
        for step in steps {
            let details = &step.step_details;
            if let Some(calls) = details.tool_calls.as_deref() {
                let calls_functions =
                    calls.iter().any(|call| call.kind.as_deref() == Some("function"));
                let round = if calls_functions || calls.is_empty() { rounds.next() } else { None };
                let calls =
                    if calls.is_empty() { round.map_or(&[][..], Vec::as_slice) } else { calls };
                entries.extend(self.calls(calls));
                continue;
            }
            let Some(id) = details.message_creation.message_id.as_deref() else { continue };
            written.insert(id);
            match self.objects.messages.get(id) {
                Some(message) => entries.push(self.message(message)),
                None => {
                    self.omit(id, "the message was never shown: a note stands in its place");
                    entries.push(json!({"message": "This message was not recorded."}));
                }
            }
        }
        // Rounds and messages that no step shows: what was asked of the client came first.
        for round in rounds {
            entries.extend(self.calls(round));
        }
        let messages = self.messages.get(thread).into_iter().flatten();
        let rest = messages.filter(|message| {
            message.run_id.as_ref() == Some(&run.id)
                && !message.id.as_deref().is_some_and(|id| written.contains(id))
        });
        for message in rest.cloned().collect::<Vec<_>>() {
            entries.push(self.message(&message));
        }
        entries
    }

    fn calls(&mut self, calls: &[RecordedToolCall]) -> Option<Value> {
        let calls: Vec<_> = calls.iter().filter_map(|call| self.call(call)).collect();
        (!calls.is_empty()).then(|| json!({ "tool_calls": calls }))
    }

    fn call(&mut self, call: &RecordedToolCall) -> Option<Value> {
        match call.kind.as_deref()? {
            "function" => {
                let name = call.function.name.as_deref()?;
                let arguments = arguments(&call.function.arguments);
                Some(json!({"function": {"name": name, "arguments": arguments}}))
            }
            "code_interpreter" => {
                let interpreter = &call.code_interpreter;
                let outputs: Vec<_> =
                    interpreter.outputs.iter().filter_map(|output| self.output(output)).collect();
                let mut shown = json!({"input": literal(&interpreter.input)});
                if !outputs.is_empty() {
                    shown["outputs"] = Value::Array(outputs);
                }
                Some(json!({ "code_interpreter": shown }))
            }
            "file_search" if self.options.seeds => {
                let results = call.file_search.results.iter();
                let results: Vec<_> = results.filter_map(|result| self.found(result)).collect();
                let mut search = query(&call.file_search);
                if !results.is_empty() {
                    search.insert("results".to_owned(), Value::Array(results));
                }
                Some(json!({ "file_search": search }))
            }
            // What a search finds hangs on the files that are there.
            "file_search" | "retrieval" => Some(json!({"file_search": query(&call.file_search)})),
            other => {
                self.omit(&call.id, format!("nothing can be said of calls of type {other}"));
                None
            }
        }
    }

    /// What a search found, and how well it fitted.
    fn found(&mut self, result: &RecordedSearchResult) -> Option<Value> {
        let id = result.file_id.as_deref()?;
        let name = result.file_name.as_deref().unwrap_or(id);
        self.seed_file(id, name);
        let mut found = json!({"file": literal(name), "score": result.score});
        let texts = result.content.iter().filter_map(|part| part.text.as_deref());
        let text = texts.collect::<Vec<_>>().join("\n");
        if !text.is_empty() {
            found["text"] = Value::String(literal(&text));
        }
        Some(found)
    }

    fn output(&mut self, output: &RecordedCodeOutput) -> Option<Value> {
        if let Some(logs) = &output.logs {
            return Some(json!({"logs": literal(logs)}));
        }
        let id = output.image.file_id.as_deref()?;
        Some(json!({ "image": self.image(id) }))
    }

    fn message(&mut self, message: &RecordedMessage) -> Value {
        let parts = message.parts();
        let MarkedText { text, citations, files, .. } = self.text(message);
        let images = parts.iter().filter(|part| part.kind == "image_file");
        let images: Vec<_> = images
            .filter_map(|part| part.image_file.file_id.as_deref())
            .map(|id| self.image(id))
            .collect();
        let refusal = parts.iter().find_map(|part| part.refusal.as_deref());
        if images.is_empty() && citations.is_empty() && files.is_empty() && refusal.is_none() {
            return json!({ "message": text });
        }
        let mut said = Map::new();
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

    fn text(&mut self, message: &RecordedMessage) -> MarkedText {
        let texts = message.parts().iter().filter_map(|part| match &part.text {
            Some(PartText::Annotated(text)) if text.value.is_some() => Some(text),
            _ => None,
        });
        let mut marked = MarkedText::default();
        for (index, text) in texts.enumerate() {
            if index > 0 {
                let id = message.id.as_deref().unwrap_or_default();
                self.omit(id, "its texts are written as one");
                marked.text.push('\n');
            }
            self.mark(text, &mut marked);
        }
        marked
    }

    /// Adds a text, with marks in place of its citations.
    fn mark(
        &mut self,
        AnnotatedText { value, annotations }: &AnnotatedText,
        marked: &mut MarkedText,
    ) {
        let text = value.as_deref().unwrap_or_default();
        let mut annotations: Vec<&RecordedAnnotation> = annotations.iter().collect();
        annotations.sort_by_key(|annotation| annotation.start_index);
        let mut rest = text;
        for annotation in annotations {
            let marker = annotation.text.as_str();
            let Some((before, after)) = around(text, rest, marker, annotation.start_index) else {
                continue;
            };
            if let Some(citation) = self.citation(annotation) {
                marked.text += &literal(before);
                marked.text += "{{ cite }}";
                marked.citations.push(citation);
                rest = after;
            } else if annotation.kind == "file_path" {
                let name = marker.rsplit('/').next().unwrap_or_default().to_owned();
                if marked.linked.insert(name.clone())
                    && let Some(id) = annotation.file_path.file_id.as_deref()
                {
                    marked.files.push(self.asset(id, &name));
                }
            }
        }
        marked.text += &literal(rest);
    }

    /// A file that is cited, by a name that will be there: it is seeded if nobody is known to have
    /// uploaded it.
    fn citation(&mut self, annotation: &RecordedAnnotation) -> Option<Value> {
        let cited = annotation.file_citation.as_ref()?;
        let id = cited.file_id.as_deref()?;
        let known = self.objects.files.get(id).and_then(|file| file.filename.clone());
        let name = known
            .or_else(|| name_in_marker(&annotation.text).map(str::to_owned))
            .unwrap_or_else(|| format!("{id}.txt"));
        self.seed_file(id, &name);
        let mut citation = json!({ "file": literal(&name) });
        if let Some(quote) = cited.quote.as_deref().filter(|quote| !quote.is_empty()) {
            citation["quote"] = Value::String(literal(quote));
        }
        Some(citation)
    }

    /// Sees to it that a file which the conversation leans on is there, if nobody is going to
    /// upload it.
    pub(super) fn seed_file(&mut self, id: &str, name: &str) {
        if !self.options.seeds || !self.used.use_id(id) {
            return;
        }
        let content = self.objects.content_of(id);
        let content = content.filter(|content| self.options.redactor.is_clean(content));
        let text = content.and_then(|content| std::str::from_utf8(content).ok());
        if text.is_none() {
            let what =
                format!("the content of {name} is not known: a file without it stands for it");
            self.omit(id, what);
        }
        let text = text.unwrap_or("The content of this file was not recorded.\n");
        self.seeded_files
            .push(json!({"id": id, "path": {"name": name, "text": text}, "purpose": "assistants"}));
    }

    fn image(&mut self, id: &str) -> Value {
        let known = self.objects.files.get(id).and_then(|file| file.filename.as_deref());
        let name = known.and_then(|name| name.rsplit('/').next()).filter(|name| !name.is_empty());
        let name = name.map_or_else(|| format!("{id}.png"), str::to_owned);
        self.asset(id, &name)
    }

    /// The content of a file that the run made, as a part of the fixture.
    fn asset(&mut self, id: &str, name: &str) -> Value {
        let content = match self.objects.content_of(id) {
            Some(content) if self.options.redactor.is_clean(content) => content,
            known => {
                let why = if known.is_some() { "has a secret in it" } else { "was never fetched" };
                self.omit(id, format!("{name} {why}: another file stands for it"));
                stand_in(name)
            }
        };
        match self.options.placement {
            FilePlacement::Inline => json!({"name": name, "base64": STANDARD.encode(content)}),
            FilePlacement::Beside => {
                let path = format!("{}/{}/{}", self.options.folder, safe(id), safe(name));
                if !self.fixture.files.iter().any(|(known, _)| *known == path) {
                    self.fixture.files.push((path.clone(), content.to_vec()));
                }
                Value::String(path)
            }
        }
    }
}

/// The name of the file that a marker such as `【4:0†refunds.md】` has in it.
fn name_in_marker(marker: &str) -> Option<&str> {
    let name = marker.trim_end_matches('】').rsplit('†').next()?;
    (name != "source" && name.contains('.')).then_some(name)
}

/// What a search looked for, if that is known.
fn query(search: &FileSearchCall) -> Map<String, Value> {
    let query = search.query.as_deref();
    query.map(|query| ("query".to_owned(), Value::String(literal(query)))).into_iter().collect()
}

/// What is before a marker and behind it in the rest of a text: where its annotation says, or
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

/// What takes the place of a file whose content is missing.
fn stand_in(name: &str) -> &'static [u8] {
    /// The smallest picture: one transparent pixel.
    const BLANK: &[u8] = b"\x89PNG\r\n\x1a\n\
        \0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\
        \0\0\0\x0bIDAT\x78\xda\x63\x60\0\x02\0\0\x05\0\x01\xe9\xfa\xdc\xd8\
        \0\0\0\0IEND\xae\x42\x60\x82";
    if name.to_ascii_lowercase().ends_with(".png") { BLANK } else { b"Not recorded.\n" }
}
