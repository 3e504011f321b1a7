//! `rehearsal serve`: from flags to a server that listens, and its end.

use std::{
    env,
    io::{self, IsTerminal as _, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::{Args, ValueEnum, builder::FalseyValueParser};
use tokio::{net::TcpListener, sync::watch};

use super::{
    banner,
    log::{Log, LogFormat},
    signals::Signals,
    volume,
};
use crate::{
    clock::Moment,
    engine::Unmatched,
    fixture::Pace,
    redact::Redaction,
    serve::{Config, JOURNAL, MAX_SESSIONS, PreparedServer},
    upstream::{ApiKey, LIMIT, ModelName, UpstreamKind, UpstreamSettings},
};

/// The default address: loopback only.
const LISTEN: &str = "127.0.0.1:7357";

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The address to listen on; port 0 selects a free port
    #[arg(long, value_name = "ADDR", default_value = LISTEN, env = "REHEARSAL_LISTEN")]
    pub(super) listen: String,
    /// The SQLite file; the server creates and migrates it. `:memory:` keeps nothing after exit
    /// [default: :memory:; in the container image: `rehearsal.db` in the volume at /data, if there
    /// is one]
    #[arg(long, value_name = "PATH", env = "REHEARSAL_DATABASE")]
    database: Option<PathBuf>,
    /// A fixture file or folder, repeatable [default: the folder `fixtures` if it exists, else the
    /// built-in fixtures]
    #[arg(long, value_name = "PATH", env = "REHEARSAL_FIXTURES")]
    fixtures: Vec<PathBuf>,
    /// How to answer a run that no reply matches: repeat the user's message, fail and name the
    /// nearest replies, or ask the upstream [default: echo; with an upstream: upstream]
    #[arg(long, value_name = "echo|fail|upstream", env = "REHEARSAL_UNMATCHED")]
    unmatched: Option<Unmatched>,
    /// The speed of runs: no waiting, one status for each poll, like the real service, or as
    /// recorded
    #[arg(
        long,
        value_name = "instant|steps|realistic|recorded",
        default_value = "instant",
        env = "REHEARSAL_PACE"
    )]
    pace: Pace,
    /// Repeat the ids: with the same seed, the same requests in the same order get the same ids
    /// [default: random]
    #[arg(long, value_name = "N", env = "REHEARSAL_SEED")]
    seed: Option<u64>,
    /// `real`, or a time in RFC 3339: the clock starts at this time, and only the control API moves
    /// it
    #[arg(
        long,
        value_name = "real|RFC3339",
        default_value = "real",
        env = "REHEARSAL_CLOCK",
        value_parser = clock
    )]
    clock: ClockArg,
    /// An API key that the server accepts, repeatable; other keys get a 401 [default: any key that
    /// is not empty]
    #[arg(
        long = "api-key",
        value_name = "KEY",
        env = "REHEARSAL_API_KEY",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub(super) api_key: Vec<String>,
    /// A host name that the server also answers to, repeatable. It always answers to loopback
    /// names, addresses and names without a dot
    #[arg(
        long = "allow-host",
        value_name = "NAME",
        env = "REHEARSAL_ALLOW_HOST",
        value_delimiter = ','
    )]
    allow_host: Vec<String>,
    /// Refuse models that are not listed, as the real service did
    #[arg(
        long = "strict-models",
        env = "REHEARSAL_STRICT_MODELS",
        value_parser = FalseyValueParser::new()
    )]
    strict_models: bool,
    /// Answer v1 of the Assistants beta, or refuse it as the service did after December 2024
    #[arg(
        long,
        value_enum,
        value_name = "on|refuse",
        hide_possible_values = true,
        default_value = "on",
        env = "REHEARSAL_V1"
    )]
    v1: V1,
    /// Answer every Assistants path with 404, like the real service after the shutdown
    #[arg(long, env = "REHEARSAL_SUNSET", value_parser = FalseyValueParser::new())]
    sunset: bool,
    #[command(flatten)]
    upstream: UpstreamArgs,
    /// The number of requests, and of turns of the model, that each session keeps for
    /// `/_rehearsal/requests` and `/_rehearsal/turns`
    #[arg(long, value_name = "N", default_value_t = JOURNAL, env = "REHEARSAL_JOURNAL")]
    journal: usize,
    /// The maximum number of sessions, which are separate data below /s/NAME. The server removes
    /// idle, empty sessions to make room for others
    #[arg(
        long = "max-sessions",
        value_name = "N",
        default_value_t = MAX_SESSIONS,
        env = "REHEARSAL_MAX_SESSIONS"
    )]
    max_sessions: usize,
    /// Load fixtures again when they change. If they have mistakes, log these and keep the last
    /// good fixtures
    #[arg(long, env = "REHEARSAL_WATCH", value_parser = FalseyValueParser::new())]
    watch: bool,
    /// The log on standard error: off, error, warn, info, debug or trace, or a filter in the syntax
    /// of the `tracing` crate
    #[arg(long, value_name = "FILTER", default_value = "info", env = "REHEARSAL_LOG")]
    log: String,
    /// The format of the log [default: compact on a terminal, else pretty]
    #[arg(long = "log-format", value_enum, env = "REHEARSAL_LOG_FORMAT")]
    pub(super) log_format: Option<LogFormat>,
}

