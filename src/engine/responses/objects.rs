//! The view of the Responses API on the output of the machine: the response, its items, and the
//! events of streams.
//!
//! Nothing here decides anything. Beside the response, there is the run that performers see. Every
//! change applies to both.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::{
    super::{
        cue::MarkTarget,
        event::{Event, LoggedEvent},
        machine::{Closing, Ending, EventKind, Machine, MachineCall, MachineEvent, MachineOutput},
        note,
        objects::RunObjects,
    },
    continuation::{Continuation, Kept, Round},
    event::{ItemPlace, ResponseEvent, ResponseEventKind},
    locks::ConversationLock,
    open_item::{OpenItem, OpenKind},
    record::{Progress, Record, Setting},
    scripted_item,
};
use crate::{
    store::{self, Changes},
    tokens,
    types::{
        Container, Id, Item, Response, Step, Timestamp,
        response::{
            ResponseStatus, ResponseUsage, Settings, client_call, item, item::ItemStatus,
            model::ModelDefaults,
        },
        run::LastError,
        step::Searched,
        tool::FunctionCall,
    },
};

/// A response that is under way.
pub(in super::super) struct ResponseObjects {
    /// The run that performers see.
    pub run: RunObjects,
    pub response: Response,
    /// The input from the client.
    input: Vec<Item>,
    turn: i64,
    answered: Vec<Round>,
    progress: Progress,
    /// Whether pieces of streams are padded.
    pads: bool,
    container: Id<Container>,
    lock: Option<ConversationLock>,
}

/// The data with which a response begins.
pub(in super::super) struct BegunResponse {
    pub response: Response,
    pub input: Vec<Item>,
    pub turn: i64,
    pub answered: Vec<Round>,
    pub pads: bool,
    /// Where its code interpreter works.
    pub container: Id<Container>,
    pub lock: Option<ConversationLock>,
}

impl ResponseObjects {
    pub(in super::super) fn new(run: RunObjects, begun: BegunResponse) -> Self {
        let BegunResponse { response, input, turn, answered, pads, container, lock } = begun;
        let settings = &response.settings;
        let log = (settings.background && settings.stream).then(Vec::new);
        // Recorded: events that a client can request again are not padded.
        let pads = pads && settings.stream && log.is_none();
        let progress = Progress::behind(input.len(), log);
        Self { run, response, input, turn, answered, progress, pads, container, lock }
    }

    /// Continues from the progress of another process.
    pub(in super::super) fn resume(&mut self, progress: Progress) {
        self.progress = progress;
    }

    /// The events sent so far, if clients can request them again.
    pub(in super::super) fn log(&self) -> Option<&[LoggedEvent]> {
        self.progress.log.as_deref()
    }

    /// The first events of a stream.
    pub(in super::super) fn begin(&mut self) -> Vec<Event> {
        let created = ResponseEventKind::Created(Box::new(self.response.clone()));
        let mut told = vec![created];
        if self.response.status == ResponseStatus::Queued {
            told.push(ResponseEventKind::Response(Box::new(self.response.clone())));
        }
        self.numbered(told)
    }

    /// Applies the machine's events to the objects. Returns the events to show: changes of the run
    /// that performers see, and the events of streams.
    pub(in super::super) fn apply(&mut self, events: Vec<MachineEvent>) -> Vec<Event> {
        let mut shown = Vec::new();
        for event in events {
            let (what, at) = (event.what.clone(), event.at);
            let kept = |event: &Event| event.is_of_object() || matches!(event, Event::Broken);
            shown.extend(self.run.apply(vec![event]).into_iter().filter(kept));
            let mut told = Vec::new();
            self.apply_one(what, at, &mut told);
            shown.extend(self.numbered(told));
        }
        shown
    }

