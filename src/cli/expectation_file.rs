//! A file of expectations. It prints failed expectations with their place, like the mistakes of
//! fixtures.

use std::{fs, path::Path, sync::Arc};

use super::output::complain;
use crate::{
    fixture::{Diagnostic, diagnostic::render_all},
    session::OpenSession,
    verification::{Expectations, Judgement, Verification},
};

/// A file that was read and has no mistakes.
pub(super) struct ExpectationFile {
    name: String,
    text: String,
    expectations: Expectations,
}

impl ExpectationFile {
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| format!("--verify {name}: {error}"))?;
        let expectations = Expectations::parse(&name, &text);
        let expectations = expectations.map_err(|error| {
            format!("--verify: there are mistakes in the expectations\n\n{error}")
        })?;
        Ok(Self { name, text, expectations })
    }

    /// Judges the expectations and prints those that fail.
    pub(super) fn judge(&self, sessions: &[Arc<OpenSession>]) -> Verification {
        let verification = self.expectations.judge(sessions);
        let failed: Vec<_> = verification.failed().map(|failed| self.printed(failed)).collect();
        if !failed.is_empty() {
            let (count, all) = (failed.len(), verification.results.len());
            complain(&format!("{count} of {all} expectations failed\n\n{}\n", failed.join("\n\n")));
        }
        verification
    }

    fn printed(&self, failed: &Judgement) -> String {
        let difference = failed.difference.as_deref().unwrap_or_default();
        let (what, more) = difference.split_once('\n').unwrap_or((difference, ""));
        let diagnostic = Diagnostic::of_line(&self.name, failed.line, what);
        let place = render_all(&[diagnostic.shown_in(&self.text, None)]);
        let more = more.lines().map(|line| format!("\n  {line}"));
        place + &more.collect::<String>()
    }
}
