//! Properties of a run that hold for all inputs in any order: without tokio, without a database.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    cue::{Cue, MarkTarget, PerformanceEnd, TimedCue},
    event::Event,
    machine::{Input, Machine, Next, Prompt},
    memory::{AfterCues, Cues, Memory, Performance, Position},
    note,
    objects::RunObjects,
};
use crate::{
    clock::{Ids, Moment},
    fixture::{Pace, Reply, matching::Captures},
    store::OpenRun,
    tokens::TokenPiece,
    types::{
        File, Id, Run, Timestamp, Usage, Version, View,
        message::CitedFile,
        reader,
        run::{IncompleteRun, LastError},
        step::Searched,
        tool::Ranking,
    },
};

/// Something that a client, a clock or a crash does.
#[derive(Clone, Debug)]
enum Doing {
    Pass(u64),
    Poll,
    Listen(bool),
    Cancel,
    Submit,
    SubmitWrongly(usize),
    Restart,
    SpeakUp,
}

fn doing() -> impl Strategy<Value = Doing> {
    prop_oneof![
        4 => (0_u64..90_000).prop_map(Doing::Pass),
        2 => Just(Doing::Poll),
        1 => any::<bool>().prop_map(Doing::Listen),
        1 => Just(Doing::Cancel),
        3 => Just(Doing::Submit),
        1 => (0_usize..3).prop_map(Doing::SubmitWrongly),
        1 => Just(Doing::Restart),
        2 => Just(Doing::SpeakUp),
    ]
}

fn piece() -> impl Strategy<Value = TokenPiece> {
    ("[a-zé ]{0,6}", 0_u64..4).prop_map(|(text, tokens)| TokenPiece { text, tokens })
}

fn end() -> impl Strategy<Value = PerformanceEnd> {
    let usage =
        prop::option::of((0_u64..9, 0_u64..9).prop_map(|(said, read)| Usage::new(said, read)));
    (usage, 0..5).prop_map(|(usage, which)| match which {
        0 => PerformanceEnd::Completed { usage },
        1 => PerformanceEnd::Failed { error: LastError::server_error("no"), usage },
        2 => PerformanceEnd::Incomplete { reason: IncompleteRun::MaxCompletionTokens, usage },
        3 => PerformanceEnd::Expired,
        _ => PerformanceEnd::Cancelled,
    })
}

/// Any cue: a performer may say them in any order.
fn cue() -> impl Strategy<Value = Cue> {
    let file_id = || Id::<File>::new("file-a");
    let cited = || MarkTarget::Citation {
        cited: CitedFile { file_id: "file-a".to_owned(), quote: None },
        filename: "a.txt".to_owned(),
    };
    let search = || Searched {
        ranking_options: Ranking::default(),
        results: Vec::new(),
        query: Some("q".to_owned()),
    };
    prop_oneof![
        Just(Cue::OpenMessage),
        piece().prop_map(Cue::Text),
        piece().prop_map(move |piece| Cue::Marked { piece, refers: cited() }),
        Just(Cue::Image { file_id: file_id() }),
        Just(Cue::Attach { file_id: file_id() }),
        Just(Cue::Refusal("No.".to_owned())),
        Just(Cue::CloseMessage),
        Just(Cue::OpenCalls),
        Just(Cue::Function { name: "f".to_owned() }),
        piece().prop_map(Cue::Arguments),
        Just(Cue::CodeInterpreter),
        piece().prop_map(Cue::Input),
        Just(Cue::Logs("1".to_owned())),
        Just(Cue::Drawing { file_id: file_id() }),
        Just(Cue::FileSearch { file_search: search(), tokens: 1 }),
        Just(Cue::Usage(Usage::new(3, 4))),
        Just(Cue::CloseCalls),
        Just(Cue::Disconnect),
        Just(Cue::Start),
    ]
}

/// Whole messages and rounds of calls, or anything at all.
fn answer() -> impl Strategy<Value = Vec<Cue>> {
    let resources = |open: Cue, cues: Vec<Cue>, close: Cue| {
        std::iter::once(open).chain(cues).chain([close]).collect::<Vec<_>>()
    };
    prop_oneof![
        prop::collection::vec(piece().prop_map(Cue::Text), 0..4).prop_map(move |cues| resources(
            Cue::OpenMessage,
            cues,
            Cue::CloseMessage
        )),
        prop::collection::vec(cue(), 0..5).prop_map(move |cues| resources(
            Cue::OpenCalls,
            cues,
            Cue::CloseCalls
        )),
        prop::collection::vec(cue(), 0..6),
        end().prop_map(|end| vec![Cue::End(end)]),
    ]
}