    fn apply_one(&mut self, what: EventKind, at: Timestamp, told: &mut Vec<ResponseEventKind>) {
        let open = self.progress.open.as_mut();
        match what {
            EventKind::Started => {
                self.response.status = ResponseStatus::InProgress;
                told.push(ResponseEventKind::Response(Box::new(self.response.clone())));
            }
            EventKind::MessageOpened => {
                let phase = ModelDefaults::of(&self.run.run.model).has_phases;
                let phase = phase.then(|| "final_answer".to_owned());
                let kind = OpenKind::Message { parts: Vec::new(), part: None, phase };
                self.open("msg_", kind, at, told);
            }
            EventKind::Text { piece, refers: None } => {
                open.into_iter().for_each(|open| open.text(piece.clone(), told));
            }
            EventKind::Text { piece, refers: Some(refers) } => self.marked(piece, refers, told),
            EventKind::Refusal(refusal) => {
                let Some(open) = open else { return };
                for piece in tokens::pieces(&self.run.run.model, &refusal) {
                    open.refusal(piece.text, told);
                }
            }
            EventKind::Called(call) => self.call(call, at, told),
            EventKind::CallInput(piece) => {
                open.into_iter().for_each(|open| open.input(piece.clone(), told));
            }
            EventKind::Output(output) => {
                let shown = match output {
                    MachineOutput::Logs(logs) => json!({"type": "logs", "logs": logs}),
                    MachineOutput::Drawing(file) => json!({"type": "image", "url": file}),
                };
                open.into_iter().for_each(|open| open.output(shown.clone()));
            }
            EventKind::ReasoningOpened => {
                let includes = self.response.settings.includes("reasoning.encrypted_content");
                let is_told = includes || !self.response.settings.store;
                let encrypted = is_told.then(|| self.run.ids().encrypted(self.progress.items));
                let kind = OpenKind::Reasoning { summary: Vec::new(), encrypted };
                self.open("rs_", kind, at, told);
            }
            EventKind::SummaryPart => open.into_iter().for_each(|open| open.summary_part(told)),
            EventKind::Summary(piece) => {
                open.into_iter().for_each(|open| open.summary(piece.clone(), told));
            }
            EventKind::Item(item) => self.item(item, at, told),
            EventKind::Closed { how, usage } => {
                if matches!(open.map(|open| &open.kind), Some(OpenKind::Reasoning { .. })) {
                    self.progress.reasoning_tokens += usage.completion_tokens;
                }
                let status = match how {
                    Closing::Finished => ItemStatus::Completed,
                    Closing::LeftOut | Closing::BrokenOff(_) => ItemStatus::Incomplete,
                };
                self.finish(status, told);
            }
            EventKind::OutputsWanted => {
                let step = self.run.steps.last();
                self.progress.asked = self.asking_items();
                self.progress.asked.extend(step.map(Step::function_calls).unwrap_or_default());
            }
            EventKind::AnswersWanted => self.progress.asked = self.asking_items(),
            EventKind::Ended(ending) => self.end(ending, at, told),
            // Streams of both APIs break off in the same way: the run's events say so.
            EventKind::BrokeOff => {}
            // Only the Assistants API has events for them.
            EventKind::CallsOpened
            | EventKind::Image { .. }
            | EventKind::Attached { .. }
            | EventKind::OutputsGiven(_)
            | EventKind::Requeued
            | EventKind::Cancelling => {}
        }
    }

    fn open(
        &mut self,
        prefix: &str,
        kind: OpenKind,
        at: Timestamp,
        told: &mut Vec<ResponseEventKind>,
    ) {
        self.finish(ItemStatus::Completed, told);
        let (id, output_index) = (self.item_id(prefix, at), self.response.output.len());
        let open = OpenItem { id, output_index, kind };
        open.begin(told);
        self.progress.open = Some(open);
    }

    fn item_id(&mut self, prefix: &str, at: Timestamp) -> String {
        let id = self.run.ids().item(prefix, self.progress.items, at);
        self.progress.items += 1;
        id
    }

