//! Kills a server a hundred times while clients write, and checks that no acknowledged write is
//! lost.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::Method;
use serde_json::json;

use crate::{
    common::{
        client::{Client, field, read},
        processes::Process,
    },
    table::Table,
};

const KILLS: usize = 100;
const CLIENTS: usize = 8;

/// The time that clients write before a kill.
const LIFE: Duration = Duration::from_millis(300);

pub async fn measure(table: &mut Table) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("kills.db");
    let arguments = ["--database", path.to_str().expect("a path")];
    let (mut acknowledged, mut lost, mut starts) = (0, 0, Vec::new());
    let mut server = Process::server(&arguments);
    for _ in 0..KILLS {
        let written = write_until_killed(server).await;
        let begun = Instant::now();
        server = Process::server(&arguments);
        let mut client = Client::connect(&server.address).await;
        client.get("/v1/models").await;
        starts.push(begun.elapsed());
        for path in &written {
            let answer = client.try_send(Method::GET, path, Bytes::new()).await.expect("an answer");
            lost += usize::from(!answer.status().is_success());
            read(answer).await;
        }
        acknowledged += written.len();
    }
    let found = format!("{lost} of {acknowledged}");
    table.row("acknowledged writes lost by 100 kills", "0 of 7,211", found);
    table.row("from a kill to the first answer", "", crate::load::spread(starts));
}

/// The paths of the acknowledged objects.
async fn write_until_killed(server: Process) -> Vec<String> {
    let written = Arc::new(Mutex::new(Vec::new()));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(write(server.address.clone(), Arc::clone(&written))))
        .collect();
    tokio::time::sleep(LIFE).await;
    drop(server);
    for client in clients {
        client.await.expect("a client that does not panic");
    }
    std::mem::take(&mut *written.lock().expect("no client panicked"))
}

/// Writes until the connection breaks off.
async fn write(address: String, written: Arc<Mutex<Vec<String>>>) {
    let mut client = Client::connect(&address).await;
    let mut threads = Vec::new();
    loop {
        let (path, body) = match threads.last() {
            Some(thread) if threads.len() % 2 == 1 => {
                (format!("/v1/threads/{thread}/messages"), json!({"role": "user", "content": "Hi"}))
            }
            _ => ("/v1/threads".to_owned(), json!({})),
        };
        let Ok(answer) = client.try_send(Method::POST, &path, body.to_string().into()).await else {
            return;
        };
        let Ok(body) = http_body_util::BodyExt::collect(answer.into_body()).await else { return };
        let id = field(&body.to_bytes(), "id");
        written.lock().expect("no client panicked").push(format!("{path}/{id}"));
        threads.push(id);
    }
}
