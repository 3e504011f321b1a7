//! Answers: JSON laid out like the real service's, two spaces deep, without a newline at the end.

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    store::Shown,
    types::{FileBatch, Id, Run, StoreFile, version::Versioned, views::RunView},
};

/// The interval for the polls of official clients, in milliseconds. It replaces every second
/// (Python) or every five (Node). No recording of the real service has this header.
const POLL_AFTER: (HeaderName, HeaderValue) =
    (HeaderName::from_static("openai-poll-after-ms"), HeaderValue::from_static("5"));

/// The form of an answer on the wire.
pub(crate) trait Show {
    fn shown(self) -> Shown;
}

/// A 200 with a body.
pub(crate) struct Answer<T>(pub T);

impl<T: Serialize> Show for Answer<T> {
    fn shown(self) -> Shown {
        let json = serde_json::to_vec_pretty(&self.0).expect("the API's objects are JSON");
        Shown { json: json.into(), is_final: true }
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        ShownAnswer(self.shown()).into_response()
    }
}

/// A 200 with a body that is written already.
pub(crate) struct ShownAnswer(pub Shown);

impl IntoResponse for ShownAnswer {
    fn into_response(self) -> Response {
        let Shown { json, is_final } = self.0;
        let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut response = ([kind], json).into_response();
        if !is_final {
            response.headers_mut().insert(POLL_AFTER.0, POLL_AFTER.1);
        }
        response
    }
}

/// An object that clients poll as long as it is not final.
pub(crate) trait PolledObject: Serialize {
    fn is_final(&self) -> bool;
}

impl PolledObject for Versioned<RunView<'_>> {
    fn is_final(&self) -> bool {
        self.it.run.status().is_terminal()
    }
}

impl PolledObject for StoreFile {
    fn is_final(&self) -> bool {
        self.is_final()
    }
}

impl PolledObject for FileBatch {
    fn is_final(&self) -> bool {
        self.is_final()
    }
}

/// Names the run that an answer is about.
#[derive(Clone, Debug)]
pub(crate) struct OfRun(pub Id<Run>);

/// A 200 with an object that clients poll.
pub(crate) struct Polled<T>(pub T);

impl<T: PolledObject> Show for Polled<T> {
    fn shown(self) -> Shown {
        let is_final = self.0.is_final();
        Shown { is_final, ..Answer(self.0).shown() }
    }
}

impl<T: PolledObject> IntoResponse for Polled<T> {
    fn into_response(self) -> Response {
        ShownAnswer(self.shown()).into_response()
    }
}