#[derive(Clone, Debug)]
struct Play {
    answers: Vec<(Vec<Cue>, AfterCues)>,
    doings: Vec<Doing>,
    pace: Pace,
    is_late: bool,
    waits: u64,
    max_completion: Option<i64>,
    max_prompt: Option<i64>,
}

fn play() -> impl Strategy<Value = Play> {
    let then = prop_oneof![
        6 => Just(AfterCues::More), 1 => Just(AfterCues::Search), 1 => Just(AfterCues::Wait), 1 => Just(AfterCues::Silence)
    ];
    let answers = prop::collection::vec((answer(), then), 0..6);
    let pace = prop_oneof![Just(Pace::Instant), Just(Pace::Steps), Just(Pace::REALISTIC)];
    let budget = || prop::option::weighted(0.3, 0_i64..40);
    let doings = prop::collection::vec(doing(), 0..16);
    (answers, doings, pace, any::<bool>(), 0_u64..3_000, budget(), budget()).prop_map(
        |(answers, doings, pace, is_late, waits, max_completion, max_prompt)| Play {
            answers,
            doings,
            pace,
            is_late,
            waits,
            max_completion,
            max_prompt,
        },
    )
}

fn run_of(play: &Play) -> Run {
    serde_json::from_value(json!({
        "id": "run_1", "object": "thread.run", "created_at": 1_000, "assistant_id": "asst_1",
        "thread_id": "thread_1", "status": "queued", "started_at": null, "expires_at": 1_600,
        "cancelled_at": null, "failed_at": null, "completed_at": null, "required_action": null,
        "last_error": null, "model": "gpt-4o", "instructions": "", "tools": [],
        "tool_resources": {}, "metadata": {}, "temperature": 1.0, "top_p": 1.0,
        "reasoning_effort": null, "max_completion_tokens": play.max_completion,
        "max_prompt_tokens": play.max_prompt, "truncation_strategy": {"type": "auto",
        "last_messages": null}, "incomplete_details": null, "usage": null,
        "response_format": "auto", "tool_choice": "auto", "parallel_tool_calls": true,
    }))
    .unwrap()
}

/// A run on a bare stage: the machine, its view, and a client that listens.
struct Stage {
    play: Play,
    machine: Machine,
    objects: RunObjects,
    now: Moment,
    fetched: usize,
    shown: Vec<Event>,
    /// Whether the machine is written down and read back before everything that happens.
    is_written: bool,
}

impl Stage {
    fn new(play: Play, is_written: bool) -> Self {
        let run = run_of(&play);
        let now = Moment::from(Timestamp(1_000));
        let machine = note::new_machine(&run, Prompt::default(), now);
        let ids = Ids::new(7, 0).of_run(&run.id);
        let objects = RunObjects::new(run, Vec::new(), None, ids);
        Self { play, machine, objects, now, fetched: 0, shown: Vec::new(), is_written }
    }

    fn open_run(&self) -> OpenRun {
        OpenRun {
            run: self.objects.run.clone(),
            performance: Some(note::write(&self.machine, None)),
            steps: self.objects.steps.clone(),
            message: None,
        }
    }

    fn handle(&mut self, input: Input) {
        if self.is_written {
            self.machine = note::read(&self.open_run(), Prompt::default(), self.now).unwrap();
        }
        let was_over = self.machine.is_over();
        let events = self.machine.handle(input, self.now);
        assert!(!was_over || events.is_empty(), "a run that has ended stays as it is");
        self.shown.extend(self.objects.apply(events));
    }

    fn performance(&self) -> Performance {
        let source = json!({"steps": [{"message": "m"}], "late_cancel": self.play.is_late});
        let reply: Reply = reader::read(source).unwrap();
        let captures = Captures::new();
        let position = Position { reply: Arc::new(reply), captures, entry: 0, query: None };
        let memory = Memory::Script(position);
        Performance { pace: self.play.pace, memory, then: AfterCues::More }
    }

