//! Recorded exchanges with the real service, replayed. This sends the same requests and compares
//! the responses field by field: the order of keys, types, nulls, defaults and error bodies.
//! `REHEARSAL_GOLDEN` selects another folder for the recordings.
//!
//! `golden-exceptions.txt` in this folder lists the exchanges that cannot be compared, with the
//! reason. An unnecessary line there fails the test, too.

mod bytes;
mod cassettes;
mod compare;
mod form;
mod found;
mod reply;
mod report;
mod responses;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
};

use rehearsal::{Config, Pace, Unmatched};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use self::{compare::Comparison, found::Found};
use crate::skipped::{Remedy, skip};
use crate::{
    contract,
    server::{Answer, Events, TestServer, config, say},
};

/// A valid key and an invalid key.
const KEY: &str = "sk-test";
const WRONG_KEY: &str = "sk-wrong-0123456789";

const EXCEPTIONS: &str = include_str!("golden-exceptions.txt");

#[derive(Deserialize)]
struct Flow {
    exchanges: Vec<Exchange>,
}

#[derive(Deserialize)]
struct Exchange {
    beta: Option<String>,
    /// Only the response was recorded.
    #[serde(default)]
    body_only: bool,
    request: Request,
    response: Response,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    path: String,
    query: Option<BTreeMap<String, Value>>,
    body: Option<Value>,
}

#[derive(Deserialize)]
struct Response {
    status: Option<u16>,
    headers: Option<BTreeMap<String, String>>,
    sse_raw_tail: Option<String>,
    body: Option<Value>,
    sse: Option<Vec<Event>>,
}

#[derive(Deserialize)]
struct Event {
    event: String,
    data: Value,
}

impl Flow {
    /// For uploads, the sizes of the parts are not recorded, but their sum is.
    fn uploads(&self) -> form::Uploads {
        let made = self.exchanges.iter().find(|exchange| exchange.request.path == "/v1/uploads");
        let bytes = made
            .and_then(|made| made.response.body.as_ref()?["bytes"].as_u64())
            .unwrap_or_default();
        let parts = self
            .exchanges
            .iter()
            .filter(|exchange| exchange.request.path.ends_with("/parts"))
            .count();
        form::Uploads { parts: Vec::new(), part_bytes: bytes / (parts as u64).max(1) }
    }
}

impl Exchange {
    /// All response objects, as a list.
    fn answers(&self) -> Vec<&Value> {
        let events = self.response.sse.iter().flatten().map(|event| &event.data);
        self.response.body.iter().chain(events).collect()
    }

    /// All response objects, with the items of lists one by one.
    fn objects(&self) -> Vec<Value> {
        let answers = self.answers().into_iter();
        answers
            .flat_map(|answer| {
                answer["data"].as_array().cloned().unwrap_or_else(|| vec![answer.clone()])
            })
            .collect()
    }
}

/// The recorded flows, by their names. `None` if there are no recordings. A variable selects their
/// folder, which is otherwise a shared one.
fn flows<F: DeserializeOwned>(
    variable: &str,
    shared: &str,
    what: &str,
) -> Option<Vec<(String, F)>> {
    let default = format!("{}/../shared/{shared}", env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::var_os(variable).map_or_else(|| PathBuf::from(default), PathBuf::from);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        let what = format!("{what}: there are none at {}", folder.display());
        skip(&what, Remedy::None);
        return None;
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "json"));
    paths.sort();
    let flow = |path: PathBuf| {
        let flow = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        (path.file_stem().unwrap().to_string_lossy().into_owned(), flow)
    };
    Some(paths.into_iter().map(flow).collect())
}

fn assistants_flows() -> Option<Vec<(String, Flow)>> {
    flows("REHEARSAL_GOLDEN", "golden", "recorded exchanges")
}

/// The exceptions that a file lists.
fn listed(exceptions: &str) -> BTreeSet<String> {
    let lines = exceptions.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
}

