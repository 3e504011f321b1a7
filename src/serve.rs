//! Makes a server from its settings. All resources are opened once, here, and passed down. No
//! globals.

use std::{future::Future, io, path::PathBuf, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::watch, task::JoinError};

use crate::{
    app::App,
    clock::Moment,
    engine::Unmatched,
    extract::Extractor,
    fixture::{Diagnostic, Fixtures, LoadError, Pace, active_fixtures::Loaded},
    http::{AppState, dialect::Policy, key::Keys, listen, origin_check::Hosts, state::SharedState},
    metrics::Metrics,
    redact::{Redaction, Redactor},
    session::{DEFAULT_SESSION, SessionConfig, SessionError, sessions::Sessions},
    store::{Database, OpenError},
    turns::TurnOrder,
    upstream::{Recorder, Upstream, UpstreamConfigError, UpstreamSettings},
};

/// The settings of a server.
///
/// `Config::default()` keeps nothing and calls no other server. It answers with the built-in
/// fixtures, and echoes a message that none of them matches. A test sets [`Config::unmatched`] to
/// [`Unmatched::Fail`], so that it does not pass on an echo.
#[derive(Clone, Debug)]
pub struct Config {
    /// The database file. `None`: a temporary one, which is removed in the end.
    pub database: Option<PathBuf>,
    /// Fixture files and folders. Empty: the built-in fixtures.
    pub fixtures: Vec<PathBuf>,
    /// What happens to a run that no reply matches.
    pub unmatched: Unmatched,
    /// How fast runs go.
    pub pace: Pace,
    /// The seed of ids and of probabilities. `None`: a random one for each session.
    pub seed: Option<u64>,
    /// The time at which the clocks of sessions are stopped. `None`: they follow the system.
    pub clock: Option<Moment>,
    /// The API keys that are accepted. Empty: every key is.
    pub api_keys: Vec<String>,
    /// Values of the header `Host` that are accepted beside `localhost` and addresses.
    pub allowed_hosts: Vec<String>,
    /// How many requests and how many turns the journal of a session holds.
    pub journal: usize,
    /// How many sessions there may be at a time. Idle ones that hold nothing make room for others.
    pub max_sessions: usize,
    /// Whether models that are not listed are refused.
    pub strict_models: bool,
    /// Whether the v1 beta is refused, as the service did after December 2024.
    pub refuse_v1: bool,
    /// Whether the Assistants API is answered as the service does since its shutdown.
    pub sunset: bool,
    /// The server that performs runs which no reply matches, under [`Unmatched::Upstream`].
    pub upstream: Option<UpstreamSettings>,
    /// The folder in which the answers of the upstream are recorded.
    pub record: Option<PathBuf>,
    /// Patterns of text to remove from recordings, beside everything that looks like a key.
    pub redact: Vec<Redaction>,
    /// A binary of `rehearsal`, which parses PDF, Word, PowerPoint and HTML documents in separate
    /// processes, with limits on time and memory. `None`: this process parses them, so they should
    /// be documents that you trust.
    pub extractor_program: Option<PathBuf>,
    /// How long it may take to parse one document. `None`: 30 seconds.
    pub extract_timeout: Option<Duration>,
}

/// How many requests a journal holds by default.
pub const JOURNAL: usize = 10_000;

/// How many sessions there may be by default.
pub const MAX_SESSIONS: usize = 100_000;

impl Default for Config {
    fn default() -> Self {
        Self {
            database: None,
            fixtures: Vec::new(),
            unmatched: Unmatched::Echo,
            pace: Pace::Instant,
            seed: None,
            clock: None,
            api_keys: Vec::new(),
            allowed_hosts: Vec::new(),
            journal: JOURNAL,
            max_sessions: MAX_SESSIONS,
            strict_models: false,
            refuse_v1: false,
            sunset: false,
            upstream: None,
            record: None,
            redact: Vec::new(),
            extractor_program: None,
            extract_timeout: None,
        }
    }
}

/// Why a server cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Fixtures(#[from] LoadError),
    #[error(transparent)]
    Database(#[from] OpenError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error("cannot listen: {0}")]
    Listen(io::Error),
    #[error(transparent)]
    Upstream(#[from] UpstreamConfigError),
    #[error("cannot record to {}: {source}", folder.display())]
    Record { folder: PathBuf, source: io::Error },
}

impl StartError {
    /// The errors in the fixtures, if they are the reason.
    pub fn diagnostics(&self) -> Option<&[Diagnostic]> {
        match self {
            Self::Fixtures(error) => error.diagnostics(),
            Self::Session(error) => error.diagnostics(),
            Self::Database(_) | Self::Listen(_) | Self::Upstream(_) | Self::Record { .. } => None,
        }
    }
}

/// The work that remains once the server has stopped.
pub struct Leftovers {
    sessions: Arc<Sessions>,
    database: Arc<Database>,
}

impl Leftovers {
    /// Stops the runs where they are. Leaves a database file that is complete without its
    /// write-ahead log.
    pub async fn close(self) {
        self.sessions.halt().await;
        if let Err(error) = self.database.close().await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "cannot move the write-ahead log into the database");
        }
    }
}

