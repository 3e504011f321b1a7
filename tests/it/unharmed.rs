//! A broken log, a stalled peer, a second server or a signal must not affect others.

use std::{
    collections::HashSet,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rehearsal::Config;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    server::{TestServer, client, config},
    skipped::{Remedy, skip},
};

/// Much longer than any step here, and much shorter than a hang.
const PATIENCE: Duration = Duration::from_secs(30);

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_rehearsal");
pub const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];

/// The program in a separate process.
pub struct Program {
    child: Child,
    pub base: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Program {
    fn start(arguments: &[&str], stderr: Stdio) -> Self {
        Self::run(Command::new(PROGRAM).args(LISTEN).args(arguments).stderr(stderr))
    }

    /// Starts a command that is the program, and waits until it listens.
    pub fn run(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let base = line.trim().strip_prefix("rehearsal listening on ").expect(&line).to_owned();
        Self { child, base }
    }

    fn address(&self) -> &str {
        self.base.strip_prefix("http://").unwrap()
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Waits for the end. Returns the exit code.
    pub fn end(mut self) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            std::thread::yield_now();
        }
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let request = client().post(format!("{}{path}", self.base)).json(&body);
        let request = request.bearer_auth("sk-test").header("OpenAI-Beta", "assistants=v2");
        let response = request.send().await.unwrap();
        (response.status(), response.json().await.unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        let request = client().get(format!("{}{path}", self.base));
        let request = request.bearer_auth("sk-test").header("OpenAI-Beta", "assistants=v2");
        request.send().await.unwrap().json().await.unwrap_or_default()
    }
}

#[tokio::test]
async fn a_log_that_nobody_can_write_stops_nothing() {
    // The read end is closed: every write to standard error fails.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let upstream = ["--upstream", "http://127.0.0.1:1/v1", "--log", "debug"];
    let program = Program::start(&upstream, writer.into());
    let (_, assistant) = program.post("/v1/assistants", json!({"model": "gpt-4o"})).await;
    let thread = json!({"messages": [{"role": "user", "content": "Hello"}]});
    let body = json!({"assistant_id": assistant["id"], "thread": thread});
    let (status, mut run) = program.post("/v1/threads/runs", body).await;
    assert_eq!(status, StatusCode::OK, "{run}");
    let begun = Instant::now();
    let path = format!(
        "/v1/threads/{}/runs/{}",
        run["thread_id"].as_str().unwrap(),
        run["id"].as_str().unwrap()
    );
    while run["status"] != "failed" {
        assert!(begun.elapsed() < PATIENCE, "{run}");
        run = program.get(&path).await;
    }
    program.signal("-TERM");
    assert_eq!(program.end(), Some(0));
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_nothing() {
    let (_reader, writer) = std::io::pipe().unwrap();
    let program = Program::start(&["--log", "trace"], writer.into());
    // Much more than a pipe can hold.
    for _ in 0..300 {
        let (status, _) = program.post("/v1/threads", json!({})).await;
        assert_eq!(status, StatusCode::OK);
    }
    program.signal("-TERM");
    assert_eq!(program.end(), Some(0));
}

#[tokio::test]
async fn a_stop_leaves_a_database_that_can_be_copied_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let program = Program::start(&["--database", path.to_str().unwrap()], Stdio::null());
    let (_, thread) = program.post("/v1/threads", json!({})).await;
    program.signal("-INT");
    assert_eq!(program.end(), Some(0));
    let copy = folder.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    let server = TestServer::on(&copy, "replies: []").await;
    let path = format!("/v1/threads/{}", thread["id"].as_str().unwrap());
    assert_eq!(server.get(&path).await.status, StatusCode::OK);
}

#[test]
fn a_second_server_on_a_database_refuses_to_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let database = ["--database", path.to_str().unwrap()];
    let first = Program::start(&database, Stdio::null());
    let second = || {
        let program = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
            .args(["--listen", "127.0.0.1:0"])
            .args(database)
            .output()
            .unwrap();
        (program.status.code(), String::from_utf8(program.stderr).unwrap())
    };
    let (code, said) = second();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("another server uses the database"), "{said}");
    // A reader has access.
    let export = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(["export", "thread_none"])
        .args(database)
        .output()
        .unwrap();
    let said = String::from_utf8(export.stderr).unwrap();
    assert!(said.contains("there is no thread thread_none"), "{said}");
    // A kill releases the lock.
    first.signal("-KILL");
    assert_eq!(first.end(), None);
    drop(Program::start(&database, Stdio::null()));
}

