//! The load: clients that repeat one kind of work, and single measurements of time.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};

use crate::common::{
    client::{Client, field},
    processes::Process,
};

/// The time of a throughput measurement. The warm-up before it takes a third of this.
const MEASURE: Duration = Duration::from_secs(3);

#[derive(Clone, Copy)]
pub enum Work {
    Constant,
    Retrieve,
    /// The same under v1, and with one of Azure's paths.
    RetrieveV1,
    RetrieveAzure,
    CreateMessage,
    Polled,
    Streamed,
    /// A thread and a run in one request, streamed.
    StreamedAtOnce,
    /// A response, streamed and stored.
    Response,
    /// A chat stream of another server, with the same words.
    PeerChat,
}

/// The objects that one client uses.
struct Desk {
    client: Client,
    assistant: String,
    path: String,
}

impl Desk {
    async fn set_up(address: &str, work: Work) -> Self {
        let mut client = Client::connect(address).await;
        if let Work::Constant | Work::PeerChat = work {
            return Self { client, assistant: String::new(), path: "/".to_owned() };
        }
        let assistant = client.assistant().await;
        let thread = client.create("/v1/threads", &json!({})).await;
        let path = match work {
            Work::Retrieve | Work::RetrieveV1 | Work::RetrieveAzure => {
                let runs = format!("/v1/threads/{thread}/runs");
                let run = client.create(&runs, &json!({"assistant_id": assistant})).await;
                let path = format!("{runs}/{run}");
                while field(&client.get(&path).await, "status") != "completed" {}
                spelled(&mut client, path, work)
            }
            _ => format!("/v1/threads/{thread}/messages"),
        };
        Self { client, assistant, path }
    }

    async fn work(&mut self, work: Work) {
        let Self { client, assistant, path } = self;
        match work {
            Work::Constant | Work::Retrieve | Work::RetrieveV1 | Work::RetrieveAzure => {
                _ = client.get(path).await
            }
            Work::CreateMessage => _ = client.post(path, &message()).await,
            Work::Polled => polled(client, assistant).await,
            Work::Streamed => streamed(client, assistant).await,
            Work::StreamedAtOnce => streamed_at_once(client, assistant).await,
            Work::Response => response(client).await,
            Work::PeerChat => peer_chat(client).await,
        }
    }
}

/// The path in the spelling of the client's service.
fn spelled(client: &mut Client, path: String, work: Work) -> String {
    match work {
        Work::RetrieveV1 => {
            client.beta = Some("assistants=v1");
            path
        }
        Work::RetrieveAzure => {
            client.beta = None;
            format!("/openai{}?api-version=2024-05-01-preview", path.trim_start_matches("/v1"))
        }
        _ => path,
    }
}

/// The message of the user, which is also the answer.
pub const SAID: &str = "I need to solve an equation. Can you help me?";

fn message() -> Value {
    json!({"role": "user", "content": SAID})
}

async fn streamed_at_once(client: &mut Client, assistant: &str) {
    let thread = json!({"messages": [message()]});
    let body = json!({"assistant_id": assistant, "stream": true, "thread": thread});
    let stream = client.post("/v1/threads/runs", &body).await;
    assert!(stream.ends_with(b"event: done\ndata: [DONE]\n\n"));
}

async fn response(client: &mut Client) {
    let body = json!({"model": "gpt-4o", "stream": true, "input": SAID});
    let stream = client.post("/v1/responses", &body).await;
    assert!(stream.ends_with(b"}\n\n") && !stream.ends_with(b"[DONE]\n\n"));
}

async fn peer_chat(client: &mut Client) {
    let body = json!({"model": "gpt-4o", "stream": true, "messages": [message()]});
    let stream = client.post("/v1/chat/completions", &body).await;
    assert!(stream.ends_with(b"data: [DONE]\n\n"));
}

async fn polled(client: &mut Client, assistant: &str) {
    let thread = client.create("/v1/threads", &json!({})).await;
    let messages = format!("/v1/threads/{thread}/messages");
    client.post(&messages, &message()).await;
    let runs = format!("/v1/threads/{thread}/runs");
    let run = client.create(&runs, &json!({"assistant_id": assistant})).await;
    let run = format!("{runs}/{run}");
    while field(&client.get(&run).await, "status") != "completed" {}
    client.get(&messages).await;
}

async fn streamed(client: &mut Client, assistant: &str) {
    let thread = client.create("/v1/threads", &json!({})).await;
    let messages = format!("/v1/threads/{thread}/messages");
    client.post(&messages, &message()).await;
    let stream = client
        .post(
            &format!("/v1/threads/{thread}/runs"),
            &json!({"assistant_id": assistant, "stream": true}),
        )
        .await;
    assert!(stream.ends_with(b"event: done\ndata: [DONE]\n\n"));
    client.get(&messages).await;
}

