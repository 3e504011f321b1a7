//! Recorded exchanges with the Responses and Conversations APIs, replayed like those with
//! Assistants. The answers of the service become a fixture, and the same requests are sent. The
//! responses are compared field by field, and streams event by event.
//!
//! `REHEARSAL_RESPONSES_GOLDEN` selects another folder for the recordings. `exceptions.txt` in this
//! folder lists the exchanges that cannot be compared, with the reason.

mod compare;
mod fixture;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rehearsal::{Config, Pace, Unmatched};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use self::compare::Comparison;
use super::{Outcome, cassettes, report::Line};
use crate::server::{Events, TestServer, config};

const KEY: &str = "sk-test";

pub const EXCEPTIONS: &str = include_str!("exceptions.txt");

/// The responses that an imported cassette answers in another way, with the reason.
pub const IMPORTS: &str = include_str!("imports.txt");

#[derive(Deserialize)]
pub struct Flow {
    pub exchanges: Vec<Exchange>,
}

#[derive(Deserialize)]
pub struct Exchange {
    #[serde(default)]
    body_only: bool,
    pub request: Request,
    pub response: Recorded,
}

#[derive(Deserialize)]
pub struct Request {
    method: Option<String>,
    path: Option<String>,
    query: Option<BTreeMap<String, Value>>,
    pub body: Option<Value>,
    reconstructed: Option<Value>,
    key_order: Option<String>,
}

#[derive(Deserialize)]
pub struct Recorded {
    status: Option<u16>,
    key_order: Option<String>,
    numbers: Option<String>,
    pub body: Option<Value>,
    pub sse: Option<Vec<RecordedEvent>>,
    truncated: Option<Value>,
}

#[derive(Deserialize)]
pub struct RecordedEvent {
    pub event: String,
    pub data: Value,
}

impl Exchange {
    fn path(&self) -> &str {
        self.request.path.as_deref().unwrap_or_default()
    }

    fn method(&self) -> &str {
        self.request.method.as_deref().unwrap_or_default()
    }

    /// Whether it is a request for a response.
    fn creates(&self) -> bool {
        self.method() == "POST" && self.path() == "/v1/responses"
    }

    /// Whether it can be sent again: its request was recorded, and it belongs to these APIs.
    fn is_comparable(&self) -> bool {
        let path = self.path();
        let is_ours = path.starts_with("/v1/responses") || path.starts_with("/v1/conversations");
        let has_body = self.request.body.as_ref().is_some_and(Value::is_object);
        let needs_body = self.method() == "POST" && !path.ends_with("/cancel");
        is_ours
            && !path.contains("UNKNOWN")
            && !self.body_only
            && self.request.reconstructed.is_none()
            && (has_body || !needs_body)
    }
}

impl Exchange {
    /// Whether a reply of an import answers it.
    fn is_imported(&self) -> bool {
        let succeeds = self.response.status.is_none_or(|status| status < 400);
        let is_error = self.response.body.as_ref().is_some_and(|body| body["error"].is_object());
        self.creates() && self.is_comparable() && succeeds && !is_error
    }

    /// The exchange in the form that the tools for cassettes see.
    fn as_any_tool_sees_it(&self) -> Option<super::Exchange> {
        let events = self.response.sse.as_ref().map(|events| {
            let event = |it: &RecordedEvent| super::Event {
                event: it.event.clone(),
                data: it.data.clone(),
            };
            events.iter().map(event).collect()
        });
        Some(super::Exchange {
            beta: None,
            body_only: false,
            request: super::Request {
                method: self.request.method.clone()?,
                path: self.request.path.clone()?,
                query: self.request.query.clone(),
                body: self.request.body.clone(),
            },
            response: super::Response {
                status: self.response.status,
                headers: None,
                sse_raw_tail: None,
                body: self.response.body.clone(),
                sse: events,
            },
        })
    }
}

fn flows() -> Option<Vec<(String, Flow)>> {
    let variable = "REHEARSAL_RESPONSES_GOLDEN";
    super::flows(variable, "responses-golden", "recorded responses")
}

/// The listed exceptions.
pub fn listed() -> BTreeSet<String> {
    super::listed(EXCEPTIONS)
}

