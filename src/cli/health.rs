//! `rehearsal health`: checks that a server responds, without curl.

use std::{process::ExitCode, time::Duration};

use http_body_util::Empty;
use hyper::{Request, StatusCode, Uri, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn run(url: &str) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return unhealthy(&format!("cannot start: {error}")),
    };
    match runtime.block_on(async { tokio::time::timeout(PATIENCE, ask(url)).await }) {
        Ok(Ok(StatusCode::OK)) => ExitCode::SUCCESS,
        Ok(Ok(status)) => unhealthy(&format!("{url} answered {status}")),
        Ok(Err(error)) => unhealthy(&format!("{url}: {error}")),
        Err(_) => unhealthy(&format!("{url} did not answer within {} s", PATIENCE.as_secs())),
    }
}

fn unhealthy(why: &str) -> ExitCode {
    super::complain(why);
    ExitCode::FAILURE
}

async fn ask(url: &str) -> Result<StatusCode, Box<dyn std::error::Error>> {
    let uri: Uri = url.parse()?;
    if uri.scheme_str().is_some_and(|scheme| scheme != "http") {
        return Err("the URL must begin with http://".into());
    }
    let authority =
        uri.authority().ok_or("this is not a URL: write it like http://127.0.0.1:7357")?;
    let stream = TcpStream::connect((
        authority.host().trim_matches(['[', ']']),
        authority.port_u16().unwrap_or(80),
    ))
    .await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get("/_rehearsal/health")
        .header(HOST, authority.as_str())
        .body(Empty::<bytes::Bytes>::new())?;
    Ok(sender.send_request(request).await?.status())
}