#[tokio::test]
async fn recorded_exchanges_are_answered_alike() {
    let Some(flows) = assistants_flows() else { return };
    let (mut lines, mut differing) = (Vec::new(), BTreeMap::new());
    for (name, flow) in flows {
        let found = Found::by(&flow.exchanges);
        let mut document = found.seeds();
        document.insert("replies".to_owned(), reply::replies(&flow.exchanges));
        for (index, outcome) in replay(&flow, &found, document).await.into_iter().enumerate() {
            let Exchange { beta, request, .. } = &flow.exchanges[index];
            let version = if beta.as_deref() == Some("v1") { "v1" } else { "v2" };
            if let Outcome::Deviates(differences) = &outcome {
                differing.insert(format!("{name}:{index}"), differences.clone());
            }
            lines.push(report::Line {
                method: request.method.clone(),
                path: request.path.clone(),
                version,
                outcome,
            });
        }
    }
    say(&format!("golden: {}", report::summary(&lines)));
    check_listed(&differing, &listed(EXCEPTIONS));
    let Some((responses, differing)) = responses::replay_all().await else { return };
    say(&format!("responses: {}", report::summary(&responses)));
    check_listed(&differing, &responses::listed());
    match contract::documents() {
        Some(documents) => {
            let pages = [(lines, EXCEPTIONS), (responses, responses::EXCEPTIONS)];
            report::settle(&report::page(&pages, &documents));
        }
        None => skip("FIDELITY.md: there are no OpenAPI documents to compare with", Remedy::None),
    }
}

/// The listed exchanges differ, and no others do.
fn check_listed(differing: &BTreeMap<String, Vec<String>>, listed: &BTreeSet<String>) {
    let unlisted: Vec<_> = differing.iter().filter(|(name, _)| !listed.contains(*name)).collect();
    assert!(unlisted.is_empty(), "these differ from the recordings: {unlisted:#?}");
    let stale: Vec<_> = listed.iter().filter(|name| !differing.contains_key(*name)).collect();
    assert!(stale.is_empty(), "these are listed as exceptions and match: {stale:?}");
}

/// Imports cassettes of the same exchanges in every format. After that, the responses have the
/// recorded texts, calls and statuses.
#[tokio::test]
async fn imported_cassettes_answer_as_they_were_recorded() {
    let Some(flows) = assistants_flows() else { return };
    let (listed, mut replayed, mut differing) = (listed(EXCEPTIONS), 0, BTreeMap::new());
    let with_runs = flows.into_iter().filter(|(_, flow)| {
        flow.exchanges.iter().any(|exchange| exchange.request.path.contains("/runs"))
    });
    // Cassettes do not contain runs that were created before the recording.
    let with_runs = with_runs.filter(|(_, flow)| !Found::by(&flow.exchanges).has_runs());
    for ((name, flow), format) in with_runs.zip(cassettes::FORMATS.into_iter().cycle()) {
        let found = Found::by(&flow.exchanges);
        let written = imported(&name, &flow.exchanges, format);
        let mut document = found.seeds();
        let imported: Map<String, Value> = serde_saphyr::from_str(&written).unwrap();
        merge(&mut document, imported);
        for (index, outcome) in replay(&flow, &found, document).await.into_iter().enumerate() {
            replayed += 1;
            let id = format!("{name}:{index}");
            if let Outcome::Deviates(differences) = outcome
                && !listed.contains(&id)
            {
                differing.insert(format!("{id} as {format:?}"), differences);
            }
        }
    }
    say(&format!(
        "imported: {} of {replayed} exchanges are answered as they were recorded",
        replayed - differing.len()
    ));
    assert!(differing.is_empty(), "{differing:#?}");
}

#[tokio::test]
async fn imported_cassettes_of_responses_answer_as_they_were_recorded() {
    let Some((compared, differing)) = responses::replay_imported().await else { return };
    let differing: BTreeMap<_, _> =
        differing.into_iter().filter(|(name, _)| !responses::listed().contains(name)).collect();
    say(&format!(
        "imported: {} of {compared} responses are answered as they were recorded",
        compared - differing.len()
    ));
    check_listed(&differing, &listed(responses::IMPORTS));
}