    /// Plays everything that needs nobody else.
    fn advance(&mut self) {
        loop {
            match self.machine.next() {
                Next::FetchCues if self.machine.performance().is_none() => {
                    let prompt = Prompt { tokens: 7, fewest: 5 };
                    self.handle(Input::Performed { by: self.performance(), prompt });
                }
                Next::FetchCues => {
                    let answer = self.play.answers.get(self.fetched).cloned();
                    let (cues, then) = answer.unwrap_or((Vec::new(), AfterCues::Silence));
                    self.fetched += 1;
                    let after = Duration::from_millis(self.play.waits);
                    let cues = cues.into_iter().map(|cue| TimedCue { after, cue }).collect();
                    let memory = self.performance().memory;
                    self.handle(Input::Cues(Cues { cues, memory, then }));
                }
                next if next.until().is_some_and(|until| until <= self.now) => {
                    self.handle(Input::Time);
                }
                _ => return,
            }
        }
    }

    fn outputs(&self) -> usize {
        self.objects.steps.last().map_or(0, |step| step.function_calls().len())
    }

    fn perform(&mut self) {
        self.advance();
        for doing in self.play.doings.clone() {
            match doing {
                Doing::Pass(millis) => self.now = self.now.after(Duration::from_millis(millis)),
                Doing::Poll => self.handle(Input::Poll),
                Doing::Listen(listens) => self.handle(Input::Listened(listens)),
                Doing::Cancel => self.handle(Input::Cancel),
                Doing::Submit => {
                    self.handle(Input::Submit(vec!["out".to_owned(); self.outputs()]));
                }
                Doing::SubmitWrongly(outputs) if outputs != self.outputs() => {
                    let shown = self.shown.len();
                    self.handle(Input::Submit(vec![String::new(); outputs]));
                    assert_eq!(self.shown.len(), shown, "outputs of other calls change nothing");
                }
                Doing::SubmitWrongly(_) => {}
                Doing::Restart => self.handle(Input::Restart { lost: None }),
                Doing::SpeakUp => {
                    // A run that waits for somebody to speak keeps the clock from moving on.
                    let next = self.machine.next();
                    let waits =
                        matches!(next, Next::WaitForCues { .. } | Next::WaitForFiles { .. });
                    assert!(!waits || !next.is_timed());
                    self.handle(Input::CuesReady);
                    self.handle(Input::FilesReady);
                }
            }
            self.advance();
        }
        self.now = self.now.max(Moment::from(Timestamp(1_600)));
        self.advance();
    }

    fn told(&self) -> Vec<(String, String)> {
        let told = self.shown.iter();
        told.map(|event| (event.name().to_owned(), event.data(Version::V2, true))).collect()
    }
}

/// The objects that a client has assembled from a stream.
#[derive(Default)]
struct Client {
    objects: BTreeMap<String, Value>,
}

impl Client {
    fn hear(&mut self, event: &Event) {
        let data = event.data(Version::V2, true);
        let Ok(data) = serde_json::from_str::<Value>(&data) else { return };
        let Some(id) = data["id"].as_str().map(str::to_owned) else { return };
        if let Some(delta) = data.get("delta") {
            let known = self.objects.get_mut(&id).expect("a delta is of something that is known");
            merge(known, delta);
            return;
        }
        if let (Some(known), true) = (self.objects.get(&id), data["status"] != "in_progress") {
            assert_eq!(said(known), said(&data), "what was said in pieces is what was said");
        }
        self.objects.insert(id, data);
    }
}

/// The content of a message or a step, without the parts that no delta shows.
fn said(object: &Value) -> Value {
    let mut said = json!({"content": object["content"], "details": object["step_details"]});
    if said["content"] == json!([{"type": "text", "text": {"value": "", "annotations": []}}]) {
        said["content"] = json!([]);
    }
    // Recorded: the quote of a delta is empty.
    for part in said["content"].as_array_mut().into_iter().flatten() {
        for annotation in part["text"]["annotations"].as_array_mut().into_iter().flatten() {
            if let Some(cited) = annotation["file_citation"].as_object_mut() {
                cited.remove("quote");
            }
        }
    }
    for call in said["details"]["tool_calls"].as_array_mut().into_iter().flatten() {
        if let Some(function) = call.get_mut("function") {
            function["output"].take();
        }
    }
    said
}

