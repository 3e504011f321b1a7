//! `rehearsal exec`: runs a command, and a server that ends with it. At the end it judges the
//! expectations, writes reports, and prints to standard error what needs attention.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::{ExitCode, ExitStatus},
    sync::Arc,
};

use clap::Args;
use tokio::{process::Command, sync::oneshot};

use super::{
    expectation_file::ExpectationFile,
    log::LogFormat,
    output::complain,
    report_file::ReportFile,
    serve::{self, ReadyServer, ServeArgs},
    signals::{SignalAction, Signals},
    watch,
};
use crate::{engine::Unmatched, report::Report, session::sessions::Sessions};

/// The default address. The usual port may be in use, by a server that was started by hand.
const FREE_PORT: &str = "127.0.0.1:0";

#[derive(Debug, Args)]
#[command(mut_arg("listen", |listen| listen.default_value(FREE_PORT)))]
pub(super) struct ExecArgs {
    #[command(flatten)]
    serve: ServeArgs,
    /// Check the expectations of this YAML file at the end; see docs/testing.md. If one fails,
    /// print it, and exit with 1 even if the command exits with 0
    #[arg(long, value_name = "FILE", env = "REHEARSAL_VERIFY")]
    verify: Option<PathBuf>,
    /// Write a report at the end, repeatable: .html is a page, .xml is JUnit, .json has the turns
    #[arg(long, value_name = "PATH", env = "REHEARSAL_REPORT", value_delimiter = ',')]
    report: Vec<PathBuf>,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// The exit code of a shell for a command that it cannot start.
const NOT_STARTED: u8 = 127;

/// A shell adds this to the number of the signal that ended a command.
#[cfg(unix)]
const SIGNALLED: i32 = 128;

/// The version of Azure's API in the environment of the command.
const AZURE_VERSION: &str = "2024-05-01-preview";

/// The key for the command if the server accepts any key.
const KEY: &str = "sk-rehearsal-exec";

pub(super) fn run(mut args: ExecArgs) -> Result<ExitCode, String> {
    if args.serve.listen.is_empty() {
        FREE_PORT.clone_into(&mut args.serve.listen);
    }
    // The terminal belongs to the command: a line for each request would be in its way.
    args.serve.log_format.get_or_insert(LogFormat::Pretty);
    let _log = args.serve.start_log()?;
    serve::raise_limits();
    let runtime =
        tokio::runtime::Runtime::new().map_err(|error| format!("cannot start: {error}"))?;
    let code = runtime.block_on(perform(args));
    runtime.shutdown_background();
    code.map(ExitCode::from)
}

async fn perform(args: ExecArgs) -> Result<u8, String> {
    let ExecArgs { serve, verify, report, command } = args;
    // An unusable argument stops the program before anything starts.
    let verify = verify.filter(|path| !path.as_os_str().is_empty());
    let verify = verify.map(|path| ExpectationFile::read(&path)).transpose()?;
    let reports = ReportFile::open_all(report)?;
    let (unmatched, key) =
        (serve::unmatched(&serve)?, serve.api_key.iter().find(|key| !key.is_empty()).cloned());
    let ReadyServer { server, listener, bound, paths, watch } = serve::open(serve).await?;
    let leftovers = server.leftovers();
    let recorder = server.recorder();
    let (app, sessions) = (server.app(), Arc::clone(server.sessions()));
    let key = key.unwrap_or_else(|| KEY.to_owned());
    if watch {
        tokio::spawn(watch::watch(paths, Arc::clone(&sessions)));
    }
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(server.run(listener, async { _ = stopped.await }));
    let code = command_against(&format!("http://{bound}"), &key, &command).await;
    drop(stop);
    let has_started = code != NOT_STARTED;
    let missed = has_started && complain_of_replies(&sessions);
    let verification = verify.as_ref().map(|file| file.judge(&sessions.sessions()));
    let failed = verification.as_ref().is_some_and(|it| !it.passed);
    let mut report = Report::new(&sessions.sessions(), verification);
    if reports.iter().any(ReportFile::is_page) {
        report = report.with_answers(&app, &key, &sessions.sessions()).await;
    }
    let unwritten = reports.into_iter().filter_map(|file| file.write(&report).err());
    let unwritten = unwritten.inspect(|error| complain(error)).count();
    if let Some(recorder) = recorder {
        recorder.settle().await;
    }
    served.abort();
    leftovers.close().await;
    let fails = failed || unwritten > 0 || missed && unmatched == Unmatched::Fail;
    Ok(if code == 0 && fails { 1 } else { code })
}

/// Runs the command to its end. The command also gets the signals for this process.
async fn command_against(url: &str, key: &str, command: &[String]) -> u8 {
    let (program, arguments) = command.split_first().expect("clap asks for a command");
    let mut child = Command::new(program);
    child
        .args(arguments)
        .env("OPENAI_BASE_URL", format!("{url}/v1"))
        .env("OPENAI_API_KEY", key)
        .env("AZURE_OPENAI_ENDPOINT", url)
        .env("AZURE_OPENAI_API_KEY", key)
        .env("OPENAI_API_VERSION", AZURE_VERSION)
        .env("REHEARSAL_URL", url);
    // The handlers are in place before the command starts: from then on, the command gets the
    // signals.
    let signals = Signals::of_command();
    let mut child = match child.spawn() {
        Ok(child) => child,
        Err(error) => {
            complain(&format!("cannot run {program}: {error}"));
            return NOT_STARTED;
        }
    };
    let ended = match signals {
        Ok(mut signals) => loop {
            tokio::select! {
                ended = child.wait() => break ended,
                signal = signals.next() => pass_on(signal, &child),
            }
        },
        Err(error) => {
            tracing::warn!(%error, "cannot pass signals on to the command");
            child.wait().await
        }
    };
    match ended {
        Ok(status) => code_of(status),
        Err(error) => {
            complain(&format!("cannot get the exit code of {program}: {error}"));
            NOT_STARTED
        }
    }
}

/// Passes a signal on to the command. A terminal sends a signal to both, so the command gets that
/// one twice. Commands take it for one.
#[cfg(unix)]
fn pass_on(signal: SignalAction, child: &tokio::process::Child) {
    use rustix::process::{Pid, Signal, kill_process};
    let signal = match signal {
        SignalAction::Terminate => Signal::TERM,
        SignalAction::Interrupt => Signal::INT,
        SignalAction::HangUp => Signal::HUP,
        SignalAction::Quit => Signal::QUIT,
    };
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        // The command may have just ended.
        _ = kill_process(pid, signal);
    }
}

