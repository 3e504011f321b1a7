//! The command line: its arguments and the exit codes.

mod banner;
mod check;
mod compact_log;
mod exec;
mod expectation_file;
mod export;
mod health;
mod import;
mod init;
mod log;
mod output;
mod report_file;
mod serve;
mod signals;
mod version;
mod volume;
mod watch;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use self::serve::ServeArgs;
use self::{
    check::CheckArgs,
    exec::ExecArgs,
    export::ExportArgs,
    import::ImportArgs,
    init::InitArgs,
    output::{UNUSABLE, complain, print},
};
use crate::{
    extract::{self, DocumentKind},
    fixture::SCHEMA,
};

/// A local emulator of the OpenAI Assistants API. Point any SDK's base URL at it.
#[derive(Debug, Parser)]
#[command(disable_version_flag = true, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// Print the version, the commit and the version of SQLite
    #[arg(short = 'V', long, exclusive = true)]
    version: bool,
    #[command(subcommand)]
    command: Option<CliCommand>,
    /// Without a subcommand the server is run.
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    /// Run the server (the default)
    Serve(Box<ServeArgs>),
    /// Write a first fixture, a test and a CI job; existing files do not change
    Init(InitArgs),
    /// Check fixture files: show each mistake, its place and how to fix it
    Check(CheckArgs),
    /// Print the JSON Schema (draft-07) of the fixture format, for editors
    Schema,
    /// Start a server on a free port, run a command, and stop the server
    Exec(Box<ExecArgs>),
    /// Convert recordings from before the shutdown into fixtures
    Import(ImportArgs),
    /// Print a stored thread as a fixture that answers it again
    Export(ExportArgs),
    /// Exit with 0 when a server answers: the health check of a container
    Health(HealthArgs),
    /// Extract the text of a document on standard input. The server runs this itself
    #[command(hide = true)]
    TakeApart { kind: DocumentKind },
}

#[derive(Debug, Args)]
struct HealthArgs {
    /// The address of the server
    #[arg(default_value = "http://127.0.0.1:7357", env = "REHEARSAL_URL")]
    url: String,
}

/// Runs the command.
pub fn run(cli: Cli) -> ExitCode {
    if cli.version {
        return version::run();
    }
    let done = match cli.command.unwrap_or(CliCommand::Serve(Box::new(cli.serve))) {
        CliCommand::Serve(args) => serve::run(*args),
        CliCommand::Init(args) => init::run(&args),
        CliCommand::Check(args) => check::run(&args),
        CliCommand::Schema => Ok(print(SCHEMA)),
        CliCommand::Exec(args) => exec::run(*args),
        CliCommand::Import(args) => import::run(args),
        CliCommand::Export(args) => export::run(args),
        CliCommand::Health(HealthArgs { url }) => Ok(health::run(&url)),
        CliCommand::TakeApart { kind } => Ok(extract::take_apart(kind).into()),
    };
    done.unwrap_or_else(|message| {
        complain(&message);
        ExitCode::from(UNUSABLE)
    })
}
