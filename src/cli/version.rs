//! `rehearsal --version`: the facts that a bug report needs.

use std::process::ExitCode;

use super::output::print;
use crate::store::sqlite_version;

pub(super) fn run() -> ExitCode {
    let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("REHEARSAL_COMMIT"));
    let sqlite = sqlite_version().unwrap_or_else(|| "unknown".to_owned());
    print(&format!("rehearsal {version} (commit {commit}, SQLite {sqlite})"))
}
