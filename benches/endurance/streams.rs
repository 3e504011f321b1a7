//! Ten thousand streams at the same time, and streams that nobody reads.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    common::{client::Client, processes::Process},
    load::{RUNS, fixtures, millis, run},
    table::Table,
};

const STREAMS: usize = 10_000;
const UNREAD: usize = 100;

/// The maximum length of a message.
const LONGEST: usize = 256_000;

/// Sends a request for a stream, and reads nothing of the stream.
async fn ask(address: &str, assistant: &str, said: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    let body = run(assistant, said, true).to_string();
    let head = format!(
        "POST {RUNS} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer sk-bench\r\nopenai-beta: \
         assistants=v2\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: \
         {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).await.expect("the server reads");
    stream
}

/// Streams that wait for a clock, which is then advanced.
pub async fn ten_thousand(table: &mut Table) {
    let (_folder, path) = fixtures("replies: [{steps: [{pause: 1h}, {message: Hello}]}]");
    let server = Process::server(&["--fixtures", &path, "--clock", "2025-01-01T00:00:00Z"]);
    let mut client = Client::connect(&server.address).await;
    let assistant = client.assistant().await;
    let mut streams = Vec::with_capacity(STREAMS);
    for _ in 0..STREAMS {
        let mut stream = ask(&server.address, &assistant, "Hi").await;
        // The stream has begun.
        stream.read_exact(&mut [0; 12]).await.expect("an answer");
        streams.push(stream);
    }
    let held = server.resident_mib();
    let begun = Instant::now();
    let reading: Vec<_> = streams
        .into_iter()
        .map(|mut stream| {
            tokio::spawn(async move {
                let mut text = Vec::new();
                stream.read_to_end(&mut text).await.is_ok()
                    && text.windows(6).any(|window| window == b"[DONE]")
            })
        })
        .collect();
    client.post("/_rehearsal/clock", &json!({"advance": "2h"})).await;
    let mut whole = 0;
    for stream in reading {
        whole += usize::from(stream.await.expect("a reader that does not panic"));
    }
    table.row("streams that ended whole, of 10,000 at a time", "10,000", whole.to_string());
    let each = held * 1024.0 / STREAMS as f64;
    table.row("memory that they hold", "", format!("{held:.0} MiB, {each:.0} KiB each"));
    table.row("from the clock to the end of the last", "", millis(begun.elapsed()));
}

/// Answers of 256,000 characters that nobody reads, while another client works.
pub async fn unread(table: &mut Table) {
    let server = Process::server(&["--unmatched", "echo"]);
    let mut client = Client::connect(&server.address).await;
    let assistant = client.assistant().await;
    let said = "long ".repeat(LONGEST / 5);
    let mut streams = Vec::new();
    for _ in 0..UNREAD {
        streams.push(ask(&server.address, &assistant, &said).await);
    }
    // All runs are performed, even if nobody reads.
    let begun = Instant::now();
    loop {
        let state = client.get("/_rehearsal/unmatched?limit=1000").await;
        let noted = state.windows(10).filter(|it| it == b"\"unmatched").count();
        if noted >= UNREAD.min(60) || begun.elapsed() > Duration::from_secs(60) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let held = server.resident_mib();
    table.row(
        "memory beside 100 unread streams of 256,000 characters",
        "7,800 MiB",
        format!("{held:.0} MiB, at most {:.0} MiB", server.peak_mib()),
    );
}
