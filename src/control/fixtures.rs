//! The fixtures of a session: list them with their uses, add, remove.

use std::collections::BTreeSet;

use axum::{
    Router,
    body::Body as RawBody,
    extract::Path,
    response::{IntoResponse, Response},
    routing::{delete, get},
};
use serde::Serialize;

use super::Removed;
use crate::{
    fixture::{Diagnostic, Fixtures, Origin, diagnostic::render_all},
    http::{
        Answer, ApiError, AppState,
        error::Result,
        extract::{InSession, read_all},
    },
    session::{OpenSession, SessionError},
    types::{ApiErrorKind, limits},
};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/fixtures", get(list).post(add).delete(clear))
        .route("/fixtures/{number}", delete(remove))
}

#[derive(Serialize)]
struct FixtureList {
    object: &'static str,
    data: Vec<LoadedReply>,
    has_more: bool,
    faults: Vec<LoadedPart>,
    /// The mistakes in the current fixture files. The last valid fixtures stay in use.
    broken: Option<String>,
}

#[derive(Serialize)]
struct LoadedReply {
    #[serde(flatten)]
    part: LoadedPart,
    /// The parts of the client's outputs that its templates read.
    outputs: BTreeSet<String>,
}

/// A reply or a fault, and how often it was used.
#[derive(Serialize)]
struct LoadedPart {
    object: &'static str,
    name: Option<String>,
    file: String,
    line: usize,
    times: Option<u64>,
    hits: u64,
    /// Whether it was added while the server ran.
    added: bool,
    /// The number of the document that added it.
    document: Option<u64>,
}

impl LoadedPart {
    fn new(
        object: &'static str,
        name: Option<&str>,
        origin: &Origin,
        times: Option<u64>,
        hits: u64,
        document: Option<u64>,
    ) -> Self {
        let (name, file) = (name.map(str::to_owned), origin.file.clone());
        let (line, added) = (origin.line, document.is_some());
        Self { object, name, file, line, times, hits, added, document }
    }
}

async fn list(InSession(session): InSession) -> Answer<FixtureList> {
    let state = session.state();
    let (mut data, mut faults) = (Vec::new(), Vec::new());
    for (document, set) in session.fixtures.numbered_sets() {
        for reply in &set.replies {
            let hits = state.reply_usage.uses_of(reply);
            let part = LoadedPart::new(
                "fixture.reply",
                reply.name.as_deref(),
                &reply.origin,
                reply.times,
                hits,
                document,
            );
            data.push(LoadedReply { part, outputs: reply.outputs_read() });
        }
        for fault in &set.faults {
            let hits = state.fault_counters.uses_of(fault);
            faults.push(LoadedPart::new(
                "fixture.fault",
                fault.name.as_deref(),
                &fault.origin,
                fault.times(),
                hits,
                document,
            ));
        }
    }
    Answer(FixtureList {
        object: "list",
        data,
        has_more: false,
        faults,
        broken: session.fixtures.broken(),
    })
}

#[derive(Serialize)]
struct AddedFixtures {
    object: &'static str,
    /// The number of the document, for its removal.
    document: u64,
    added: FixtureCounts,
}

#[derive(Serialize)]
struct FixtureCounts {
    replies: usize,
    faults: usize,
    assistants: usize,
    threads: usize,
    files: usize,
    vector_stores: usize,
    models: usize,
}

impl FixtureCounts {
    fn new(fixtures: &Fixtures) -> Self {
        Self {
            replies: fixtures.replies.len(),
            faults: fixtures.faults.len(),
            assistants: fixtures.assistants.len(),
            threads: fixtures.threads.len(),
            files: fixtures.files.len(),
            vector_stores: fixtures.vector_stores.len(),
            models: fixtures.models.len(),
        }
    }
}

async fn add(InSession(session): InSession, body: RawBody) -> Result<Response> {
    let Ok(text) = String::from_utf8(read_all(body, limits::JSON_BODY).await?) else {
        return Ok(faulty(&[Diagnostic::of_file("added fixtures", "this is not UTF-8 text")]));
    };
    match session.add(text).await {
        Ok(addition) => {
            let (document, added) = (addition.number(), FixtureCounts::new(&addition.fixtures));
            Ok(Answer(AddedFixtures { object: "fixtures", document, added }).into_response())
        }
        Err(error) => refused(error),
    }
}

/// The mistakes in the fixtures, if they caused the error.
pub(super) fn refused(error: SessionError) -> Result<Response> {
    match error.diagnostics() {
        Some(diagnostics) => Ok(faulty(diagnostics)),
        None => Err(error.into()),
    }
}

/// The mistakes, as text for people and as a list for tools.
fn faulty(diagnostics: &[Diagnostic]) -> Response {
    let error =
        ApiError::from(ApiErrorKind::FaultyFixture { diagnostics: render_all(diagnostics) });
    error.with("diagnostics", &diagnostics)
}

/// Removes one document that was added.
async fn remove(
    InSession(session): InSession,
    Path(number): Path<String>,
) -> Result<Answer<Removed>> {
    let known = number.parse().ok().filter(|number| session.fixtures.remove(*number));
    if known.is_none() {
        let text = format!("There is no added fixture document with the number '{number}'.");
        return Err(ApiErrorKind::Missing { text, param: None }.into());
    }
    Ok(removed(&session, 1))
}

async fn clear(InSession(session): InSession) -> Answer<Removed> {
    removed(&session, session.fixtures.clear())
}

fn removed(session: &OpenSession, deleted: usize) -> Answer<Removed> {
    let removed = Removed { object: "fixtures.deleted", deleted };
    session.events.publish("fixtures.deleted", || serde_json::json!(removed).to_string());
    Answer(removed)
}
