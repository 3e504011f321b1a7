//! What the program, the benches, the fuzz targets and the tests of this repository need beside the
//! public API. It may change in any version.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;

use crate::{cassette, cli, fixture::Fixtures, upstream};

/// The program: reads its arguments, and does what they say.
pub fn main() -> ExitCode {
    cli::run(cli::Cli::parse())
}

/// Loads fixtures. Answers how many replies there are, or what is wrong, as `check` prints it.
pub fn load_fixtures(paths: &[PathBuf]) -> Result<usize, String> {
    Fixtures::load(paths).map(|it| it.replies.len()).map_err(|error| error.to_string())
}

/// Reads a fixture from its text. Answers what is wrong, as `check` prints it.
pub fn read_fixture(name: &str, text: &str) -> Result<(), String> {
    let read = Fixtures::parse([(name.to_owned(), text.to_owned())]);
    read.map(|_| ()).map_err(|error| error.to_string())
}

/// Reads a recording that another tool made. Answers how many exchanges were of use.
pub fn read_cassette(text: &str) -> Result<usize, String> {
    cassette::parse(text).map(|it| it.exchanges).map_err(|error| error.to_string())
}

/// Sets TLS up for a client of HTTP, once for the process.
pub fn prepare_tls() {
    upstream::prepare_tls();
}