#[test]
fn a_rejected_database_gets_no_files_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    std::fs::write(&path, "this is no database, whatever its name says").unwrap();
    let refused = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(["--listen", "127.0.0.1:0", "--database", path.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with("-wal") || name.ends_with("-shm"))
        .collect();
    assert!(names.is_empty(), "{names:?}");
}

#[tokio::test]
async fn an_upload_works_again_when_its_folder_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.db");
    let server = TestServer::on(&path, "replies: []").await;
    server.document("a.txt", "one").await;
    std::fs::remove_dir_all(folder.path().join("r.db-files")).unwrap();
    let id = server.document("b.txt", "two").await;
    assert_eq!(
        server.get(&format!("/v1/files/{id}/content")).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(crate::server::blobs(folder.path()), 1);
}

/// The start of a request whose body never arrives.
fn stalled(address: &str, path: &str, kind: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer sk-test\r\ncontent-type: \
         {kind}\r\ncontent-length: 1000\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

#[tokio::test]
async fn a_body_that_never_comes_keeps_nobody_from_a_reset() {
    let server = TestServer::start().await;
    let address = server.base.strip_prefix("http://").unwrap();
    let json = stalled(address, "/v1/threads", "application/json");
    let form = stalled(address, "/v1/files", "multipart/form-data; boundary=x");
    for _ in 0..3 {
        let reset = server.post("/_rehearsal/reset", json!({})).await;
        assert_eq!(reset.status, StatusCode::OK);
        let snapshot = server.request(Method::PUT, "/_rehearsal/snapshots/s");
        assert_eq!(server.send(snapshot).await.status, StatusCode::OK);
        assert_eq!(server.post("/v1/threads", json!({})).await.status, StatusCode::OK);
    }
    drop((json, form));
}

#[test]
fn a_stop_does_not_wait_for_what_stands_still() {
    let program = Program::start(&[], Stdio::null());
    let address = program.address().to_owned();
    let body = stalled(&address, "/v1/threads", "application/json");
    let mut head = TcpStream::connect(&address).unwrap();
    head.write_all(b"POST /v1/thr").unwrap();
    let silent = TcpStream::connect(&address).unwrap();
    program.signal("-TERM");
    let begun = Instant::now();
    assert_eq!(program.end(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(4), "the whole grace period");
    drop((body, head, silent));
}

#[test]
fn requests_of_clients_that_close_their_side_are_answered() {
    let program = Program::start(&[], Stdio::null());
    for _ in 0..50 {
        let mut stream = TcpStream::connect(program.address()).unwrap();
        let request = format!(
            "POST /v1/threads HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer sk-test\r\nconnection: \
             close\r\nopenai-beta: assistants=v2\r\ncontent-length: 2\r\n\r\n{{}}",
            program.address()
        );
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }
}

#[test]
fn signals_reach_the_command_of_exec() {
    for (signal, number) in [("INT", 2), ("TERM", 15), ("HUP", 1), ("QUIT", 3)] {
        let folder = tempfile::tempdir().unwrap();
        let (ready, got) = (folder.path().join("ready"), folder.path().join("got"));
        let script = format!(
            "trap 'echo {signal} > {got}; exit 7' {signal}; touch {ready}; while :; do sleep 0.01; \
             done",
            got = got.display(),
            ready = ready.display()
        );
        let mut exec = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
            .args(["exec", "--", "sh", "-c", &script])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for(&ready);
        let pid = exec.id().to_string();
        assert!(
            Command::new("kill").args([&format!("-{number}"), &pid]).status().unwrap().success()
        );
        assert_eq!(exec.wait().unwrap().code(), Some(7), "{signal}");
        assert_eq!(std::fs::read_to_string(got).unwrap().trim(), signal);
    }
}

fn wait_for(path: &Path) {
    let begun = Instant::now();
    while !path.exists() {
        assert!(begun.elapsed() < PATIENCE, "{} is never there", path.display());
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn one_or_two_dots_are_not_the_name_of_a_session() {
    let program = Program::start(&[], Stdio::null());
    for name in ["..", "."] {
        // An HTTP client would resolve the dots in the path.
        let mut stream = TcpStream::connect(program.address()).unwrap();
        let request = format!(
            "GET /s/{name}/v1/models HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer \
             sk-test\r\nconnection: close\r\n\r\n",
            program.address()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    }
}

#[test]
fn a_key_of_megabytes_is_told_like_any_other() {
    let key = "k".repeat(4 << 20);
    let begun = Instant::now();
    let said =
        rehearsal::internals::read_fixture("x.yaml", &format!("? {key}\n: 1\n")).unwrap_err();
    assert!(said.contains("unknown key 'kkk"), "{}", &said[..100]);
    assert!(said.len() < 2_000, "{}", said.len());
    assert!(begun.elapsed() < PATIENCE);
}

#[tokio::test]
async fn a_clock_has_its_turn_beside_busy_clients_and_a_silent_upstream() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = format!("http://{}/v1", silent.local_addr().unwrap());
    let config = rehearsal::Config {
        unmatched: rehearsal::Unmatched::Upstream,
        upstream: Some(rehearsal::UpstreamSettings::new(upstream, rehearsal::UpstreamKind::Chat)),
        ..crate::server::config()
    };
    let server = TestServer::with(config).await;
    // Each run waits for the upstream until the test ends.
    let assistant = server.assistant().await;
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let clock = async {
        for _ in 0..3 {
            let advance = json!({"advance": "1s"});
            let changed = server.post("/_rehearsal/clock", advance).await;
            assert_eq!(changed.status, StatusCode::OK);
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    let busy = futures_util::future::join_all((0..16).map(|_| async {
        while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
            let thread = server.thread("Hello").await;
            let run = json!({"assistant_id": assistant});
            server.post(&format!("/v1/threads/{thread}/runs"), run).await;
        }
    }));
    let both = futures_util::future::join(busy, clock);
    tokio::time::timeout(PATIENCE, both).await.expect("the clock has its turn");
}

#[tokio::test]
async fn a_stream_that_nobody_reads_holds_nothing_up() {
    let answer = "word ".repeat(40_000);
    let fixtures = format!("replies: [{{steps: [{{message: '{answer}'}}]}}]");
    let server = TestServer::with_fixtures(&fixtures).await;
    let assistant = server.assistant().await;
    let thread = server.thread("Hello").await;
    let path = format!("/v1/threads/{thread}/runs");
    let body = json!({"assistant_id": assistant, "stream": true});
    let request = server.request(Method::POST, &path).json(&body);
    let unread = request.send().await.unwrap();
    server.idle().await;
    let runs = server.get(&path).await.body;
    assert_eq!(runs["data"][0]["status"], "completed");
    // A late reader gets the whole stream.
    let text = unread.text().await.unwrap();
    assert_eq!(text.matches("word").count() / 2, 40_000);
    assert!(text.ends_with("event: done\ndata: [DONE]\n\n"));
}

#[tokio::test]
async fn a_body_of_millions_of_values_is_refused_as_any_other() {
    let server = TestServer::start().await;
    let zeros = format!("[{}0]", "0,".repeat(12_000_000));
    for (body, message) in
        [(zeros.clone(), "expected an object"), (format!("{{\"metadata\": {zeros}}}"), "metadata")]
    {
        let request = server.request(Method::POST, "/v1/threads");
        let request = request.header("content-type", "application/json").body(body);
        let answer = server.send(request).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.text.contains(message), "{}", answer.text);
    }
}

#[tokio::test]
async fn keys_are_in_no_journal_whatever_form_they_have_and_wherever_they_are() {
    let server = TestServer::start().await;
    for key in [
        "sk-proj-abcDEF0123456789_-xyz",
        "0123456789abcdef0123456789abcdef",
        "my.own+key/with=signs",
        "hf_abcdefghijklmnopqrstuv",
        "ghp_abcdefghijklmnopqrstuvwxyz",
    ] {
        let encoded = key.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        for path in [format!("/v1/threads/{encoded}"), format!("/v1/threads?key={encoded}")] {
            let request = client().get(format!("{}{path}", server.base)).bearer_auth(key);
            request.header("x-other", key).send().await.unwrap();
        }
        let body = json!({"metadata": {"a": format!("{key}"), "b": format!("Bearer {key}")}});
        let request = client().post(format!("{}/v1/threads", server.base)).bearer_auth(key);
        request.header("OpenAI-Beta", "assistants=v2").json(&body).send().await.unwrap();
        let journal = server.get("/_rehearsal/requests").await.text;
        assert!(!journal.contains(key) && !journal.contains(&encoded), "{key}");
    }
}

#[tokio::test]
async fn sessions_are_bounded_and_idle_ones_that_hold_nothing_make_room() {
    // The default session counts, too.
    let config = Config { max_sessions: 4, ..config() };
    let server = TestServer::with_fixtures_and("replies: []", config).await;
    let in_session = |method: Method, session: &str, path: &str| {
        server.request(method, &format!("/s/{session}{path}"))
    };
    for n in 0..100 {
        let listed = in_session(Method::GET, &format!("empty-{n}"), "/v1/assistants");
        assert_eq!(server.send(listed).await.status, StatusCode::OK, "{n}");
    }
    let made = in_session(Method::POST, "objects", "/v1/threads").json(&json!({}));
    let thread = server.send(made).await.id();
    let kept = in_session(Method::PUT, "snapshots", "/_rehearsal/snapshots/one");
    assert_eq!(server.send(kept).await.status, StatusCode::OK);
    let added = in_session(Method::POST, "fixtures", "/_rehearsal/fixtures");
    let added = added.json(&json!({"replies": []}));
    assert_eq!(server.send(added).await.status, StatusCode::OK);

    let refused = server.send(in_session(Method::GET, "fifth", "/v1/assistants")).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.body["error"]["code"], "rate_limit_exceeded");
    assert!(refused.refusal().contains("There are 4 sessions"), "{}", refused.text);
    let path = format!("/v1/threads/{thread}");
    let found = server.send(in_session(Method::GET, "objects", &path)).await;
    assert_eq!(found.status, StatusCode::OK);

    let reset = in_session(Method::POST, "objects", "/_rehearsal/reset?fixtures=true");
    assert_eq!(server.send(reset).await.status, StatusCode::OK);
    let listed = server.send(in_session(Method::GET, "fifth", "/v1/assistants")).await;
    assert_eq!(listed.status, StatusCode::OK, "{}", listed.text);
    let listed = server.send(in_session(Method::GET, "snapshots", "/_rehearsal/snapshots")).await;
    assert_eq!(listed.body["data"][0]["name"], "one", "{}", listed.text);
}

/// If many clients fill the server with sessions at the same time, no acknowledged object is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_object_is_lost_where_sessions_make_room() {
    let config = Config { max_sessions: 20, ..config() };
    let server = TestServer::with_fixtures_and("replies: []", config).await;
    let client = client();
    let mut making = tokio::task::JoinSet::new();
    for n in 0..1_000 {
        let base = format!("{}/s/session-{}/v1/threads", server.base, n % 50);
        let client = client.clone();
        making.spawn(async move {
            let request =
                client.post(&base).bearer_auth("k").header("OpenAI-Beta", "assistants=v2");
            let request = if n % 3 == 0 { client.get(&base) } else { request.json(&json!({})) };
            let answer = request.send().await.unwrap();
            let is_made = answer.status() == StatusCode::OK;
            assert!(is_made || n % 3 == 0 || answer.status() == StatusCode::TOO_MANY_REQUESTS);
            let body: Value = answer.json().await.unwrap();
            is_made.then(|| format!("{base}/{}", body["id"].as_str().unwrap()))
        });
    }
    let made: Vec<_> = making.join_all().await.into_iter().flatten().collect();
    let sessions: HashSet<_> = made.iter().map(|thread| thread.split('/').nth(4)).collect();
    assert!(!made.is_empty() && sessions.len() < 20, "{sessions:?}");
    for thread in made {
        let request = client.get(&thread).bearer_auth("k").header("OpenAI-Beta", "assistants=v2");
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK, "{thread}");
    }
}

/// A small file system in memory.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` if this process must not mount one.
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mount.is_ok_and(|status| status.success()).then(|| Self(folder))
    }

    /// Fills the disk. Returns the file that takes the space.
    fn fill(&self) -> std::path::PathBuf {
        self.fill_up_to(usize::MAX)
    }

    /// Takes this number of bytes, or all remaining ones.
    fn fill_up_to(&self, bytes: usize) -> std::path::PathBuf {
        let path = self.0.path().join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        let mut written = 0;
        while written < bytes && file.write_all(&[0; 4_096]).is_ok() {
            written += 4_096;
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_ends_when_a_full_disk_has_space_again() {
    let Some(disk) = SmallDisk::mount("4m") else {
        return skip("a full disk: no small file system can be mounted here", Remedy::None);
    };
    let fixtures = "replies: [{steps: [{pause: 1m}, {message: Hello}]}]";
    let server = TestServer::on(&disk.0.path().join("x.db"), fixtures).await;
    let assistant = server.assistant().await;
    let thread = server.thread("Hello").await;
    let runs = format!("/v1/threads/{thread}/runs");
    let body = json!({"assistant_id": assistant, "stream": true});
    let stream = server.request(Method::POST, &runs).json(&body).send().await.unwrap();
    server.idle().await;
    let run = server.get(&runs).await.body["data"][0]["id"].as_str().unwrap().to_owned();
    let run = format!("{runs}/{run}");

    let filler = disk.fill();
    let refused = server.post("/v1/threads", json!({"metadata": {"a": "x".repeat(500)}})).await;
    assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", refused.text);
    server.post("/_rehearsal/clock", json!({"advance": "2m"})).await;
    // The events cannot be written, so they are not sent.
    let events = tokio::time::timeout(PATIENCE, stream.text()).await.unwrap().unwrap();
    assert!(events.contains("event: error"), "{events}");
    let cancelled = server.post(&format!("{run}/cancel"), json!({})).await;
    assert_eq!(cancelled.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", cancelled.text);

    std::fs::remove_file(filler).unwrap();
    let begun = Instant::now();
    while server.get(&run).await.body["status"] == "in_progress" {
        assert!(begun.elapsed() < PATIENCE, "the run ends");
        tokio::task::yield_now().await;
    }
    let ended = server.get(&run).await.body;
    assert_eq!(ended["status"], "completed", "{ended}");
    let path = format!("/v1/threads/{thread}/messages");
    let again = server.post(&path, json!({"role": "user", "content": "Hello"})).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.text);
}

/// A run is performed before it is written. A run that could not be written does not exist: its
/// reply is available for the next run, and no event mentions it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_a_full_disk_refuses_uses_no_reply() {
    let Some(disk) = SmallDisk::mount("4m") else {
        return skip("a full disk: no small file system can be mounted here", Remedy::None);
    };
    let fixtures =
        "replies: [{times: 1, when: {message: {contains: first}}, steps: [{message: Once}]}]";
    let server = TestServer::on(&disk.0.path().join("x.db"), fixtures).await;
    let assistant = server.assistant().await;
    let order = |said: &str| {
        let said = format!("{said} {}", "x".repeat(20_000));
        let thread = json!({"messages": [{"role": "user", "content": said}]});
        json!({"assistant_id": assistant, "thread": thread})
    };
    let filler = disk.fill();
    for said in ["first", "other"] {
        let refused = server.post("/v1/threads/runs", order(said)).await;
        assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", refused.text);
    }
    let unmatched = server.get("/_rehearsal/unmatched").await.body;
    assert_eq!(unmatched["data"], json!([]));
    std::fs::remove_file(filler).unwrap();
    let run = server.post("/v1/threads/runs", order("first")).await;
    assert_eq!(run.status, StatusCode::OK, "{}", run.text);
    server.idle().await;
    let thread = format!("/v1/threads/{}", run.body["thread_id"].as_str().unwrap());
    assert_eq!(server.said(&thread).await.last().unwrap(), "Once");
}

#[tokio::test]
async fn an_export_reads_beside_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("x.db");
    let server = TestServer::on(&database, "replies: [{steps: [{message: Good day}]}]").await;
    let (path, _) = server.run("Hello").await;
    let thread = path.rsplit('/').next().unwrap();
    let export = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(["export", "--database"])
        .args([database.as_os_str(), thread.as_ref()])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&export.stdout);
    assert!(export.status.success(), "{}", String::from_utf8_lossy(&export.stderr));
    assert!(printed.contains("Good day"), "{printed}");
    server.run("Hello again").await;
}

