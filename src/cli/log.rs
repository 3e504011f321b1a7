//! The log, on standard error. It never fails work and never blocks it: lines go through a bounded
//! queue to a thread of their own, and lines that do not fit are dropped and counted.

use std::{io, io::IsTerminal as _};

use clap::ValueEnum;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use super::output::complain;

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum LogFormat {
    Pretty,
    Json,
}

/// How many lines wait for whoever reads standard error.
const LINES: usize = 8_192;

/// Writes the lines that wait when it is dropped, for a second at most.
pub(super) struct Log {
    dropped: ErrorCounter,
    _worker: WorkerGuard,
}

impl Log {
    /// Starts the log of this process.
    pub(super) fn start(filter: &str, format: LogFormat) -> Result<Self, String> {
        let filter =
            filter.parse::<EnvFilter>().map_err(|error| format!("--log {filter}: {error}"))?;
        let (writer, worker) = NonBlockingBuilder::default()
            .buffered_lines_limit(LINES)
            .lossy(true)
            .thread_name("log")
            .finish(io::stderr());
        let dropped = writer.error_counter();
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(writer)
            // It would print what it cannot write, and panic where that cannot be written either.
            .log_internal_errors(false)
            .with_ansi(io::stderr().is_terminal());
        match format {
            LogFormat::Pretty => log.init(),
            LogFormat::Json => log.json().init(),
        }
        Ok(Self { dropped, _worker: worker })
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let lines = self.dropped.dropped_lines();
        if lines > 0 {
            complain(&format!("{lines} lines of the log were dropped: nobody read them in time"));
        }
    }
}