/// The imported fixture of a flow in some format.
fn imported(name: &str, exchanges: &[Exchange], format: cassettes::Format) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("recording"), cassettes::write(exchanges, format)).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .current_dir(folder.path())
        .args(["import", "recording"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("there is nothing of"), "{name} as {format:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_format_tells_the_same() {
    for (name, flow) in assistants_flows().into_iter().flatten() {
        if !flow.exchanges.iter().any(|exchange| exchange.request.path.contains("/runs")) {
            continue;
        }
        let [first, others @ ..] = cassettes::FORMATS;
        let expected = imported(&name, &flow.exchanges, first);
        for format in others {
            assert_eq!(imported(&name, &flow.exchanges, format), expected, "{name} as {format:?}");
        }
    }
}

/// Adds the imported parts to the found ones. An imported part replaces a found one with the same
/// id.
fn merge(document: &mut Map<String, Value>, imported: Map<String, Value>) {
    for (key, items) in imported {
        let known =
            document.entry(key).or_insert_with(|| Value::Array(Vec::new())).as_array_mut().unwrap();
        let items = items.as_array().cloned().unwrap_or_default();
        known.retain(|item| {
            item["id"].is_null() || !items.iter().any(|other| other["id"] == item["id"])
        });
        known.extend(items);
    }
}

/// The result of an exchange.
#[derive(Debug)]
enum Outcome {
    Matched,
    /// The recording has a shape that the service changed later, and is equal otherwise.
    Earlier,
    Deviates(Vec<String>),
}

/// Replays a flow, and returns the result of each compared exchange.
async fn replay(flow: &Flow, found: &Found, document: Map<String, Value>) -> Vec<Outcome> {
    let folder = tempfile::tempdir().unwrap();
    let fixture = folder.path().join("recorded.json");
    std::fs::write(&fixture, Value::Object(document).to_string()).unwrap();
    // Each poll advances one status, so that a run can have the status of the recording.
    let server = TestServer::with(Config {
        fixtures: vec![fixture],
        unmatched: Unmatched::Echo,
        pace: Pace::Steps,
        api_keys: vec![KEY.to_owned()],
        ..config()
    })
    .await;
    // The local id of each recorded id, and the parts of uploads in their order.
    let (mut ids, mut uploads) = (HashMap::new(), flow.uploads());
    found.make(&server, &mut ids, &flow.exchanges).await;
    let mut outcomes = Vec::new();
    for exchange in &flow.exchanges {
        outcomes.push(perform(&server, exchange, &mut ids, &mut uploads).await);
    }
    outcomes
}

async fn perform(
    server: &TestServer,
    exchange: &Exchange,
    ids: &mut HashMap<String, String>,
    uploads: &mut form::Uploads,
) -> Outcome {
    let Exchange { request, response, .. } = exchange;
    let was_recorded = request.body.is_some()
        || request.method != "POST"
        || request.path == "/v1/threads"
        || request.path.ends_with("/cancel");
    let was_recorded =
        was_recorded && !(exchange.body_only && request.method == "POST" && request.body.is_none());
    let was_recorded = was_recorded
        && request.body.as_ref().is_none_or(|body| body.get("_unparsed_bytes").is_none());
    let body = if was_recorded {
        request.body.clone()
    } else {
        form::of_answer(&request.path, response.body.as_ref(), uploads)
    };
    if !was_recorded && body.is_none() {
        return Outcome::Deviates(vec!["the body of the request was not recorded".to_owned()]);
    }
    let path = with_ids(&request.path, ids);
    let asked = |method: Method, path: &str| {
        let is_refused = exchange.response.status == Some(401);
        let request =
            server.bare(method, path).bearer_auth(if is_refused { WRONG_KEY } else { KEY });
        match &exchange.beta {
            Some(beta) => request.header("openai-beta", format!("assistants={beta}")),
            None => request,
        }
    };
    let query: Vec<_> = request
        .query
        .iter()
        .flatten()
        .map(|(key, value)| (key, with_ids(value.as_str().unwrap_or_default(), ids)))
        .collect();
    let body: Option<Value> =
        body.map(|body| serde_json::from_str(&with_ids(&body.to_string(), ids)).unwrap());
    settle(server, &path, response).await;
    let send = async || {
        let mut sent = asked(request.method.parse::<Method>().unwrap(), &path).query(&query);
        if let Some(body) = &body {
            sent = match body["_multipart"].as_array() {
                Some(fields) => sent.multipart(form::multipart(fields)),
                None => sent.json(body),
            };
        }
        server.send(sent).await
    };
    if let Some((run, status)) = refused_in(response, &path) {
        let polled = run.to_owned();
        for _ in 0..4 {
            let list = asked(
                Method::GET,
                &format!("{}?limit=1", polled.rsplit_once('/').map_or("", |(list, _)| list)),
            );
            if server.send(list).await.body["data"][0]["status"] == status {
                break;
            }
            server.send(asked(Method::GET, &polled)).await;
            server.idle().await;
        }
    }
    let status = response.body.as_ref().map(|body| body["status"].clone()).unwrap_or_default();
    let is_poll = request.method == "GET" && status.is_string();
    // A poll advances the run. If the run has the recorded status already, the response is taken
    // from the list.
    let list = path
        .rsplit_once('/')
        .filter(|_| is_poll)
        .map(|(list, _)| asked(Method::GET, &format!("{list}?limit=100")).query(&query));
    let mut answer = match met_in_list(server, list, &path, &status).await {
        Some(answer) => answer,
        None => send().await,
    };
    // A poll may also come too early.
    for _ in 0..4 {
        if !is_poll || answer.body["status"] == status {
            break;
        }
        answer = send().await;
    }
    server.idle().await;
    if let Some(part) = response.body.as_ref().filter(|body| body["object"] == "upload.part") {
        uploads.parts.push(part["id"].as_str().unwrap_or_default().to_owned());
    }
    let is_list_of_all = request.method == "GET"
        && matches!(request.path.as_str(), "/v1/assistants" | "/v1/files" | "/v1/vector_stores");
    compare(response, &answer, ids, is_list_of_all)
}

/// Polls a store until its files are ready, if they were ready in the recording.
async fn settle(server: &TestServer, path: &str, response: &Response) {
    let Some(store) =
        path.strip_prefix("/v1/vector_stores/").and_then(|rest| rest.split('/').next())
    else {
        return;
    };
    let recorded = response.body.as_ref().map(Value::to_string).unwrap_or_default();
    if !recorded.contains(r#""status":"completed""#) {
        return;
    }
    for _ in 0..100 {
        let store = server.get(&format!("/v1/vector_stores/{store}")).await;
        if store.body["status"] != "in_progress" {
            return;
        }
    }
}

const RUN_STATUSES: [&str; 9] = [
    "queued",
    "in_progress",
    "requires_action",
    "cancelling",
    "cancelled",
    "completed",
    "incomplete",
    "failed",
    "expired",
];

/// The path of a run, and the status in which it rejected a request.
fn refused_in<'p>(recorded: &Response, path: &'p str) -> Option<(&'p str, String)> {
    let message = recorded.body.as_ref()?["error"]["message"].as_str()?;
    let status = message.split(['\'', '"']).find(|word| RUN_STATUSES.contains(word))?;
    let run = path.split_once("/runs/")?.1.split('/').next()?;
    Some((&path[..path.find(run)? + run.len()], status.to_owned()))
}