/// Who else may answer runs. Nothing is asked of anybody unless an upstream is named.
#[derive(Debug, Args)]
struct UpstreamArgs {
    /// The URL of a server that answers the runs that no reply matches, such as
    /// http://127.0.0.1:11434/v1. REHEARSAL_UPSTREAM sets it too, unless CI is set: then the server
    /// does not start
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// The API of the upstream: /chat/completions, the Assistants API, or the Responses API
    #[arg(
        long = "upstream-kind",
        value_enum,
        default_value = "chat",
        env = "REHEARSAL_UPSTREAM_KIND"
    )]
    kind: UpstreamKind,
    /// The name of the environment variable with the upstream's key
    #[arg(long = "upstream-key-env", value_name = "NAME", env = "REHEARSAL_UPSTREAM_KEY_ENV")]
    key_env: Option<String>,
    /// Ask the upstream for the model TO where a run has the model FROM, repeatable; * means all
    /// other models
    #[arg(
        long = "upstream-model",
        value_name = "FROM=TO",
        env = "REHEARSAL_UPSTREAM_MODEL",
        value_delimiter = ','
    )]
    models: Vec<ModelName>,
    /// The maximum number of requests to the upstream for one run; a run that needs more fails
    #[arg(
        long = "upstream-limit",
        value_name = "N",
        default_value_t = LIMIT,
        env = "REHEARSAL_UPSTREAM_LIMIT"
    )]
    limit: usize,
    /// Write the answers of the upstream as fixtures into this folder
    #[arg(long, value_name = "DIR", env = "REHEARSAL_RECORD")]
    record: Option<PathBuf>,
    /// Remove the matches of this regular expression from recordings, repeatable. Rehearsal always
    /// removes values that look like keys
    #[arg(long, value_name = "REGEX", env = "REHEARSAL_REDACT")]
    redact: Vec<Redaction>,
}

/// The environment variable that can name an upstream, beside the flag.
const UPSTREAM: &str = "REHEARSAL_UPSTREAM";

impl UpstreamArgs {
    /// The upstream that the user names. In CI, only the flag can name one.
    fn named(&self) -> Result<Option<String>, String> {
        let by_flag = self.upstream.clone().filter(|url| !url.is_empty());
        let by_environment = env::var(UPSTREAM).ok().filter(|url| !url.is_empty());
        let in_ci = env::var("CI").is_ok_and(|ci| !matches!(ci.as_str(), "" | "0" | "false"));
        match (by_flag, by_environment) {
            (Some(url), _) => Ok(Some(url)),
            (None, Some(_)) if in_ci => Err(format!(
                "{UPSTREAM} and CI are both set: in CI, only the flag --upstream names an upstream"
            )),
            (None, url) => Ok(url),
        }
    }