/// A private database leaves nothing behind.
impl Drop for Leftovers {
    fn drop(&mut self) {
        self.database.blobs().forget();
    }
}

/// The result of work on another thread.
fn joined<T>(done: Result<T, JoinError>) -> T {
    done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// A server that is ready to run.
pub struct PreparedServer {
    app: AppState,
    recorder: Option<Arc<Recorder>>,
}

impl PreparedServer {
    pub async fn open(config: Config) -> Result<Self, StartError> {
        // A folder for recordings may also have fixtures, and exists from the first start on.
        let secrets = config.upstream.iter().filter_map(|settings| settings.key.as_ref());
        let redactor = Redactor::new(config.redact, secrets.map(|key| key.reveal().to_owned()));
        let recorder = match config.record {
            Some(folder) => {
                let recorder = Recorder::new(folder.clone(), redactor.clone());
                Some(Arc::new(recorder.map_err(|source| StartError::Record { folder, source })?))
            }
            None => None,
        };
        let (paths, has_upstream) = (config.fixtures, config.upstream.is_some());
        let fixtures = tokio::task::spawn_blocking(move || match paths.as_slice() {
            // A user of a model does not want examples to interfere.
            [] if has_upstream => Ok(Fixtures::default()),
            [] => Fixtures::built_in(),
            paths => Fixtures::load(paths),
        });
        // Meanwhile this makes a temporary database.
        let (fixtures, temporary) = match config.database {
            None => {
                let (fixtures, temporary) = tokio::join!(fixtures, Database::open(None));
                (joined(fixtures)?, Some(temporary))
            }
            Some(_) => (joined(fixtures.await)?, None),
        };
        let upstream = config.upstream.map(Upstream::new).transpose()?.map(Arc::new);
        // Last of all: a server that will not start makes no file.
        let database = match temporary {
            Some(opened) => opened?,
            None => Database::open(config.database.as_deref()).await?,
        };
        let metrics = Arc::new(Metrics::new());
        let session_config = SessionConfig {
            metrics: Arc::clone(&metrics),
            upstream,
            recorder: recorder.clone(),
            redactor,
            database,
            fixtures: Loaded::new(fixtures),
            unmatched: config.unmatched,
            pace: config.pace,
            extractor: Extractor::new(config.extractor_program, config.extract_timeout),
            seed: config.seed,
            clock: config.clock,
            journal: config.journal,
            turn_order: TurnOrder::default(),
            max_sessions: config.max_sessions,
            ending: watch::Sender::new(false),
            strict_models: config.strict_models,
        };
        let sessions = Arc::new(Sessions::open(session_config).await?);
        let default = sessions.enter(DEFAULT_SESSION).await?;
        let app = AppState::new(SharedState {
            sessions,
            default,
            keys: Arc::new(Keys::new(config.api_keys)),
            hosts: Arc::new(Hosts::new(config.allowed_hosts)),
            policy: Policy { refuses_v1: config.refuse_v1, is_sunset: config.sunset },
            metrics,
        });
        Ok(Self { app, recorder })
    }

    /// The app that answers its requests.
    pub(crate) fn app(&self) -> App {
        App::new(self.app.clone())
    }

    /// The sessions of the server.
    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.app.sessions
    }

    /// The recorder of an upstream's answers, if there is one.
    pub fn recorder(&self) -> Option<Arc<Recorder>> {
        self.recorder.clone()
    }

    /// Closes the database, or removes a private one: the last thing that a server does.
    pub fn leftovers(&self) -> Leftovers {
        let sessions = Arc::clone(&self.app.sessions);
        Leftovers { database: Arc::clone(sessions.database()), sessions }
    }

    /// Serves until `stop` is done, and then finishes the requests in flight.
    pub async fn run(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let (sessions, recorder) = (Arc::clone(&self.app.sessions), self.recorder.clone());
        let stop = async move {
            stop.await;
            sessions.end();
        };
        let app = App::new(self.app);
        listen::serve(listener, move |request| app.clone().answer(request), stop).await;
        if let Some(recorder) = recorder {
            recorder.settle().await;
        }
        Ok(())
    }
}