#[tokio::test]
async fn unmatched_runs_are_listed_in_pages() {
    let server = TestServer::with_fixtures("replies: []").await;
    for said in ["one", "two", "three"] {
        server.run(said).await;
    }
    let all = server.get("/_rehearsal/unmatched").await.body;
    let runs: Vec<_> = all["data"].as_array().unwrap().iter().map(|it| &it["run"]).collect();
    assert_eq!((runs.len(), &all["has_more"]), (3, &json!(false)));
    let first = server.get("/_rehearsal/unmatched?limit=2").await.body;
    assert_eq!((&first["data"][1]["run"], &first["has_more"]), (runs[1], &json!(true)));
    let last = format!("/_rehearsal/unmatched?after={}", runs[1].as_str().unwrap());
    let last = server.get(&last).await.body;
    assert_eq!((&last["data"][0]["run"], &last["has_more"]), (runs[2], &json!(false)));
    let refused = server.get("/_rehearsal/unmatched?after=run_nobody").await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
}

/// Such patterns must all be tried, because no index can exclude them.
#[tokio::test]
async fn thousands_of_patterns_without_a_literal_are_tried_in_time() {
    let pattern =
        |n: usize| format!(r"^\\w+ \\d{{{},{}}} [a-f]{{{}}}$", n % 37 + 2, n % 37 + 40, n % 53 + 1);
    let reply = |n| {
        format!(
            "- {{when: {{message: {{matches: \"{}\"}}}}, steps: [{{message: no}}]}}\n",
            pattern(n)
        )
    };
    let replies: String = (0..3_000).map(reply).collect();
    let last =
        r"- {when: {message: {matches: '^(?<word>\w+) \d+$'}}, steps: [{message: '{{ word }}'}]}";
    let server = TestServer::with_fixtures(&format!("replies:\n{replies}{last}\n")).await;
    let (thread, run) = server.run("hello 12").await;
    assert_eq!(server.get(&run).await.body["status"], "completed");
    assert_eq!(server.said(&thread).await, ["hello 12", "hello"]);
}

