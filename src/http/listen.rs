//! Accepts connections and serves them. A request may end with a closed connection: faults use this
//! to break off before the response.

use std::{future::Future, io, sync::Arc, time::Duration};

use axum::{body::Body, extract::Request, http::Response};
use hyper::{
    body::{Body as _, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use tokio::net::{TcpListener, TcpStream};

use super::connection::{Connections, Counted, Phase, Progress, Tracked, Watched};

/// Closes the connection in place of a response. The response with this mark is not sent.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a fault closes this connection")]
pub(crate) struct NoAnswer;

/// The wait when the server cannot accept a connection for now.
const RECOVERY: Duration = Duration::from_millis(500);

/// The maximum time that a peer may stop in the middle of a request. Streams may stop without a
/// limit.
const PATIENCE: Duration = Duration::from_secs(60);

/// The maximum time without movement while the server ends.
const LAST_PATIENCE: Duration = Duration::from_millis(300);

/// The interval between checks of connections, and the interval while the server ends.
const LOOK: Duration = Duration::from_secs(5);
const LAST_LOOK: Duration = Duration::from_millis(50);

/// The number of descriptors that are reserved for files and for the database.
const RESERVED: u64 = 256;

/// Serves until `stop` completes, and then finishes the open requests.
pub(crate) async fn serve<F: Future<Output = Response<Body>> + Send + 'static>(
    listener: TcpListener,
    app: impl Fn(Request) -> F + Clone + Send + 'static,
    stop: impl Future<Output = ()> + Send,
) {
    let graceful = GracefulShutdown::new();
    let (connections, most) = (Connections::default(), most_connections());
    let mut look = tokio::time::interval(LOOK);
    let mut stop = std::pin::pin!(stop);
    let mut number = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    number += 1;
                    match connections.admit(number, most) {
                        Some(counted) => converse(stream, counted, app.clone(), &graceful),
                        None => tracing::warn!(most, "refused a connection: there are too many"),
                    }
                }
                Err(error) => {
                    if !is_of_one_connection(&error) {
                        tracing::warn!(%error, "cannot accept connections at the moment");
                        tokio::time::sleep(RECOVERY).await;
                    }
                }
            },
            _ = look.tick() => connections.close_still(&[Phase::Head, Phase::Body], PATIENCE),
            () = &mut stop => break,
        }
    }
    drop(listener);
    let mut look = tokio::time::interval(LAST_LOOK);
    let mut ended = std::pin::pin!(graceful.shutdown());
    loop {
        tokio::select! {
            () = &mut ended => break,
            _ = look.tick() => connections.close_still(
                // A request in progress is finished.
                &[Phase::Idle, Phase::Head, Phase::Body, Phase::Answer],
                LAST_PATIENCE,
            ),
        }
    }
}

/// The maximum number of connections. It leaves descriptors for the files that they need.
fn most_connections() -> usize {
    #[cfg(unix)]
    let limit = rlimit::Resource::NOFILE.get_soft().unwrap_or(1_024);
    #[cfg(not(unix))]
    let limit = 8_192_u64;
    let most = limit.saturating_sub(RESERVED).max(limit / 2);
    usize::try_from(most).unwrap_or(usize::MAX)
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionAborted | ConnectionReset)
}

fn converse<F: Future<Output = Response<Body>> + Send + 'static>(
    stream: TcpStream,
    counted: Counted,
    app: impl Fn(Request) -> F + Clone + Send + 'static,
    graceful: &GracefulShutdown,
) {
    // Events are small and are sent one by one: they must not wait for acknowledgements.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot turn off the delay of a connection");
    }
    let progress = Arc::clone(&counted.progress);
    let io = Watched { io: stream, progress: Arc::clone(&progress) };
    let answer = service_fn(move |request| {
        let answer = app(received(request, &progress));
        answered(answer, Arc::clone(&progress))
    });
    // A peer that has sent all requests and closed its side still gets the responses.
    let connection =
        http1::Builder::new().half_close(true).serve_connection(TokioIo::new(io), answer);
    let served = graceful.watch(connection);
    tokio::spawn(async move {
        tokio::select! {
            served = served => {
                if let Err(error) = served {
                    tracing::trace!(%error, "a connection broke off");
                }
            }
            () = counted.progress.closed() => {
                tracing::debug!("closed an inactive connection");
            }
        }
    });
}

/// A request after its head has arrived.
fn received(request: hyper::Request<Incoming>, progress: &Arc<Progress>) -> Request {
    let has_body = !request.body().is_end_stream();
    progress.enter(if has_body { Phase::Body } else { Phase::Work });
    let (progress, during, then) = (Arc::clone(progress), Phase::Body, Phase::Work);
    request.map(|body| Body::new(Tracked { body, progress, during, then }))
}

async fn answered(
    answer: impl Future<Output = Response<Body>>,
    progress: Arc<Progress>,
) -> Result<Response<Tracked<Body>>, NoAnswer> {
    let response = answer.await;
    if response.extensions().get::<NoAnswer>().is_some() {
        return Err(NoAnswer);
    }
    progress.enter(Phase::Answer);
    let (during, then) = (Phase::Answer, Phase::Idle);
    Ok(response.map(|body| Tracked { body, progress, during, then }))
}
