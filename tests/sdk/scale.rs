//! Several emulators behind nginx, with the configuration of `deploy/scale`. Each session keeps its
//! place, and a killed emulator does not affect the sessions of others.

use std::{
    collections::HashMap,
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use reqwest::Client;
use serde_json::{Value, json};

use crate::{
    running::{KEY, Running, root},
    skipped::{Remedy, skip},
};

const SESSIONS: usize = 200;

struct Nginx {
    child: Child,
    base: String,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master process ends its workers.
        let pid = self.child.id().to_string();
        _ = Command::new("kill").args(["-TERM", &pid]).status();
        _ = self.child.wait();
    }
}

/// Starts nginx with the configuration of `deploy/scale`, with other addresses.
async fn nginx(folder: &Path, emulators: &[Running]) -> Option<Nginx> {
    // Another process could take the port only in a short time before nginx starts.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut text = fs::read_to_string(root().join("deploy/scale/nginx.conf")).unwrap();
    for (number, emulator) in emulators.iter().enumerate() {
        let address = emulator.base.trim_start_matches("http://").trim_end_matches("/v1");
        text = text.replace(&format!("rehearsal-{number}:7357"), address);
    }
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|kind| format!("{kind}_temp_path {kind};\n"));
    text = text.replace("listen 7357;", &format!("listen 127.0.0.1:{port};"));
    text = text.replace("http {", &format!("http {{\n{}", temporary.concat()));
    text = format!("daemon off;\npid pid;\nerror_log log;\n{text}");
    fs::write(folder.join("nginx.conf"), text).unwrap();
    let program = ["nginx", "/usr/sbin/nginx"].into_iter().find_map(|program| {
        let mut command = Command::new(program);
        command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf"));
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
    });
    let Some(child) = program else {
        skip("several emulators behind nginx: there is no nginx", Remedy::Install);
        return None;
    };
    let nginx = Nginx { child, base: format!("http://127.0.0.1:{port}") };
    // nginx gives no signal when it listens.
    let client = Client::new();
    for _ in 0..300 {
        let health = format!("{}/_rehearsal/health", nginx.base);
        if client.get(health).send().await.is_ok_and(|answer| answer.status().is_success()) {
            return Some(nginx);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nginx does not answer: {:?}", fs::read_to_string(folder.join("log")));
}

async fn ask(client: &Client, url: &str, body: Option<Value>) -> (u16, Value) {
    let request = match body {
        Some(body) => client.post(url).json(&body),
        None => client.get(url),
    };
    let answer =
        request.bearer_auth(KEY).header("openai-beta", "assistants=v2").send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

/// The ids of a session's assistants.
async fn assistants(client: &Client, base: &str, session: usize) -> Vec<String> {
    let (status, list) = ask(client, &format!("{base}/s/test-{session}/v1/assistants"), None).await;
    assert_eq!(status, 200, "{list}");
    let data = list["data"].as_array().unwrap().iter();
    data.map(|assistant| assistant["id"].as_str().unwrap().to_owned()).collect()
}

/// A conversation in a session. Returns its assistant.
async fn converse(client: &Client, base: &str, session: usize) -> String {
    let url = format!("{base}/s/test-{session}/v1");
    let (_, made) =
        ask(client, &format!("{url}/assistants"), Some(json!({"model": "gpt-4o"}))).await;
    let assistant = made["id"].as_str().unwrap().to_owned();
    let message = json!({"role": "user", "content": format!("Hello from {session}")});
    let order = json!({"assistant_id": assistant, "thread": {"messages": [message]}});
    let (status, run) = ask(client, &format!("{url}/threads/runs"), Some(order)).await;
    assert_eq!(status, 200, "{run}");
    assistant
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_keep_their_places_behind_a_proxy() {
    rehearsal::internals::prepare_tls();
    let folder = tempfile::tempdir().unwrap();
    let fixtures = folder.path().join("f.yaml");
    fs::write(
        &fixtures,
        "replies: [{when: {message: Hang}, outcome: hang}, {steps: [{message: Hi}]}]",
    )
    .unwrap();
    let flags = ["--log", "warn", "--fixtures", fixtures.to_str().unwrap()];
    let emulators: Vec<_> = (0..3).map(|_| Running::with(&flags)).collect();
    let Some(nginx) = nginx(folder.path(), &emulators).await else { return };
    let (client, base) = (Client::new(), nginx.base.as_str());

    let talks = stream::iter(0..SESSIONS).map(|session| converse(&client, base, session));
    let made: Vec<String> = talks.buffered(SESSIONS).collect().await;
    for (session, assistant) in made.iter().enumerate() {
        assert_eq!(assistants(&client, base, session).await, [assistant.as_str()], "{session}");
    }
    // The place of each session: exactly one.
    let mut places: HashMap<usize, usize> = HashMap::new();
    for (place, emulator) in emulators.iter().enumerate() {
        let direct = emulator.base.trim_end_matches("/v1");
        for (session, assistant) in made.iter().enumerate() {
            if assistants(&client, direct, session).await.contains(assistant) {
                assert_eq!(places.insert(session, place), None, "{session}");
            }
        }
    }
    assert_eq!(places.len(), SESSIONS);
    let shares = [0, 1, 2].map(|place| places.values().filter(|it| **it == place).count());
    assert!(shares.iter().all(|share| *share > SESSIONS / 10), "{shares:?}");

    // A stream is not delayed: its first event arrives while its run hangs.
    let url = format!("{base}/s/test-0/v1/threads/runs");
    let message = json!({"role": "user", "content": "Hang"});
    let order = json!({"assistant_id": made[0], "stream": true, "thread": {"messages": [message]}});
    let request = client.post(url).json(&order).bearer_auth(KEY);
    let answer = request.header("openai-beta", "assistants=v2").send().await.unwrap();
    let first = answer.bytes_stream().next().await.unwrap().unwrap();
    assert!(first.starts_with(b"event: thread.created"), "{first:?}");

    emulators[1].kill();
    for (session, assistant) in made.iter().enumerate() {
        let there = assistants(&client, base, session).await;
        let expected = if places[&session] == 1 { Vec::new() } else { vec![assistant.clone()] };
        assert_eq!(there, expected, "{session} was on {}", places[&session]);
    }
    // The moved sessions start empty.
    let moved = *places.iter().find(|(_, place)| **place == 1).unwrap().0;
    let again = converse(&client, base, moved).await;
    assert_eq!(assistants(&client, base, moved).await, [again]);
}
