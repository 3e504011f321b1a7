//! The time and memory for bodies, patterns, long histories and many conversations.

use std::time::Instant;

use bytes::Bytes;
use hyper::Method;

use crate::{
    common::{
        client::{Client, read},
        processes::Process,
    },
    load::{converse, fixtures, millis},
    table::Table,
};

/// The number of conversations, and the number of clients at a time.
const CONVERSATIONS: usize = 50_000;
const CLIENTS: usize = 16;

/// A body of thirteen million zeros. The server rejects it.
pub async fn bodies(table: &mut Table) {
    let server = Process::server(&[]);
    let mut client = Client::connect(&server.address).await;
    client.get("/v1/models").await;
    let body = Bytes::from(format!("[{}0]", "0,".repeat(13_000_000)));
    let begun = Instant::now();
    let answer = client.try_send(Method::POST, "/v1/threads", body).await.expect("an answer");
    assert!(answer.status().is_client_error(), "{}", answer.status());
    read(answer).await;
    let took = format!("{}, at most {:.0} MiB", millis(begun.elapsed()), server.peak_mib());
    table.row("a JSON body of 26 MB of zeros, refused", "2.4 s, 1,500 MiB", took);
}

/// Patterns without a literal part, so that no index can select them.
pub async fn patterns(table: &mut Table) {
    for (count, before) in [(1_000, "1.5 s, 860 MiB"), (10_000, "26 s, 7,900 MiB")] {
        let reply = |n: usize| {
            let pattern =
                format!(r"^\w+ \d{{{},{}}} [a-f]{{{}}}$", n % 37 + 2, n % 37 + 40, n % 53 + 1);
            format!(
                "- {{when: {{message: {{matches: '{pattern}'}}}}, steps: [{{message: r{n}}}]}}\n"
            )
        };
        let replies: String = (0..count).map(reply).collect();
        let (_folder, path) =
            fixtures(&format!("replies:\n{replies}- {{steps: [{{message: last}}]}}\n"));
        let server = Process::server(&["--fixtures", &path]);
        let mut client = Client::connect(&server.address).await;
        let assistant = client.assistant().await;
        let begun = Instant::now();
        converse(&mut client, &assistant, "hello there 12").await;
        let first = millis(begun.elapsed());
        let begun = Instant::now();
        converse(&mut client, &assistant, "hello there 13").await;
        table.row(
            &format!("the first run with {count} patterns without a literal, the second"),
            before,
            format!("{first}, {}, at most {:.0} MiB", millis(begun.elapsed()), server.peak_mib()),
        );
    }
}

/// Runs of long messages that no reply matches, and the list of them.
pub async fn unmatched(table: &mut Table) {
    let (_folder, path) = fixtures("replies: []");
    let server = Process::server(&["--fixtures", &path, "--unmatched", "fail"]);
    let mut client = Client::connect(&server.address).await;
    let assistant = client.assistant().await;
    let said = "x".repeat(252_000);
    for _ in 0..1_000 {
        converse(&mut client, &assistant, &said).await;
    }
    let list = client.get("/_rehearsal/unmatched").await.len() >> 20;
    let memory = server.resident_mib();
    table.row(
        "1,000 unmatched runs of 252,000 characters: memory, `GET /unmatched`",
        "+715 MiB, 505 MB",
        format!("{memory:.0} MiB in all, {list} MiB"),
    );
}

/// Conversations in a few clients, one after the other in each.
pub async fn conversations(table: &mut Table) {
    let server = Process::server(&[]);
    let idle = server.resident_mib();
    let begun = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let address = server.address.clone();
            tokio::spawn(async move {
                let mut client = Client::connect(&address).await;
                let assistant = client.assistant().await;
                for _ in 0..CONVERSATIONS / CLIENTS {
                    converse(&mut client, &assistant, "Can you help me with an equation?").await;
                }
            })
        })
        .collect();
    for client in clients {
        client.await.expect("a client that does not panic");
    }
    let rate = CONVERSATIONS as f64 / begun.elapsed().as_secs_f64();
    table.row(
        "memory after 50,000 streamed conversations (idle)",
        "",
        format!("{:.0} MiB ({idle:.0} MiB), {rate:.0} conversations/s", server.resident_mib()),
    );
}