/// Replays all flows. Returns a line for each exchange, and the differences by the name of the
/// exchange.
pub async fn replay_all() -> Option<(Vec<Line>, BTreeMap<String, Vec<String>>)> {
    let flows = flows()?;
    let only = std::env::var("REHEARSAL_FLOW").ok();
    let (mut lines, mut differing) = (Vec::new(), BTreeMap::new());
    for (name, flow) in flows {
        if only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        for (index, outcome) in replay(&flow, fixture::document(&flow.exchanges), true).await {
            let exchange = &flow.exchanges[index];
            if let Outcome::Deviates(differences) = &outcome {
                differing.insert(format!("{name}:{index}"), differences.clone());
            }
            let (method, path) = (exchange.method().to_owned(), exchange.path().to_owned());
            lines.push(Line { method, path, version: "v2", outcome });
        }
    }
    Some((lines, differing))
}

/// Imports cassettes of the same exchanges, and asks the same again. Conditions select the replies.
/// Returns how many exchanges were compared, and those that differ.
pub async fn replay_imported() -> Option<(usize, BTreeMap<String, Vec<String>>)> {
    let only = std::env::var("REHEARSAL_FLOW").ok();
    let (mut compared, mut differing) = (0, BTreeMap::new());
    let flows = flows()?.into_iter().filter(|(name, flow)| {
        let is_wanted = only.as_ref().is_none_or(|only| name.contains(only.as_str()));
        is_wanted && flow.exchanges.iter().any(Exchange::is_imported)
    });
    for ((name, flow), format) in flows.zip(cassettes::FORMATS.into_iter().cycle()) {
        let seen: Vec<_> =
            flow.exchanges.iter().filter_map(Exchange::as_any_tool_sees_it).collect();
        let written = super::imported(&name, &seen, format);
        let mut document = fixture::document(&flow.exchanges);
        let imported: Value = serde_saphyr::from_str(&written).unwrap_or_default();
        document["replies"] = imported["replies"].clone();
        let seeds = imported["files"].as_array().cloned().unwrap_or_default();
        document["files"].as_array_mut().unwrap().extend(seeds);
        for (index, outcome) in replay(&flow, document, false).await {
            if !flow.exchanges[index].is_imported() {
                continue;
            }
            compared += 1;
            if let Outcome::Deviates(differences) = outcome {
                differing.insert(format!("{name}:{index}"), differences);
            }
        }
    }
    Some((compared, differing))
}

/// Replays a flow. With `names`, each request names its reply.
async fn replay(flow: &Flow, document: Value, names: bool) -> Vec<(usize, Outcome)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recorded.json");
    std::fs::write(&path, document.to_string()).unwrap();
    let is_unknown_model = |exchange: &Exchange| {
        exchange
            .response
            .body
            .as_ref()
            .is_some_and(|body| body["error"]["code"] == "model_not_found")
    };
    let server = TestServer::with(Config {
        fixtures: vec![path],
        unmatched: Unmatched::Echo,
        pace: Pace::Steps,
        api_keys: vec![KEY.to_owned()],
        strict_models: flow.exchanges.iter().any(is_unknown_model),
        ..config()
    })
    .await;
    let mut ids = HashMap::new();
    make_earlier(&server, flow, &mut ids).await;
    let mut outcomes = Vec::new();
    for (index, exchange) in flow.exchanges.iter().enumerate() {
        if exchange.is_comparable() {
            outcomes
                .push((index, perform(&server, names.then_some(index), exchange, &mut ids).await));
        }
    }
    outcomes
}

/// Creates the responses and conversations that existed before the recording.
async fn make_earlier(server: &TestServer, flow: &Flow, ids: &mut HashMap<String, String>) {
    let mut made = BTreeSet::new();
    for exchange in &flow.exchanges {
        let body = exchange.request.body.as_ref();
        let named = body.and_then(|body| body["previous_response_id"].as_str());
        let conversation = body.map(|body| &body["conversation"]);
        let conversation = conversation.and_then(|it| it.as_str().or_else(|| it["id"].as_str()));
        let in_path = exchange
            .path()
            .split('/')
            .find(|part| part.starts_with("resp_") || part.starts_with("conv_"));
        for id in [named, conversation, in_path].into_iter().flatten() {
            let fails = exchange.response.body.as_ref().is_some_and(|it| it["error"].is_object());
            if made.contains(id) || fails || !compare::is_id(id) {
                continue;
            }
            let (path, body) = if id.starts_with("conv_") {
                ("/v1/conversations", json!({}))
            } else {
                ("/v1/responses", json!({"model": "gpt-4o", "input": "Before the recording."}))
            };
            let answer = server.bare(Method::POST, path).bearer_auth(KEY).json(&body);
            let answer = server.send(answer).await;
            ids.insert(id.to_owned(), answer.id());
            made.insert(id.to_owned());
        }
        for answered in compare::ids_of(&exchange.response) {
            made.insert(answered);
        }
    }
}