/// The item of a list as a response, if it has this status.
async fn met_in_list(
    server: &TestServer,
    list: Option<RequestBuilder>,
    path: &str,
    status: &Value,
) -> Option<Answer> {
    let (_, id) = path.rsplit_once('/')?;
    let mut answer = server.send(list?).await;
    let item = answer.body["data"]
        .as_array()?
        .iter()
        .find(|item| item["id"] == id && item["status"] == *status)?;
    answer.body = item.clone();
    Some(answer)
}

fn compare(
    recorded: &Response,
    answer: &Answer,
    ids: &mut HashMap<String, String>,
    of_others: bool,
) -> Outcome {
    let mut comparison = Comparison { ids, differences: Vec::new(), is_earlier: false, of_others };
    let status = recorded.status.unwrap_or(200);
    if answer.status != StatusCode::from_u16(status).unwrap() {
        comparison.differences.push(format!("status: recorded {status}, got {}", answer.refusal()));
        return Outcome::Deviates(comparison.differences);
    }
    match &recorded.body {
        // The content of a file, which is not JSON. For binary contents, only the size was
        // recorded.
        Some(body) if !body["_bytes"].is_null() => {
            let length =
                answer.headers.get("content-length").and_then(|length| length.to_str().ok());
            comparison.value(
                "length",
                &Value::from(body["_bytes"].to_string()),
                &Value::from(length),
            );
        }
        Some(Value::String(text)) => {
            comparison.value("", &Value::from(text.as_str()), &Value::from(answer.text.as_str()))
        }
        Some(body) => comparison.value("", body, &answer.body),
        None => {}
    }
    if let Some(events) = &recorded.sse {
        let got = Events::parse(&answer.text);
        let names = |events: Vec<&str>| events.join(" ");
        let recorded_names = names(events.iter().map(|event| event.event.as_str()).collect());
        let got_names = names(got.0.iter().map(|(name, _)| name.as_str()).collect());
        if recorded_names != got_names {
            comparison
                .differences
                .push(format!("events: recorded {recorded_names}, got {got_names}"));
        }
        for (recorded, (name, data)) in events.iter().zip(&got.0) {
            comparison.value(name, &recorded.data, data);
        }
    }
    comparison.differences.extend(bytes::differences(recorded, answer));
    match comparison {
        Comparison { differences, .. } if !differences.is_empty() => Outcome::Deviates(differences),
        Comparison { is_earlier: true, .. } => Outcome::Earlier,
        _ => Outcome::Matched,
    }
}

/// A text in which local ids replace the recorded ones.
fn with_ids(text: &str, ids: &HashMap<String, String>) -> String {
    compare::map_ids(text, |id| ids.get(id).cloned().unwrap_or_else(|| id.to_owned()))
}