    fn finish(&mut self, status: ItemStatus, told: &mut Vec<ResponseEventKind>) {
        if let Some(open) = self.progress.open.take() {
            self.response.output.push(open.finish(status, told));
        }
    }

    /// A piece of text that refers to a file. A citation is only an annotation, a link is text.
    fn marked(&mut self, piece: String, refers: MarkTarget, told: &mut Vec<ResponseEventKind>) {
        let filename = match &refers {
            MarkTarget::Citation { filename, .. } => filename.clone(),
            MarkTarget::Path(_) => piece.rsplit('/').next().unwrap_or_default().to_owned(),
        };
        let container_id = self.container.clone();
        let Some(open) = &mut self.progress.open else { return };
        match refers {
            MarkTarget::Citation { cited, .. } => open.annotate(
                |index| {
                    json!({"type": "file_citation", "file_id": cited.file_id, "filename": filename,
                        "index": index})
                },
                told,
            ),
            MarkTarget::Path(file_id) => {
                let length = piece.chars().count();
                open.text(piece, told);
                open.annotate(
                    |end| {
                        json!({"type": "container_file_citation", "container_id": container_id,
                            "end_index": end, "file_id": file_id, "filename": filename,
                            "start_index": end.saturating_sub(length)})
                    },
                    told,
                );
            }
        }
    }

    fn call(&mut self, call: MachineCall, at: Timestamp, told: &mut Vec<ResponseEventKind>) {
        match call {
            MachineCall::Function { name } => {
                let last = self.run.steps.last().and_then(|step| step.tool_calls().last());
                let call_id = last.map(|call| call.id.clone()).unwrap_or_default();
                let kind = OpenKind::Call { call_id, name, arguments: String::new() };
                self.open("fc_", kind, at, told);
            }
            MachineCall::CodeInterpreter => {
                let kind = OpenKind::Code {
                    container_id: self.container.to_string(),
                    code: String::new(),
                    outputs: Vec::new(),
                    shows_outputs: self.response.settings.includes("code_interpreter_call.outputs"),
                };
                self.open("ci_", kind, at, told);
            }
            MachineCall::FileSearch(search) => self.search(search, at, told),
        }
    }

    /// A search, which ends at once.
    fn search(&mut self, search: Searched, at: Timestamp, told: &mut Vec<ResponseEventKind>) {
        self.finish(ItemStatus::Completed, told);
        let (id, output_index) = (self.item_id("fs_", at), self.response.output.len());
        let place = ItemPlace { id: id.clone(), output_index };
        let shown = |status: ItemStatus, queries: Value, results: Value| {
            let rest = json!({"status": status.name(), "queries": queries, "results": results});
            Box::new(Item::new(id.clone(), item::FILE_SEARCH_CALL, rest))
        };
        let begun = shown(ItemStatus::InProgress, json!([]), Value::Null);
        told.push(ResponseEventKind::ItemAdded(place.clone(), begun));
        for name in [
            "response.file_search_call.in_progress",
            "response.file_search_call.searching",
            "response.file_search_call.completed",
        ] {
            told.push(ResponseEventKind::Progress(place.clone(), name));
        }
        let results = self.response.settings.includes("file_search_call.results");
        let results = results.then(|| results_of(&search, only_store(&self.response.settings)));
        let done = shown(ItemStatus::Completed, json!([search.query]), json!(results));
        self.response.output.push((*done).clone());
        told.push(ResponseEventKind::ItemDone(place, done));
    }

    /// The calls of items that the client has to answer. The calls of functions are noted when they
    /// are made.
    fn asking_items(&self) -> Vec<FunctionCall> {
        // The first steps are the rounds that were answered before.
        let steps = self.run.steps.iter().skip(self.answered.len());
        let functions: Vec<_> = steps.flat_map(Step::function_calls).collect();
        let calls = client_call::open_calls(&self.response.output);
        let calls = calls.filter_map(Item::client_call);
        calls.filter(|call| !functions.iter().any(|known| known.id == call.id)).collect()
    }