    fn settings(&self) -> Result<Option<UpstreamSettings>, String> {
        let Some(url) = self.named()? else { return Ok(None) };
        let key = match self.key_env.as_deref().filter(|name| !name.is_empty()) {
            Some(name) => {
                let key = env::var(name).ok().filter(|key| !key.is_empty());
                let key = key.ok_or_else(|| {
                    format!("--upstream-key-env {name}: this variable is not set, or is empty")
                })?;
                Some(ApiKey::new(key.trim().to_owned()))
            }
            None => None,
        };
        let models = self.models.clone();
        Ok(Some(UpstreamSettings {
            url,
            kind: self.kind,
            key,
            models,
            limit: self.limit,
            patience: None,
        }))
    }
}

/// What happens to the v1 beta.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum V1 {
    On,
    Refuse,
}

/// Real time, or the time at which the clock is stopped.
#[derive(Clone, Copy, Debug)]
struct ClockArg(Option<Moment>);

fn clock(text: &str) -> Result<ClockArg, String> {
    if text == "real" {
        return Ok(ClockArg(None));
    }
    match text.parse::<jiff::Timestamp>() {
        Ok(start) => Ok(ClockArg(Some(start.into()))),
        Err(_) => Err("expected `real` or a time such as 2026-01-31T12:00:00Z".to_owned()),
    }
}

impl ServeArgs {
    pub(super) fn start_log(&self) -> Result<Log, String> {
        Log::start(&self.log, self.log_format)
    }
}

/// How long the server waits for work in flight after a request to stop.
const GRACE: Duration = Duration::from_secs(4);

/// The folder of fixtures that the server loads if the user names none.
pub(super) const FIXTURES: &str = "fixtures";

/// Raises the limits of open files and connections to the maximum that the system allows.
pub(super) fn raise_limits() {
    #[cfg(unix)]
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

pub(super) fn run(args: ServeArgs) -> Result<ExitCode, String> {
    let _log = args.start_log()?;
    raise_limits();
    let runtime =
        tokio::runtime::Runtime::new().map_err(|error| format!("cannot start: {error}"))?;
    let done = runtime.block_on(serve(args));
    // Work that still runs does not delay the end: a slow template, for example.
    runtime.shutdown_background();
    done.map(|()| ExitCode::SUCCESS)
}

/// A server that is ready, and its listener.
pub(super) struct ReadyServer {
    pub server: PreparedServer,
    pub listener: TcpListener,
    pub bound: SocketAddr,
    /// The fixture paths that the user named, and whether the server watches them.
    pub paths: Vec<PathBuf>,
    pub watch: bool,
}

pub(super) async fn open(args: ServeArgs) -> Result<ReadyServer, String> {
    // An empty variable, as compose files make them, counts as unset.
    let address = if args.listen.is_empty() { LISTEN.to_owned() } else { args.listen.clone() };
    let listener =
        TcpListener::bind(&address).await.map_err(|error| not_bound(&address, &error))?;
    let bound =
        listener.local_addr().map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let (watch, config) = (args.watch, config(args)?);
    let paths = config.fixtures.clone();
    let server = PreparedServer::open(config).await.map_err(|error| error.to_string())?;
    Ok(ReadyServer { watch: watch && !paths.is_empty(), server, listener, bound, paths })
}

/// Why the server cannot listen, and the remedy.
fn not_bound(address: &str, error: &io::Error) -> String {
    let host_and_port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; stop the program that uses the port, or choose another one: --listen 127.0.0.1:0 \
             selects a free port"
        }
        _ if host_and_port.is_none() => "; an address has a host and a port, as in 127.0.0.1:7357",
        _ => "",
    };
    format!("cannot listen on {address}: {error}{advice}")
}