/// Other causes than the file itself can delay its processing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_met_a_full_disk_is_made_ready_when_there_is_space() {
    let Some(disk) = SmallDisk::mount("24m") else {
        return skip("a full disk: no small file system can be mounted here", Remedy::None);
    };
    let server = TestServer::on(&disk.0.path().join("x.db"), "replies: []").await;
    let words: String = (0..250_000).map(|n| format!("word{} ", n % 5_000)).collect();
    let file = server.document("words.txt", words).await;
    // The words and their index need more than the remaining space.
    let filler = disk.fill_up_to(20 << 20);
    let store = server.post("/v1/vector_stores", json!({"file_ids": [file]})).await.id();
    let begun = Instant::now();
    let body = json!({"metadata": {"a": "x".repeat(500)}});
    while server.post("/v1/threads", body.clone()).await.status == StatusCode::OK {
        assert!(begun.elapsed() < PATIENCE, "the disk is full");
    }
    std::fs::remove_file(filler).unwrap();
    let path = format!("/v1/vector_stores/{store}/files/{file}");
    while server.get(&path).await.body["status"] == "in_progress" {
        assert!(begun.elapsed() < 4 * PATIENCE, "the file is made ready");
        tokio::task::yield_now().await;
    }
    let ready = server.get(&path).await.body;
    assert_eq!(ready["status"], "completed", "{ready}");
}

