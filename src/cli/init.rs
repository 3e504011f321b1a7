//! `rehearsal init`: a first fixture with the schema for editors, a test that passes, and a CI job.
//! It changes no existing file.

use std::{
    fs::{self, OpenOptions},
    io::{self, BufRead, IsTerminal as _, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;

use super::output::print;
use crate::fixture::SCHEMA;

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The folder to write to
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Write a test for pytest
    #[arg(long, conflicts_with = "vitest")]
    pytest: bool,
    /// Write a test for vitest
    #[arg(long)]
    vitest: bool,
}

/// The program that runs the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runner {
    Pytest,
    Vitest,
}

/// A file to write: its path in the folder, and its text.
type NewFile = (&'static str, &'static str);

const FIXTURE: NewFile = ("fixtures/first.yaml", include_str!("init/first.yaml"));
const SCHEMA_FILE: NewFile = ("rehearsal.schema.json", SCHEMA);

const VITEST_CONFIG: NewFile = ("vitest.config.mjs", include_str!("init/vitest.config.mjs"));

/// The module that starts the server for vitest.
const SETUP: &str = "rehearsal-server/vitest/setup";

impl Runner {
    fn files(self) -> Vec<NewFile> {
        let own: &[NewFile] = match self {
            Self::Pytest => &[
                ("tests/test_first.py", include_str!("init/test_first.py")),
                (".github/workflows/rehearsal.yml", include_str!("init/pytest.yml")),
            ],
            Self::Vitest => &[
                ("tests/first.test.js", include_str!("init/first.test.js")),
                VITEST_CONFIG,
                (".github/workflows/rehearsal.yml", include_str!("init/vitest.yml")),
            ],
        };
        [FIXTURE, SCHEMA_FILE].iter().chain(own).copied().collect()
    }

    /// The next steps for the user.
    fn next(self) -> &'static str {
        match self {
            Self::Pytest => "pip install pytest-rehearsal openai\n  pytest",
            Self::Vitest => {
                "npm install --save-dev rehearsal-server vitest openai\n  npx vitest run"
            }
        }
    }
}

pub(super) fn run(args: &InitArgs) -> Result<ExitCode, String> {
    let runner = match (args.pytest, args.vitest) {
        (true, _) => Runner::Pytest,
        (_, true) => Runner::Vitest,
        _ if io::stdin().is_terminal() && io::stderr().is_terminal() => ask()?,
        _ => return Err("init: choose a test: --pytest or --vitest".to_owned()),
    };
    let mut said = String::new();
    for (path, text) in runner.files() {
        let file = args.dir.join(path);
        if path == VITEST_CONFIG.0
            && let Some(own) = vitest_config(&args.dir)
        {
            let has_setup = fs::read_to_string(&own).is_ok_and(|text| text.contains(SETUP));
            let advice = if has_setup {
                String::new()
            } else {
                format!(": add to its key `test`: globalSetup: \"{SETUP}\"")
            };
            said.push_str(&format!("kept {}{advice}\n", own.display()));
            continue;
        }
        let is_new = write_new(&file, text)
            .map_err(|error| format!("init: cannot write {}: {error}", file.display()))?;
        let done = if is_new { "wrote" } else { "kept" };
        said.push_str(&format!("{done} {}\n", file.display()));
    }
    Ok(print(&format!("{said}\nNow run:\n\n  {}\n", runner.next())))
}

/// The configuration that vitest already reads in a folder. A second one would have no effect.
fn vitest_config(folder: &Path) -> Option<PathBuf> {
    const ENDS: [&str; 6] = ["ts", "mts", "cts", "js", "mjs", "cjs"];
    let names = ["vitest", "vite"]
        .into_iter()
        .flat_map(|tool| ENDS.into_iter().map(move |end| format!("{tool}.config.{end}")));
    names.map(|name| folder.join(name)).find(|path| path.exists())
}

/// Writes a file unless it exists. Returns whether it wrote the file.
fn write_new(path: &Path, text: &str) -> io::Result<bool> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn ask() -> Result<Runner, String> {
    let unanswered = |error: io::Error| format!("init: cannot ask: {error}");
    for _ in 0..3 {
        io::stderr()
            .write_all(b"Which test do you want: pytest or vitest? ")
            .map_err(unanswered)?;
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(unanswered)?;
        match line.trim().to_ascii_lowercase().as_str() {
            "pytest" | "p" => return Ok(Runner::Pytest),
            "vitest" | "v" => return Ok(Runner::Vitest),
            _ => {}
        }
    }
    Err("init: choose a test: --pytest or --vitest".to_owned())
}
