//! `rehearsal check`: the mistakes that `serve` would report in these fixtures, without a server.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, ValueEnum};

use super::{
    output::{count, print},
    serve::FIXTURES,
};
use crate::{
    fixture::{Diagnostic, Fixtures, diagnostic::render_all},
    serve::{Config, PreparedServer},
};

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Fixture files and folders [default: `fixtures`]
    paths: Vec<PathBuf>,
    /// The format of the result. `json` is for tools: an array of objects with `file`, `line`,
    /// `column`, `what`, `help` and `source`
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, String> {
    let paths = match args.paths.as_slice() {
        [] if !Path::new(FIXTURES).is_dir() => {
            return Err("name the fixtures to check: there is no folder 'fixtures' here".to_owned());
        }
        [] => vec![PathBuf::from(FIXTURES)],
        given => given.to_vec(),
    };
    let found = faults(&paths)?;
    match args.format {
        Format::Json => {
            _ = print(&serde_json::to_string_pretty(&found).expect("diagnostics are JSON"))
        }
        Format::Text if found.is_empty() => _ = print(&summary(&paths)),
        Format::Text => {
            _ = print(&format!("{}\n\n{}", render_all(&found), count(found.len(), "mistake")))
        }
    }
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every mistake that keeps a server from starting with these fixtures. To find them, this opens a
/// server that does not listen.
fn faults(paths: &[PathBuf]) -> Result<Vec<Diagnostic>, String> {
    let runtime =
        tokio::runtime::Runtime::new().map_err(|error| format!("cannot start: {error}"))?;
    let config = Config { fixtures: paths.to_vec(), ..Config::default() };
    match runtime.block_on(async {
        PreparedServer::open(config).await.map(|server| drop(server.leftovers()))
    }) {
        Ok(()) => Ok(Vec::new()),
        Err(error) => error.diagnostics().map(<[_]>::to_vec).ok_or_else(|| error.to_string()),
    }
}

fn summary(paths: &[PathBuf]) -> String {
    let Ok(fixtures) = Fixtures::load(paths) else { return "no mistakes".to_owned() };
    let seeds = fixtures.assistants.len()
        + fixtures.threads.len()
        + fixtures.files.len()
        + fixtures.vector_stores.len();
    let (replies, faults) =
        (count(fixtures.replies.len(), "reply"), count(fixtures.faults.len(), "fault"));
    format!("no mistakes: {replies}, {faults} to inject, {}", count(seeds, "seed"))
}
