//! The pace of the future runs of a session: `steps` holds each run until a client polls it.

use axum::{Router, routing::get};
use serde::Serialize;
use serde_json::Value;

use crate::{
    fixture::Pace,
    http::{
        Answer, AppState,
        extract::{InSession, JsonBody},
    },
    types::reader::{Fields, Path, Read, ValidationErrors},
};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/pace", get(read).post(switch))
}

#[derive(Serialize)]
struct PaceView {
    object: &'static str,
    pace: &'static str,
}

/// The requested pace. `None` is the server's own pace.
struct PaceChange(Option<Pace>);

impl Read for PaceChange {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let pace = fields.optional::<Pace>("pace");
        fields.finish();
        pace.map(Self)
    }
}

async fn read(InSession(session): InSession) -> Answer<PaceView> {
    Answer(PaceView { object: "pace", pace: session.state().performer.pace().name() })
}

async fn switch(
    InSession(session): InSession,
    JsonBody(PaceChange(pace)): JsonBody<PaceChange>,
) -> Answer<PaceView> {
    session.state().performer.switch_pace(pace);
    let view = PaceView { object: "pace", pace: session.state().performer.pace().name() };
    session.events.publish("pace.changed", || serde_json::json!(view).to_string());
    Answer(view)
}