    /// An item from the fixture. Its id, its status and the id of its call are filled in here.
    fn item(
        &mut self,
        mut rest: Map<String, Value>,
        at: Timestamp,
        told: &mut Vec<ResponseEventKind>,
    ) {
        self.finish(ItemStatus::Completed, told);
        let kind = match rest.shift_remove("type") {
            Some(Value::String(kind)) => kind,
            _ => return,
        };
        let call_id = self.run.ids().call_of_item(self.progress.items);
        let drawn = self.item_id(item::prefix_of(&kind).unwrap_or("item_"), at);
        let id = match rest.shift_remove("id") {
            Some(Value::String(id)) => id,
            _ => drawn,
        };
        if item::has_status(&kind) && !rest.contains_key("status") {
            let given = std::mem::take(&mut rest);
            rest.insert("status".to_owned(), ItemStatus::Completed.name().into());
            rest.extend(given);
        }
        if client_call::has_call_id(&kind, &rest) && !rest.contains_key("call_id") {
            // Recorded: it comes after the status.
            let place = rest.keys().position(|key| key == "status").map_or(0, |place| place + 1);
            rest.shift_insert(place, "call_id".to_owned(), call_id.into());
        }
        let place = ItemPlace { id: id.clone(), output_index: self.response.output.len() };
        let done = Item::new(id, &kind, Value::Object(rest));
        told.extend(scripted_item::events(&done, &place, &self.run.run.model));
        self.response.output.push(done);
    }

    fn end(&mut self, ending: Ending, at: Timestamp, told: &mut Vec<ResponseEventKind>) {
        let response = &mut self.response;
        let reasoning = self.progress.reasoning_tokens;
        match ending {
            Ending::Completed(usage) => {
                response.status = ResponseStatus::Completed;
                response.completed_at = Some(at);
                response.usage = Some(ResponseUsage::new(usage, reasoning));
            }
            Ending::Incomplete(reason, usage) => {
                response.status = ResponseStatus::Incomplete;
                response.reason = Some(reason);
                response.usage = Some(ResponseUsage::new(usage, reasoning));
            }
            Ending::Failed(error, _) => self.fail(error, told),
            Ending::Expired(_) => {
                let why = "The response was not finished in time.";
                self.fail(LastError::server_error(why), told);
            }
            Ending::Cancelled(_) => response.status = ResponseStatus::Cancelled,
        }
        told.push(ResponseEventKind::Response(Box::new(self.response.clone())));
    }

    fn fail(&mut self, error: LastError, told: &mut Vec<ResponseEventKind>) {
        let (code, message) = (error.code.clone(), error.message.clone());
        told.push(ResponseEventKind::Error { code, message });
        self.response.fail(error);
    }

    /// The events with their numbers, padded and logged.
    fn numbered(&mut self, told: Vec<ResponseEventKind>) -> Vec<Event> {
        let mut shown = Vec::with_capacity(told.len());
        for mut kind in told {
            let sequence = self.progress.events;
            self.progress.events += 1;
            if let ResponseEventKind::Delta(_, written, text, padding) = &mut kind
                && self.pads
                && written.is_padded()
            {
                *padding = Some(self.run.ids().padding(sequence, missing_to_block(text)));
            }
            let event = ResponseEvent { sequence, kind };
            if let Some(log) = &mut self.progress.log
                && !event.is_unsaid()
            {
                log.push(LoggedEvent::of(&event));
            }
            shown.push(Event::Response(Box::new(event)));
        }
        shown
    }