async fn serve(args: ServeArgs) -> Result<(), String> {
    let ReadyServer { server, listener, bound, paths, watch } = open(args).await?;
    let leftovers = server.leftovers();
    if watch {
        tokio::spawn(super::watch::watch(paths.clone(), Arc::clone(server.sessions())));
    }
    let (stop, stopped) = watch::channel(false);
    // From the first line of output on, a signal causes an orderly end.
    let signals = Signals::of_server().map_err(|error| format!("cannot catch signals: {error}"))?;
    tokio::spawn(signals.stop(stop));
    announce(bound).map_err(|error| format!("cannot write to standard output: {error}"))?;
    if io::stderr().is_terminal() {
        banner::show(bound, &paths, &server.sessions().fixtures());
    }

    let ending = until_set(stopped.clone());
    let done = tokio::select! {
        done = server.run(listener, until_set(stopped)) => {
            done.map_err(|error| format!("the server failed: {error}"))
        }
        () = async {
            ending.await;
            tokio::time::sleep(GRACE).await;
        } => Ok(()),
    };
    leftovers.close().await;
    done
}

/// What happens to runs that no reply matches.
pub(super) fn unmatched(args: &ServeArgs) -> Result<Unmatched, String> {
    match (args.unmatched, args.upstream.named()?) {
        (Some(Unmatched::Upstream), None) => {
            Err("--unmatched upstream: add --upstream URL".to_owned())
        }
        (Some(unmatched), _) => Ok(unmatched),
        (None, Some(_)) => Ok(Unmatched::Upstream),
        (None, None) => Ok(Unmatched::Echo),
    }
}

fn config(args: ServeArgs) -> Result<Config, String> {
    let (unmatched, upstream) = (unmatched(&args)?, args.upstream.settings()?);
    let record = args.upstream.record.filter(|folder| !folder.as_os_str().is_empty());
    if record.is_some() && upstream.is_some() && unmatched != Unmatched::Upstream {
        return Err(
            "--record: there is nothing to record: with this --unmatched nothing asks the upstream"
                .to_owned(),
        );
    }
    if record.is_some() && upstream.is_none() {
        return Err("--record: there is nothing to record without --upstream URL".to_owned());
    }
    let fixtures = match args.fixtures {
        none if none.is_empty() && Path::new(FIXTURES).is_dir() => vec![PathBuf::from(FIXTURES)],
        given => given,
    };
    Ok(Config {
        database: match args.database.filter(|path| !path.as_os_str().is_empty()) {
            Some(path) => Some(path).filter(|path| path.as_os_str() != ":memory:"),
            None => volume::database()?,
        },
        fixtures,
        unmatched,
        upstream,
        record,
        redact: args.upstream.redact,
        pace: args.pace,
        seed: args.seed,
        clock: args.clock.0,
        // An empty key, from an empty variable in a compose file, counts as unset.
        api_keys: args.api_key.into_iter().filter(|key| !key.is_empty()).collect(),
        allowed_hosts: args.allow_host,
        journal: args.journal,
        max_sessions: args.max_sessions,
        strict_models: args.strict_models,
        refuse_v1: args.v1 == V1::Refuse,
        sunset: args.sunset,
        extractor_program: Some(
            std::env::current_exe()
                .map_err(|error| format!("cannot find the path of this program: {error}"))?,
        ),
        extract_timeout: None,
    })
}

/// The first line of standard output, for people and for scripts that asked for port 0.
fn announce(bound: SocketAddr) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "rehearsal listening on http://{bound}")?;
    out.flush()
}

async fn until_set(mut flag: watch::Receiver<bool>) {
    // If the sender is gone, the flag never changes, so this waits for ever.
    if flag.wait_for(|set| *set).await.is_err() {
        std::future::pending().await
    }
}
