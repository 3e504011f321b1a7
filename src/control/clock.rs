//! The clock of a session: show, advance, freeze, resume.

use std::time::Duration;

use axum::{Router, routing::get};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast::error::TryRecvError;

use crate::{
    clock::{Clock, Moment},
    fixture::pace::Wait,
    http::{
        Answer, AppState,
        error::Result,
        extract::{InSession, JsonBody},
    },
    session::OpenSession,
    types::{
        ApiErrorKind, Timestamp,
        reader::{Fields, Path, Read, ValidationErrorKind, ValidationErrors},
    },
};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/clock", get(show).post(set))
}

#[derive(Serialize)]
struct Shown {
    object: &'static str,
    /// RFC 3339.
    now: String,
    timestamp: Timestamp,
    frozen: bool,
}

impl Shown {
    fn new(clock: &Clock) -> Self {
        let now = clock.now();
        Self {
            object: "clock",
            now: now.to_string(),
            timestamp: now.seconds(),
            frozen: clock.is_frozen(),
        }
    }
}

async fn show(InSession(session): InSession) -> Answer<Shown> {
    Answer(Shown::new(&session.state().clock))
}

/// A change of a clock.
enum ClockChange {
    Advance(Duration),
    /// At this time, or where it is.
    Freeze(Option<Moment>),
    Resume,
}

impl Read for ClockChange {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let advance = fields.optional::<Wait>("advance");
        let freeze = fields.optional::<Value>("freeze");
        let resume = fields.optional::<bool>("resume");
        fields.finish();
        match (advance?, freeze?, resume?) {
            (Some(wait), None, None) => Some(Self::Advance(wait.0)),
            (None, Some(Value::Bool(true)), None) => Some(Self::Freeze(None)),
            (None, Some(Value::String(text)), None) => match text.parse() {
                Ok(moment) => Some(Self::Freeze(Some(moment))),
                Err(_) => {
                    let what =
                        format!("'{text}' is not a time: write it like 2026-01-31T12:00:00Z.");
                    errors.note(&at.key("freeze"), ValidationErrorKind::Other(what));
                    None
                }
            },
            (None, Some(other), None) => {
                errors.wrong_type(&at.key("freeze"), "a time in RFC 3339, or true", &other)
            }
            (None, None, Some(true)) => Some(Self::Resume),
            (None, None, Some(false)) => {
                errors.note(
                    &at.key("resume"),
                    ValidationErrorKind::Other("'resume' must be true.".to_owned()),
                );
                None
            }
            _ => {
                let what = "Give exactly one of 'advance' (a duration), 'freeze' (a time, or true) \
                            and 'resume' (true).";
                errors.note(at, ValidationErrorKind::Other(what.to_owned()));
                None
            }
        }
    }
}

#[derive(Serialize)]
struct Changed {
    #[serde(flatten)]
    clock: Shown,
    /// The events that the change caused.
    due: Vec<ClockEvents>,
}

#[derive(Serialize)]
struct ClockEvents {
    event: String,
    object: Value,
    id: Value,
}

/// How many events a response lists at most.
const TOLD: usize = 1_000;

async fn set(
    InSession(session): InSession,
    JsonBody(change): JsonBody<ClockChange>,
) -> Result<Answer<Changed>> {
    let state = session.state();
    // Activities that began before are no effect of this change.
    let _change = state.clock.begin_change();
    state.clock.settled().await;
    let mut news = session.events.listen();
    let name = match change {
        ClockChange::Advance(by) => {
            check(state.clock.now().after(by))?;
            state.clock.advance(by).await;
            "clock.advanced"
        }
        ClockChange::Freeze(at) => {
            state.clock.freeze(at).await;
            "clock.frozen"
        }
        ClockChange::Resume => {
            state.clock.resume().await;
            "clock.resumed"
        }
    };
    let mut due = Vec::new();
    loop {
        match news.try_recv() {
            Ok(news) if due.len() < TOLD => due.extend(happened(&news.name, &news.data)),
            Ok(_) | Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    let changed = Changed { clock: Shown::new(&state.clock), due };
    publish(&session, name, &changed);
    Ok(Answer(changed))
}

fn publish(session: &OpenSession, name: &str, changed: &Changed) {
    session.events.publish(name, || serde_json::to_string(changed).expect("a clock is JSON"));
}

/// Rejects a time that no date can express.
fn check(then: Moment) -> Result<()> {
    if then.is_a_date() {
        return Ok(());
    }
    let kind = ValidationErrorKind::Other(
        "This is later than the last date that the clock supports.".to_owned(),
    );
    Err(ApiErrorKind::invalid("advance", kind).into())
}

/// An object that has changed. Deltas of streams, requests and turns do not count.
fn happened(event: &str, data: &str) -> Option<ClockEvents> {
    if matches!(event, "request" | "turn") || event.ends_with(".delta") {
        return None;
    }
    let mut object: Value = serde_json::from_str(data).ok()?;
    Some(ClockEvents {
        event: event.to_owned(),
        object: object["object"].take(),
        id: object["id"].take(),
    })
}