async fn perform(
    server: &TestServer,
    name: Option<usize>,
    exchange: &Exchange,
    ids: &mut HashMap<String, String>,
) -> Outcome {
    let Exchange { request, response, .. } = exchange;
    let path = compare::with_ids(exchange.path(), ids);
    let is_refused = response.status == Some(401)
        || response.body.as_ref().is_some_and(|it| it["error"]["code"] == "invalid_api_key");
    let key = if is_refused { compare::refused_key(response) } else { KEY.to_owned() };
    let query: Vec<_> = request
        .query
        .iter()
        .flatten()
        .map(|(key, value)| (key, compare::with_ids(value.as_str().unwrap_or_default(), ids)))
        .collect();
    let mut sent =
        server.bare(exchange.method().parse().unwrap(), &path).bearer_auth(key).query(&query);
    if let Some(index) = name.filter(|_| exchange.creates()) {
        sent = sent.header("x-rehearsal-reply", fixture::name(index));
    }
    if let Some(body) = &request.body {
        let body: Value = serde_json::from_str(&compare::with_ids(&body.to_string(), ids)).unwrap();
        sent = sent.json(&body);
    }
    let status = response.body.as_ref().map(|body| body["status"].clone()).unwrap_or_default();
    let is_poll = exchange.method() == "GET" && status.is_string();
    let mut answer = server.send(sent.try_clone().unwrap()).await;
    for _ in 0..4 {
        if !is_poll || answer.body["status"] == status {
            break;
        }
        server.idle().await;
        answer = server.send(sent.try_clone().unwrap()).await;
    }
    server.idle().await;
    compare(exchange, &answer, ids)
}

fn compare(
    exchange: &Exchange,
    answer: &crate::server::Answer,
    ids: &mut HashMap<String, String>,
) -> Outcome {
    let recorded = &exchange.response;
    let mut comparison = Comparison::new(recorded, ids);
    comparison.is_sorted_request = exchange.request.key_order.is_some();
    let is_error = recorded.body.as_ref().is_some_and(|body| body["error"].is_object());
    // If only the bodies were recorded, the status is not compared.
    let expected = recorded.status.or((!is_error).then_some(200));
    if expected.is_some_and(|status| answer.status != StatusCode::from_u16(status).unwrap()) {
        let got = answer.refusal();
        return Outcome::Deviates(vec![format!("status: recorded {expected:?}, got {got}")]);
    }
    match &recorded.body {
        Some(body @ Value::Object(_)) => comparison.value("", body, &answer.body),
        Some(other) => comparison.value("", other, &Value::from(answer.text.as_str())),
        None => {}
    }
    if let Some(events) = &recorded.sse {
        let got = Events::parse(&answer.text);
        let kept = events.iter().filter(|event| event.event != "keepalive").count();
        let names = |events: Vec<&str>| events.join(" ");
        let is_kept = |event: &&RecordedEvent| event.event != "keepalive";
        let recorded_names =
            names(events.iter().filter(is_kept).map(|event| event.event.as_str()).collect());
        let got_names = names(got.0.iter().map(|(name, _)| name.as_str()).collect());
        if recorded_names != got_names {
            comparison
                .differences
                .push(format!("events: recorded {recorded_names}, got {got_names}"));
        } else {
            comparison.keeps_alive = events.len() > kept;
            for (recorded, (name, data)) in events.iter().filter(is_kept).zip(&got.0) {
                comparison.value(name, &recorded.data, data);
            }
        }
    } else if recorded.body.as_ref().is_some_and(Value::is_object) {
        comparison.layout(&answer.text);
    }
    comparison.outcome()
}
