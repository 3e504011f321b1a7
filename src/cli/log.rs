//! The log, on standard error. It never fails work and never blocks it: lines go through a bounded
//! queue to a thread of their own, and lines that do not fit are dropped and counted.

use std::{env, io, io::IsTerminal as _};

use clap::ValueEnum;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use super::{
    compact_log::{self, CompactLog},
    output::complain,
};

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum LogFormat {
    /// One line for each API request: method, path, status, milliseconds, run, reply
    Compact,
    /// One line for each event, with its time and module
    Pretty,
    /// One JSON object for each event
    Json,
}

impl LogFormat {
    /// A format for people, if standard error is a terminal.
    fn usual() -> Self {
        if io::stderr().is_terminal() { Self::Compact } else { Self::Pretty }
    }
}

/// Whether the log is in colour: on a terminal, unless `NO_COLOR` is set (no-color.org).
fn has_colours() -> bool {
    io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// How many lines the queue holds for the reader of standard error.
const LINES: usize = 8_192;

/// When it is dropped, it writes the lines in the queue, for one second at most.
pub(super) struct Log {
    dropped: ErrorCounter,
    _worker: WorkerGuard,
}

impl Log {
    /// Starts the log of this process.
    pub(super) fn start(filter: &str, format: Option<LogFormat>) -> Result<Self, String> {
        let format = format.unwrap_or_else(LogFormat::usual);
        check_word(filter)?;
        let mut filter =
            filter.parse::<EnvFilter>().map_err(|error| format!("--log {filter}: {error}"))?;
        let tells = filter.max_level_hint().is_none_or(|level| level >= LevelFilter::INFO);
        if matches!(format, LogFormat::Compact) && tells {
            filter = filter.add_directive(compact_log::requests());
        }
        let (writer, worker) = NonBlockingBuilder::default()
            .buffered_lines_limit(LINES)
            .lossy(true)
            .thread_name("log")
            .finish(io::stderr());
        let dropped = writer.error_counter();
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(writer)
            // Otherwise it reports a failed write to standard error, and panics if that fails too.
            .log_internal_errors(false)
            .with_ansi(has_colours());
        match format {
            LogFormat::Compact => log.event_format(CompactLog).init(),
            LogFormat::Pretty => log.init(),
            LogFormat::Json => log.json().init(),
        }
        Ok(Self { dropped, _worker: worker })
    }
}

/// Rejects a filter of one word that is no level. It would be the name of a module, and turn the log
/// off without a message.
fn check_word(filter: &str) -> Result<(), String> {
    let is_word = filter.bytes().all(|byte| byte.is_ascii_alphabetic());
    if !is_word || filter == "rehearsal" || filter.parse::<LevelFilter>().is_ok() {
        return Ok(());
    }
    Err(format!(
        "--log {filter}: expected off, error, warn, info, debug or trace, or a filter such as \
         rehearsal=debug"
    ))
}

impl Drop for Log {
    fn drop(&mut self) {
        let lines = self.dropped.dropped_lines();
        if lines > 0 {
            complain(&format!("the log dropped {lines} lines: nothing read them in time"));
        }
    }
}
