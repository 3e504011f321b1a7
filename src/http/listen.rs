//! Accepts connections and serves them. A request can be answered by closing its connection: that
//! is how faults break off before the answer.

use std::{future::Future, io, time::Duration};

use axum::{Router, body::Body, http::Response};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

/// Closes the connection in place of an answer. Carried by the response that is not to be sent.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a fault closes this connection")]
pub(crate) struct NoAnswer;

/// How long to wait when no more connections can be accepted for now.
const RECOVERY: Duration = Duration::from_millis(500);

/// Serves until `stop` is done, and then what is in flight.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Router,
    stop: impl Future<Output = ()> + Send,
) {
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((connection, _)) => converse(connection, app.clone(), &graceful),
                Err(error) => {
                    if !is_of_one_connection(&error) {
                        tracing::warn!(%error, "no connection can be accepted for now");
                        tokio::time::sleep(RECOVERY).await;
                    }
                }
            },
            () = &mut stop => break,
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionAborted | ConnectionReset)
}

fn converse(connection: TcpStream, app: Router, graceful: &GracefulShutdown) {
    // Events are small and go out one by one: they must not wait for acknowledgements.
    if let Err(error) = connection.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let app = app.clone();
        async move {
            let response: Response<Body> = match app.oneshot(request.map(Body::new)).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            if response.extensions().get::<NoAnswer>().is_some() {
                Err(NoAnswer)
            } else {
                Ok(response)
            }
        }
    });
    let served =
        graceful.watch(http1::Builder::new().serve_connection(TokioIo::new(connection), answer));
    tokio::spawn(async move {
        if let Err(error) = served.await {
            tracing::trace!(%error, "a connection broke off");
        }
    });
}
