//! `rehearsal export`: a thread out of a database becomes a fixture on standard output.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::output::{complain, print};
use crate::{
    redact::{Redaction, Redactor},
    session::DEFAULT_SESSION,
    store::Database,
    transcript::{self, Exported, Omission},
    types::{Id, Thread},
};

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The id of the thread, such as thread_abc123
    #[arg(value_name = "THREAD_ID")]
    thread: String,
    /// The SQLite file with the thread; a server may use it at the same time
    #[arg(long, value_name = "PATH", env = "REHEARSAL_DATABASE")]
    database: PathBuf,
    /// The session of the thread
    #[arg(long, value_name = "NAME", default_value = DEFAULT_SESSION)]
    session: String,
    /// Also redact the matches of this regular expression, repeatable. Rehearsal always redacts
    /// values that look like keys
    #[arg(long, value_name = "REGEX", env = "REHEARSAL_REDACT")]
    redact: Vec<Redaction>,
}

pub(super) fn run(args: ExportArgs) -> Result<ExitCode, String> {
    let runtime =
        tokio::runtime::Runtime::new().map_err(|error| format!("cannot start: {error}"))?;
    let Exported { text, omissions } = runtime.block_on(export(args))?;
    for Omission { about, what } in omissions {
        complain(&format!("{about}: {what}"));
    }
    Ok(print(&text))
}

async fn export(args: ExportArgs) -> Result<Exported, String> {
    let ExportArgs { thread, database, session, redact } = args;
    let path = database.display().to_string();
    // The command never creates a database.
    if !database.is_file() {
        return Err(format!("there is no database {path}"));
    }
    let database = Database::open_beside(&database).await.map_err(|error| error.to_string())?;
    let store = database.session_called(&session).await.map_err(|error| error.to_string())?;
    let store = store.ok_or_else(|| format!("there is no session {session} in {path}"))?;
    let exported =
        transcript::export(&store, &Id::<Thread>::new(thread), &Redactor::new(redact, [])).await;
    exported.map_err(|error| format!("{error} in session {session} of {path}"))
}
