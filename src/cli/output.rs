//! What commands write: to standard output what was asked for, to standard error what went wrong.

use std::{
    io::{self, Write},
    process::ExitCode,
};

/// What a user did wrong, or the machine could not do: one message, and exit code 2.
pub(super) const UNUSABLE: u8 = 2;

/// Writes what was asked for. Whoever reads it may stop reading.
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

#[expect(clippy::print_stderr, reason = "the last word to whoever started the program")]
pub(super) fn complain(message: &str) {
    eprintln!("rehearsal: {message}");
}