    /// Adds the response, as it is, to a write.
    pub(in super::super) fn write(
        &self,
        changes: &mut Changes,
        machine: &Machine,
        setting: Option<&Setting>,
    ) -> store::Result<()> {
        let (response, is_over) = (&self.response, self.response.status.is_final());
        if response.settings.is_kept() {
            let log = self.log().filter(|_| is_over);
            let log = log.map(|log| serde_json::to_string(log).expect("events are JSON"));
            let note = (!is_over).then(|| note::write(machine, Some(&self.record())));
            let note = note.as_deref();
            match setting {
                Some(setting) => {
                    let setting = (!is_over)
                        .then(|| serde_json::to_string(setting).expect("a setting is JSON"));
                    let setting = setting.as_deref();
                    changes.insert_response(response, self.turn, setting, note, log.as_deref())?;
                    for item in &self.input {
                        changes.insert_response_item(&response.id, item, false)?;
                    }
                }
                None => changes.update_response(response, note, log.as_deref())?,
            }
            for item in response.output.iter().filter(|_| is_over) {
                changes.insert_response_item(&response.id, item, true)?;
            }
        }
        if is_over {
            self.write_end(changes, machine)?;
        }
        Ok(())
    }

    /// Writes the data that belongs to the end: the items of the conversation, and how the reply
    /// continues.
    fn write_end(&self, changes: &mut Changes, machine: &Machine) -> store::Result<()> {
        let has_answer =
            matches!(self.response.status, ResponseStatus::Completed | ResponseStatus::Incomplete);
        if let Some(conversation) =
            self.response.settings.conversation.as_ref().filter(|_| has_answer)
        {
            let items = self.input.iter().chain(&self.response.output);
            let behind = self.response.settings.conversation_end.unwrap_or_default();
            let by = Some(&self.response.id).filter(|_| self.response.settings.is_kept());
            changes.extend_conversation(conversation, items, behind, by, Some(self.turn))?;
        }
        let Some((first, others)) = self.progress.asked.split_first().filter(|_| has_answer) else {
            return Ok(());
        };
        if let Some(performance) = machine.performance() {
            let continuation = Continuation {
                performance: performance.clone(),
                answered: self.answered.iter().map(Round::calls).collect(),
                asked: self.progress.asked.clone(),
                turn: self.turn,
            };
            let note = |kept: &Kept<Continuation>| {
                serde_json::to_string(kept).expect("a continuation is JSON")
            };
            changes.put_continuation(&first.id, &note(&Kept::Here(continuation)));
            let under_first = note(&Kept::Under(first.id.clone()));
            for call in others {
                changes.put_continuation(&call.id, &under_first);
            }
        }
        Ok(())
    }

    /// The number of the question that it answers.
    pub(in super::super) fn turn(&self) -> i64 {
        self.turn
    }

    /// Unlocks the conversation, once the end is written.
    pub(in super::super) fn unlock(&mut self) {
        self.lock = None;
    }

    /// The state from which a restart continues.
    pub(in super::super) fn record(&self) -> Record<'_> {
        let RunObjects { run, steps, .. } = &self.run;
        Record {
            progress: Cow::Borrowed(&self.progress),
            run: Cow::Borrowed(run),
            steps: Cow::Borrowed(steps),
            message: self.run.message().map(Cow::Borrowed),
        }
    }
}

/// How many characters a piece needs to reach a multiple of 16. Recorded.
fn missing_to_block(text: &str) -> usize {
    const BLOCK: usize = 16;
    (BLOCK - text.chars().count() % BLOCK) % BLOCK
}

/// The store that the tools search, if there is only one: the store of results from a fixture.
fn only_store(settings: &Settings) -> &str {
    let stores = settings.tools.iter().filter_map(|tool| tool["vector_store_ids"].as_array());
    let mut stores = stores.flatten().filter_map(Value::as_str);
    match (stores.next(), stores.next()) {
        (Some(store), None) => store,
        _ => "",
    }
}

fn results_of(search: &Searched, store: &str) -> Vec<Value> {
    let shown = search.results.iter().map(|result| {
        json!({"attributes": result.attributes, "file_id": result.file_id,
            "filename": result.file_name, "score": result.score, "text": result.text(),
            "vector_store_id": result.store.as_deref().unwrap_or(store)})
    });
    shown.collect()
}