#[cfg(not(unix))]
fn pass_on(_: SignalAction, _: &tokio::process::Child) {}

fn code_of(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    let signalled =
        std::os::unix::process::ExitStatusExt::signal(&status).map(|signal| SIGNALLED + signal);
    #[cfg(not(unix))]
    let signalled = None;
    let code = status.code().or(signalled).unwrap_or(1);
    // A code that does not fit is a failure all the same.
    u8::try_from(code).unwrap_or(1)
}

/// Prints the runs that no reply matched, and the fixtures that were used less often than their
/// `times`. Returns whether there were such runs.
fn complain_of_replies(sessions: &Sessions) -> bool {
    let mut missed = 0;
    // For each entry with `times`: the number of uses in the session that used it most.
    let mut used: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for session in sessions.sessions() {
        let state = session.state();
        for run in state.reply_usage.unmatched() {
            missed += 1;
            let message = run.message().unwrap_or("nothing");
            let near = run
                .nearest()
                .first()
                .map(|near| format!(", nearest is {}", near.explain()))
                .unwrap_or_default();
            let mut line =
                format!("no reply matched the run {} (message: {message:?}{near})", run.run);
            session.keys.now().clean_text(&mut line);
            complain(&line);
        }
        for set in session.fixtures.sets() {
            let replies = set.replies.iter().filter_map(|reply| {
                Some((reply.title(), reply.times?, state.reply_usage.uses_of(reply)))
            });
            let faults = set.faults.iter().filter_map(|fault| {
                Some((fault.title(), fault.times()?, state.fault_counters.uses_of(fault)))
            });
            for (title, times, uses) in replies.chain(faults) {
                let most = used.entry(title).or_insert((times, 0));
                most.1 = most.1.max(uses);
            }
        }
    }
    for (title, (times, uses)) in used.iter().filter(|(_, (times, uses))| uses < times) {
        complain(&format!("{title} was used {uses} of {times} times"));
    }
    missed > 0
}
