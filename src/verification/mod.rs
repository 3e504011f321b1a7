//! Verification: judges the expectations of a test about requests, turns and replies.
//!
//! One judge serves the control API, `exec --verify` and the library. A failed expectation shows
//! the nearest value and the words that differ.

mod evidence;
mod expectation;
mod judge;
mod matchers;
mod near;
mod words;

use std::sync::Arc;

use serde::Serialize;

use self::evidence::Evidence;
pub use self::{expectation::Expectations, judge::Judgement};
use crate::{
    fixture::{self, Diagnostic, LoadError},
    session::OpenSession,
};

/// The results of all expectations.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    object: &'static str,
    pub passed: bool,
    pub results: Vec<Judgement>,
}

impl Expectations {
    /// Reads expectations from JSON or YAML.
    pub fn parse(file: &str, text: &str) -> Result<Self, LoadError> {
        let missing = || {
            let what = "'expect' is missing: add a list of expectations";
            LoadError::Faulty(vec![Diagnostic::of_file(file, what)])
        };
        fixture::read_document(file, text)?.ok_or_else(missing)
    }

    /// Reads the expectations of one session. They cannot name other sessions.
    pub fn parse_for(session: &str, file: &str, text: &str) -> Result<Self, LoadError> {
        let expectations = Self::parse(file, text)?;
        let is_foreign = |name: &Option<String>| name.as_ref().is_some_and(|name| name != session);
        let Some(foreign) = expectations.0.iter().find(|it| is_foreign(&it.session)) else {
            return Ok(expectations);
        };
        let what = format!("this call judges only the session '{session}'");
        let diagnostic = Diagnostic::of_line(file, foreign.line, what);
        Err(LoadError::Faulty(vec![diagnostic.shown_in(text, Some("session"))]))
    }

    /// Judges them by the events in all of these sessions together.
    pub fn judge(&self, sessions: &[Arc<OpenSession>]) -> Verification {
        let evidence = Evidence::new(sessions);
        let mut results: Vec<_> = self.0.iter().map(|it| judge::judge(it, &evidence)).collect();
        for difference in results.iter_mut().filter_map(|result| result.difference.as_mut()) {
            sessions.iter().for_each(|session| session.keys.now().clean_text(difference));
        }
        let passed = results.iter().all(|result| result.passed);
        Verification { object: "verification", passed, results }
    }
}

impl Verification {
    /// The expectations that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Judgement> {
        self.results.iter().filter(|result| !result.passed)
    }
}