/// The rate of the work per second, with this number of clients.
pub async fn rate(address: &str, clients: usize, work: Work) -> f64 {
    let mut desks = Vec::new();
    for _ in 0..clients {
        desks.push(Desk::set_up(address, work).await);
    }
    let over = Arc::new(AtomicBool::new(false));
    let warm = Instant::now() + MEASURE / 3;
    let tasks: Vec<_> = desks
        .into_iter()
        .map(|mut desk| {
            let over = Arc::clone(&over);
            tokio::spawn(async move {
                let mut done = 0_u64;
                while !over.load(Ordering::Relaxed) {
                    desk.work(work).await;
                    done += u64::from(Instant::now() >= warm);
                }
                done
            })
        })
        .collect();
    tokio::time::sleep_until((warm + MEASURE).into()).await;
    over.store(true, Ordering::Relaxed);
    let mut done = 0;
    for task in tasks {
        done += task.await.expect("a client that does not panic");
    }
    done as f64 / (Instant::now() - warm).as_secs_f64()
}

/// The times of streams with twenty events, one after the other.
pub async fn stream_times(process: &Process, count: usize) -> Vec<Duration> {
    let mut client = Client::connect(&process.address).await;
    let assistant = client.assistant().await;
    // Twelve events besides the deltas, so eight words make twenty.
    let text = "one two three four five six seven eight";
    let body = json!({"assistant_id": assistant, "stream": true,
        "thread": {"messages": [{"role": "user", "content": text}]}});
    client.post("/v1/threads/runs", &body).await;
    let mut times = Vec::new();
    for _ in 0..count {
        let begun = Instant::now();
        let stream = client.post("/v1/threads/runs", &body).await;
        times.push(begun.elapsed());
        let events = stream.windows(7).filter(|window| window == b"event: ").count();
        assert_eq!(events, 20, "the stream that was asked for");
    }
    times
}

/// The median time of a page in the middle of a thread with this number of messages.
pub async fn page_time(rows: u32) -> Duration {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("pages.db");
    let database = path.to_str().expect("a path");
    let thread = {
        let server = Process::server(&["--database", database]);
        let mut client = Client::connect(&server.address).await;
        client
            .create("/v1/threads", &json!({"messages": [{"role": "user", "content": "Hello"}]}))
            .await
    };
    fill(&path, rows).await;
    let server = Process::server(&["--database", database]);
    let mut client = Client::connect(&server.address).await;
    let page = format!("/v1/threads/{thread}/messages?limit=20&after=msg_bench{:018}", rows / 2);
    let mut times = Vec::new();
    for _ in 0..300 {
        let begun = Instant::now();
        client.get(&page).await;
        times.push(begun.elapsed());
    }
    median(&mut times)
}

/// Multiplies the single message in the database.
async fn fill(path: &Path, rows: u32) {
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .connect()
        .await
        .expect("the database of the server");
    let sql = "insert into messages (session, body) with recursive n (i) as (select 1 union all \
               select i + 1 from n where i < ?) select session, json_set(body, '$.id', \
               printf('msg_bench%018d', i)) from messages, n";
    sqlx::query(sql).bind(rows).execute(&mut connection).await.expect("rows");
}

pub async fn time_to_first_answer() -> Duration {
    let begun = Instant::now();
    let server = Process::server(&[]);
    ask_once(&server).await;
    begun.elapsed()
}

/// The time of the first run in a new process, from its request to the end of its stream.
pub async fn time_of_first_run() -> Duration {
    let server = Process::server(&[]);
    let mut client = Client::connect(&server.address).await;
    let assistant = client.assistant().await;
    let begun = Instant::now();
    streamed_at_once(&mut client, &assistant).await;
    begun.elapsed()
}

/// The first run.
pub async fn run_once(process: &Process) {
    let mut client = Client::connect(&process.address).await;
    let assistant = client.assistant().await;
    streamed_at_once(&mut client, &assistant).await;
}

pub async fn ask_once(process: &Process) {
    Client::connect(&process.address).await.get("/v1/models").await;
}

/// Runs this number of conversations, a few at a time.
pub async fn converse(process: &Process, conversations: usize) {
    const CLIENTS: usize = 16;
    let address = process.address.clone();
    let tasks = (0..CLIENTS).map(|_| {
        let address = address.clone();
        tokio::spawn(async move {
            let mut client = Client::connect(&address).await;
            let assistant = client.assistant().await;
            for _ in 0..conversations / CLIENTS {
                polled(&mut client, &assistant).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("a client that does not panic");
    }
}

pub fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}
