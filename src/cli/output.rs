//! The output of commands: results go to standard output, errors to standard error.

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::mpsc,
    thread,
    time::Duration,
};

/// The exit code for a mistake of the user, or for something that the machine could not do. One
/// message comes with it.
pub(super) const UNUSABLE: u8 = 2;

/// Writes a result. The reader may stop reading.
pub(super) fn print(text: &str) -> ExitCode {
    _ = writeln!(io::stdout(), "{}", text.trim_end());
    ExitCode::SUCCESS
}

/// So many of something, in words.
pub(super) fn count(number: usize, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {noun}s"),
    }
}

/// How long a message waits for the reader of standard error.
const PATIENCE: Duration = Duration::from_secs(1);

/// Prints an error message. A standard error that nobody reads, or that is closed, stops nothing.
pub(super) fn complain(message: &str) {
    let line = format!("rehearsal: {message}\n");
    let (done, written) = mpsc::channel();
    let write = move || {
        _ = io::stderr().write_all(line.as_bytes());
        _ = done.send(());
    };
    if thread::Builder::new().spawn(write).is_ok() {
        _ = written.recv_timeout(PATIENCE);
    }
}