/// Merges a delta as the official clients do.
fn merge(into: &mut Value, delta: &Value) {
    match (into, delta) {
        (Value::Object(into), Value::Object(delta)) => {
            for (key, value) in delta.iter().filter(|(key, _)| *key != "index") {
                match into.get_mut(key) {
                    Some(known) if !known.is_null() && key != "type" => merge(known, value),
                    _ => _ = into.insert(key.clone(), without_indices(value)),
                }
            }
        }
        (Value::Array(into), Value::Array(delta)) => {
            for item in delta {
                let index = item["index"].as_u64().expect("items of deltas are numbered") as usize;
                match into.get_mut(index) {
                    Some(known) => merge(known, item),
                    None => {
                        assert_eq!(into.len(), index, "items come in their order");
                        into.push(without_indices(item));
                    }
                }
            }
        }
        (Value::String(into), Value::String(more)) => into.push_str(more),
        (into, other) => *into = other.clone(),
    }
}

fn without_indices(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(key, _)| *key != "index");
            Value::Object(kept.map(|(key, value)| (key.clone(), without_indices(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_indices).collect()),
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn every_run_ends_and_nothing_of_it_stays_open(play in play()) {
        let mut stage = Stage::new(play, false);
        stage.perform();
        prop_assert!(stage.machine.is_over());
        prop_assert!(stage.objects.run.status().is_terminal());
        prop_assert!(stage.objects.steps.iter().all(|step| !step.is_open()));
        prop_assert_eq!(stage.machine.next(), Next::Done);
    }

    #[test]
    fn a_client_puts_the_stored_objects_together_from_the_stream(play in play()) {
        let mut stage = Stage::new(play, false);
        stage.perform();
        let mut client = Client::default();
        stage.shown.iter().for_each(|event| client.hear(event));
        let run = serde_json::to_value(stage.objects.run.in_stream().seen(Version::V2)).unwrap();
        prop_assert_eq!(&client.objects["run_1"], &run);
        for step in &stage.objects.steps {
            let step = serde_json::to_value(step.seen(Version::V2)).unwrap();
            prop_assert_eq!(&client.objects[step["id"].as_str().unwrap()], &step);
        }
        let is_message = |object: &&Value| object["object"] == "thread.message";
        for message in client.objects.values().filter(is_message) {
            prop_assert_ne!(&message["status"], "in_progress");
            prop_assert!(!message["content"].as_array().unwrap().is_empty()
                || message["status"] == "incomplete");
        }
    }

    #[test]
    fn a_machine_continues_in_the_same_way_after_a_write_and_a_read(play in play()) {
        let (mut one, mut other) = (Stage::new(play.clone(), false), Stage::new(play, true));
        one.perform();
        other.perform();
        prop_assert_eq!(one.told(), other.told());
        prop_assert_eq!(note::write(&one.machine, None), note::write(&other.machine, None));
    }
}

/// The names of the events of a run with these cues, without those that every run has.
fn told_of(cues: Vec<Cue>, max_completion: Option<i64>) -> (Stage, Vec<String>) {
    let play = Play {
        answers: vec![(cues, AfterCues::Silence)],
        doings: Vec::new(),
        pace: Pace::Instant,
        is_late: false,
        waits: 0,
        max_completion,
        max_prompt: None,
    };
    let mut stage = Stage::new(play, false);
    stage.advance();
    let told = stage.shown.iter().map(Event::name).filter(|name| name.ends_with(".delta"));
    let told = told.map(str::to_owned).collect();
    (stage, told)
}

#[test]
fn each_piece_of_text_and_output_is_an_event() {
    let piece = |text: &str| TokenPiece { text: text.to_owned(), tokens: 1 };
    let cues = vec![
        Cue::OpenMessage,
        Cue::Text(piece("one")),
        Cue::Text(piece(" two")),
        Cue::CloseMessage,
        Cue::OpenCalls,
        Cue::CodeInterpreter,
        Cue::Input(piece("1+1")),
        Cue::Logs("2".to_owned()),
        Cue::CloseCalls,
    ];
    let (stage, told) = told_of(cues.clone(), None);
    let (message, step) = ("thread.message.delta", "thread.run.step.delta");
    assert_eq!(told, [message, message, step, step, step]);
    assert!(stage.machine.has_started());
    // Two tokens are said, the third is one too many.
    let (stage, told) = told_of(cues, Some(2));
    assert_eq!(told, [message, message, step]);
    assert_eq!(stage.objects.run.status().name(), "incomplete");
}
