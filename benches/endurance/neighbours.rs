//! The cost of heavy work for others: the times of writes in another session, and of a clock next
//! to busy clients.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::Method;
use serde_json::json;

use crate::{
    common::{
        client::{Client, read},
        processes::Process,
    },
    load::{converse, fixtures, millis, spread},
    table::Table,
};

/// The number of messages in the heavy session.
const ROWS: usize = 200_000;

pub async fn heavy_work(table: &mut Table) {
    let alone = {
        let server = Process::server(&[]);
        beside(&server, tokio::time::sleep(Duration::from_secs(2))).await
    };
    table.row("writes of a session alone", "", spread(alone));
    let message = "{role: user, content: Hello}, ".repeat(ROWS);
    let (_folder, path) =
        fixtures(&format!("replies: []\nthreads: [{{id: thread_many, messages: [{message}]}}]\n"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = folder.path().join("x.db");
    let server =
        Process::server(&["--fixtures", &path, "--database", database.to_str().expect("a path")]);
    for (what, before, method, path) in [
        (
            "a snapshot of 200,000 messages is taken",
            "max 3.5 s",
            Method::PUT,
            "/_rehearsal/snapshots/one",
        ),
        (
            "a thread of 200,000 messages is deleted",
            "max 1.3 s",
            Method::DELETE,
            "/v1/threads/thread_many",
        ),
        (
            "the snapshot is restored",
            "max 3.5 s",
            Method::POST,
            "/_rehearsal/snapshots/one/restore",
        ),
    ] {
        let mut client = Client::connect(&server.address).await;
        let work = async {
            let answer = client.try_send(method, path, Bytes::new()).await.expect("an answer");
            assert!(answer.status().is_success(), "{}", answer.status());
            read(answer).await;
            // A delete continues after its response.
            tokio::time::sleep(Duration::from_secs(3)).await;
        };
        let times = beside(&server, work).await;
        table.row(&format!("writes of another session while {what}"), before, spread(times));
    }
}

/// The times of writes in a separate session while other work runs.
async fn beside(server: &Process, work: impl Future<Output = ()>) -> Vec<Duration> {
    let mut client = Client::connect(&server.address).await;
    // This creates the session with its seeds.
    client.post("/s/other/v1/threads", &json!({})).await;
    let mut times = Vec::new();
    let mut work = std::pin::pin!(work);
    loop {
        let begun = Instant::now();
        let body = json!({});
        let mut write = std::pin::pin!(client.post("/s/other/v1/threads", &body));
        tokio::select! {
            _ = &mut write => times.push(begun.elapsed()),
            () = &mut work => {
                write.await;
                times.push(begun.elapsed());
                return times;
            }
        }
    }
}

/// A clock that is advanced while clients are always busy.
pub async fn clock(table: &mut Table) {
    for (clients, before) in [(16, "5 s"), (64, "17 s")] {
        let server = Process::server(&[]);
        let busy: Vec<_> = (0..clients)
            .map(|_| {
                let address = server.address.clone();
                tokio::spawn(async move {
                    let mut client = Client::connect(&address).await;
                    let assistant = client.assistant().await;
                    loop {
                        converse(&mut client, &assistant, "Hello").await;
                    }
                })
            })
            .collect();
        let mut client = Client::connect(&server.address).await;
        let mut times = Vec::new();
        for _ in 0..20 {
            let begun = Instant::now();
            client.post("/_rehearsal/clock", &json!({"advance": "1s"})).await;
            times.push(begun.elapsed());
        }
        busy.iter().for_each(tokio::task::JoinHandle::abort);
        let most = times.iter().max().copied().unwrap_or_default();
        let what = format!("the clock moved 20 times beside {clients} busy clients, the longest");
        table.row(&what, before, millis(most));
    }
}