#[tokio::test]
async fn unmatched_runs_are_kept_up_to_a_bound_of_bytes() {
    let server = TestServer::with_fixtures("replies: []").await;
    let said = "x".repeat(250_000);
    for _ in 0..70 {
        server.run(&said).await;
    }
    let all = server.get("/_rehearsal/unmatched").await;
    let kept = all.body["data"].as_array().unwrap().len();
    // 16 MiB of texts, as received and once more as JSON.
    assert!((40..=67).contains(&kept), "{kept}");
}

#[cfg(unix)]
#[tokio::test]
async fn connections_leave_descriptors_for_files() {
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 300; exec \"$@\"", "sh", PROGRAM]).args(LISTEN);
    let program = Program::run(limited.stderr(Stdio::null()));
    let client = client();
    let send = |request: reqwest::RequestBuilder| async {
        let request = request.bearer_auth("sk-test").header("OpenAI-Beta", "assistants=v2");
        let response = request.send().await.unwrap();
        (response.status(), response.json::<Value>().await.unwrap())
    };
    // The client keeps its connection.
    let (status, _) = send(client.get(format!("{}/v1/assistants", program.base))).await;
    assert_eq!(status, StatusCode::OK);
    let idle: Vec<_> =
        (0..400).filter_map(|_| TcpStream::connect(program.address()).ok()).collect();
    assert!(idle.len() > 300, "more than there are descriptors");
    let mut files = Vec::new();
    for name in ["a.txt", "b.txt", "c.txt"] {
        let part = reqwest::multipart::Part::text("words to find").file_name(name);
        let form = reqwest::multipart::Form::new().text("purpose", "assistants").part("file", part);
        let upload = client.post(format!("{}/v1/files", program.base)).multipart(form);
        let (status, file) = send(upload).await;
        assert_eq!(status, StatusCode::OK, "{file}");
        files.push(file["id"].clone());
    }
    let stores = format!("{}/v1/vector_stores", program.base);
    let (_, store) = send(client.post(&stores).json(&json!({"file_ids": files}))).await;
    let begun = Instant::now();
    let path = format!("{stores}/{}", store["id"].as_str().unwrap());
    loop {
        let (_, store) = send(client.get(&path)).await;
        assert_eq!(store["file_counts"]["failed"], 0, "{store}");
        if store["file_counts"]["completed"] == 3 {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{store}");
    }
}
