//! A server in the process of the caller. It starts with its settings, and stops on request or when
//! dropped.

use std::{fmt, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::{
    clock::Moment,
    fixture::{Diagnostic, Fixtures},
    http::paths,
    serve::{Config, PreparedServer, StartError},
    session::{DEFAULT_SESSION, OpenSession, SessionError, sessions::Sessions},
    turns::KeptTurn,
    upstream,
    verification::{Expectations, Verification},
};

/// A server that runs in this process.
///
/// It serves on the runtime that started it. With an asynchronous client, any `#[tokio::test]` is
/// enough. A blocking client hangs on the default runtime, which has one thread: use
/// `#[tokio::test(flavor = "multi_thread")]` for it.
///
/// It sets up TLS for clients of `reqwest` in this process, unless that was done before.
///
/// A server that is dropped stops, and does not wait for open requests. [`Server::stop`] waits for
/// them and closes the database. A temporary database is removed in both cases.
pub struct Server {
    address: SocketAddr,
    sessions: Arc<Sessions>,
    default: Session,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<io::Result<()>>,
}

impl Server {
    /// Starts a server on a free port of the loopback interface.
    ///
    /// # Errors
    ///
    /// Fails if the fixtures, the database or the upstream cannot be used, or no port is free.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(StartError::Listen)?;
        Self::start_on(listener, config).await
    }

    /// Starts a server on a listener that the caller has bound.
    ///
    /// # Errors
    ///
    /// Fails if the fixtures, the database or the upstream cannot be used.
    pub async fn start_on(listener: TcpListener, config: Config) -> Result<Self, Error> {
        upstream::prepare_tls();
        let address = listener.local_addr().map_err(StartError::Listen)?;
        let server = PreparedServer::open(config).await?;
        let (sessions, leftovers) = (Arc::clone(server.sessions()), server.leftovers());
        let session = sessions.enter(DEFAULT_SESSION).await?;
        let default = Session { url: format!("http://{address}"), session };
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(async move {
            // An error means that the server was dropped, which stops it, too.
            let done = server.run(listener, async { _ = stopped.await }).await;
            leftovers.close().await;
            done
        });
        Ok(Self { address, sessions, default, stop: Some(stop), served })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the server, such as `http://127.0.0.1:41234`: for Azure's clients, and for the
    /// control API under `/_rehearsal`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The base URL for OpenAI's SDKs, for the default session: `http://…/v1`.
    pub fn base_url(&self) -> String {
        format!("{}/v1", self.url())
    }

    /// A session, which is created if it does not exist. Sessions share nothing: give each parallel
    /// test its own session. `default` is the session of [`Server::base_url`].
    ///
    /// # Errors
    ///
    /// Fails if the name is not 1 to 64 letters, digits, `.`, `_` and `-`, or if the seeds of the
    /// fixtures cannot be stored.
    pub async fn session(&self, name: &str) -> Result<Session, Error> {
        if !paths::is_name(name) {
            return Err(SessionError::Name(name.to_owned()).into());
        }
        let url = match name {
            DEFAULT_SESSION => self.url(),
            name => format!("{}/s/{name}", self.url()),
        };
        Ok(Session { url, session: self.sessions.enter(name).await? })
    }

    /// The model turns of the default session; see [`Session::turns`].
    pub fn turns(&self) -> Vec<Value> {
        self.default.turns()
    }

    /// Judges expectations of the default session; see [`Session::verify`].
    ///
    /// # Errors
    ///
    /// Fails if one of them is not met, or if they are invalid.
    pub fn verify(&self, expectations: impl ToString) -> Result<(), Error> {
        self.default.verify(expectations)
    }

    /// Replaces the fixtures from the start with those of these files and folders. Runs in progress
    /// keep their replies.
    ///
    /// # Errors
    ///
    /// Fails if the fixtures cannot be loaded. In this case, the old ones stay.
    pub async fn load_fixtures(&self, paths: Vec<PathBuf>) -> Result<(), Error> {
        let loaded = tokio::task::spawn_blocking(move || Fixtures::load(&paths)).await;
        let fixtures = loaded.map_err(SessionError::from)?.map_err(SessionError::from)?;
        Ok(self.sessions.reload(fixtures).await?)
    }

    /// Stops the server: open requests are finished, waiting streams end.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        _ = (&mut self.served).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A session of a [`Server`]: objects, a clock, fixtures and a journal of its own.
///
/// For snapshots, faults, lists of fixtures and everything else, use the control API, which
/// `docs/control.md` describes: `GET {url}/_rehearsal/fixtures`, for example.
#[derive(Clone)]
pub struct Session {
    url: String,
    session: Arc<OpenSession>,
}

impl Session {
    /// The name of the session.
    pub fn name(&self) -> &str {
        &self.session.name
    }

    /// The URL of the session: for Azure's clients, and for the control API under `/_rehearsal`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The base URL for OpenAI's SDKs.
    pub fn base_url(&self) -> String {
        format!("{}/v1", self.url)
    }

    /// Adds fixtures, in YAML or JSON. They come before the fixtures from the start of the server.
    ///
    /// # Errors
    ///
    /// Fails if the document has mistakes, and lists all of them. In this case, nothing is added.
    pub async fn add_fixtures(&self, document: impl Into<String>) -> Result<(), Error> {
        self.session.add(document.into()).await?;
        Ok(())
    }

    /// The requests and their responses, oldest first, as `GET /_rehearsal/requests` shows them.
    pub fn requests(&self) -> Vec<Value> {
        let entries = self.session.journal.entries();
        entries.iter().map(|entry| self.session.state().request_to_json(entry)).collect()
    }

    /// The runs that no reply matched, with the nearest replies, as `GET /_rehearsal/unmatched`
    /// shows them.
    pub fn unmatched(&self) -> Vec<Value> {
        let runs = self.session.state().reply_usage.unmatched();
        runs.iter().map(|run| self.session.unmatched_to_json(run)).collect()
    }

    /// The model turns: the settings of each turn and its answer, oldest first, as `GET
    /// /_rehearsal/turns` shows them.
    pub fn turns(&self) -> Vec<Value> {
        self.session.turns.turns().iter().map(KeptTurn::to_json).collect()
    }

    /// Judges expectations of the session. They are the body of `POST /_rehearsal/verify`, in JSON
    /// or YAML, such as `json!({"expect": [{"reply": "weather", "times": 1}, {"unmatched": 0}]})`.
    ///
    /// # Errors
    ///
    /// Fails if one of them is not met. For each failure, the error shows the nearest value and the
    /// words that differ. It also fails if the expectations are invalid.
    pub fn verify(&self, expectations: impl ToString) -> Result<(), Error> {
        let text = expectations.to_string();
        let expectations = Expectations::parse_for(&self.session.name, "expectations", &text);
        let expectations = expectations.map_err(SessionError::from)?;
        let verification = expectations.judge(&[Arc::clone(&self.session)]);
        if verification.passed { Ok(()) } else { Err(UnmetError(verification).into()) }
    }

    /// Removes all objects, the journal and all counts, and seeds again. Added fixtures stay.
    ///
    /// # Errors
    ///
    /// Fails if the seeds of the fixtures cannot be stored. In this case, nothing changes.
    pub async fn reset(&self) -> Result<(), Error> {
        self.session.reset(false).await?;
        Ok(())
    }

    /// The current time of the session.
    pub fn now(&self) -> Moment {
        self.session.state().clock.now()
    }

    /// Advances the clock of the session, stopped or not. Everything that is due in this time, such
    /// as the expiry of a run, happens before this returns.
    pub async fn advance(&self, by: Duration) {
        self.session.state().clock.advance(by).await;
    }

    /// Waits until nothing is left to do at this moment: runs wait for the client or for time, and
    /// files are ready.
    pub async fn idle(&self) {
        self.session.state().clock.idle().await;
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Expectations that are not met.
#[derive(Debug)]
struct UnmetError(Verification);

impl fmt::Display for UnmetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (failed, all) = (self.0.failed().count(), self.0.results.len());
        write!(f, "{failed} of {all} expectations failed")?;
        self.0.failed().try_for_each(|failed| {
            let difference = failed.difference.as_deref().unwrap_or_default();
            write!(f, "\n\n{}\n{difference}", failed.expectation)
        })
    }
}

impl std::error::Error for UnmetError {}

impl From<UnmetError> for Error {
    fn from(error: UnmetError) -> Self {
        Self { diagnostics: Vec::new(), source: Box::new(error) }
    }
}

/// Why a server does not start, or why a call to a session fails.
#[derive(Debug)]
pub struct Error {
    diagnostics: Vec<Diagnostic>,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl Error {
    /// The mistakes in the fixtures, if they are the reason. Empty for all other reasons.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.source()
    }
}

impl From<StartError> for Error {
    fn from(error: StartError) -> Self {
        let diagnostics = error.diagnostics().unwrap_or_default().to_vec();
        Self { diagnostics, source: Box::new(error) }
    }
}

impl From<SessionError> for Error {
    fn from(error: SessionError) -> Self {
        let diagnostics = error.diagnostics().unwrap_or_default().to_vec();
        Self { diagnostics, source: Box::new(error) }
    }
}
