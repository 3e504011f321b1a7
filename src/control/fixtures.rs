//! The fixtures of a session: listed with their uses, put in, taken out again.

use axum::{
    Router,
    body::Body as RawBody,
    response::{IntoResponse, Response},
    routing::get,
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
    types::{ApiErrorKind, limits},
    world::Unmade,
};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/fixtures", get(list).post(add).delete(clear))
}

#[derive(Serialize)]
struct Listed {
    object: &'static str,
    data: Vec<Part>,
    has_more: bool,
    faults: Vec<Part>,
}

/// A reply or a fault, and how often it was used.
#[derive(Serialize)]
struct Part {
    object: &'static str,
    name: Option<String>,
    file: String,
    line: usize,
    times: Option<u64>,
    hits: u64,
    /// Whether it was put in while the server ran.
    added: bool,
}

impl Part {
    fn of(
        object: &'static str,
        name: Option<&str>,
        origin: &Origin,
        times: Option<u64>,
        hits: u64,
        added: bool,
    ) -> Self {
        let (name, file) = (name.map(str::to_owned), origin.file.clone());
        Self { object, name, file, line: origin.line, times, hits, added }
    }
}

async fn list(InSession(session): InSession) -> Answer<Listed> {
    let (world, added) = (session.world(), session.repertoire.added());
    let (mut data, mut faults) = (Vec::new(), Vec::new());
    for (place, set) in session.repertoire.sets().iter().enumerate() {
        let is_added = place < added;
        for reply in &set.replies {
            let hits = world.ledger.uses_of(reply);
            data.push(Part::of(
                "fixture.reply",
                reply.name.as_deref(),
                &reply.origin,
                reply.times,
                hits,
                is_added,
            ));
        }
        for fault in &set.faults {
            let hits = world.strikes.of(fault);
            faults.push(Part::of(
                "fixture.fault",
                fault.name.as_deref(),
                &fault.origin,
                fault.times(),
                hits,
                is_added,
            ));
        }
    }
    Answer(Listed { object: "list", data, has_more: false, faults })
}

#[derive(Serialize)]
struct Added {
    object: &'static str,
    added: Counts,
}

#[derive(Serialize)]
struct Counts {
    replies: usize,
    faults: usize,
    assistants: usize,
    threads: usize,
    files: usize,
    vector_stores: usize,
    models: usize,
}

impl Counts {
    fn of(fixtures: &Fixtures) -> Self {
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
        return Ok(faulty(&[Diagnostic::of_file(
            "added fixtures",
            "this is not text: a fixture is UTF-8",
        )]));
    };
    match session.add(text).await {
        Ok(fixtures) => {
            Ok(Answer(Added { object: "fixtures", added: Counts::of(&fixtures) }).into_response())
        }
        Err(unmade) => refused(unmade),
    }
}

/// Says what is wrong with the fixtures, if that is why.
pub(super) fn refused(unmade: Unmade) -> Result<Response> {
    match unmade.diagnostics() {
        Some(diagnostics) => Ok(faulty(diagnostics)),
        None => Err(unmade.into()),
    }
}

/// What is wrong, as text for people and as a list for tools.
fn faulty(diagnostics: &[Diagnostic]) -> Response {
    let error = ApiError::from(ApiErrorKind::FaultyFixture { diagnostics: render_all(diagnostics) });
    error.with("diagnostics", &diagnostics)
}

async fn clear(InSession(session): InSession) -> Answer<Removed> {
    Answer(Removed { object: "fixtures.deleted", deleted: session.repertoire.clear() })
}
