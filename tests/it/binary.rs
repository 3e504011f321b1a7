//! The program itself: its first line, its exit codes, and its end.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Instant,
};

use serde_json::json;

fn rehearsal() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
    command.env_clear().stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn fails(arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = rehearsal().args(arguments).output().unwrap();
    let message = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(2), "{arguments:?}: {message}");
    assert_eq!(stdout, b"", "nothing is announced");
    message
}

/// Starts a server and returns its address.
fn start(arguments: &[&str]) -> (Child, String) {
    launch(rehearsal().args(arguments))
}

fn launch(command: &mut Command) -> (Child, String) {
    let mut child = command.args(["--listen", "127.0.0.1:0"]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let base = line
        .trim()
        .strip_prefix("rehearsal listening on ")
        .unwrap_or_else(|| panic!("{line:?}"))
        .to_owned();
    (child, base)
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn what_cannot_be_started_says_so_in_one_message_and_exits_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let fixture = path("bad.yaml");
    std::fs::write(&fixture, "replies: [{nmae: x}]").unwrap();
    std::fs::write(
        path("text.db"),
        "this is a letter, not a database; it is long enough to have a header",
    )
    .unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();

    assert!(fails(&["--nonsense"]).contains("unexpected argument '--nonsense'"));
    assert!(fails(&["--pace", "fast"]).contains("expected one of instant, steps, realistic"));
    assert!(fails(&["--clock", "noon"]).contains("2026-01-31T12:00:00Z"));
    assert!(fails(&["--listen", &address]).contains(&format!("cannot listen on {address}")));
    let broken = fails(&["--listen", "127.0.0.1:0", "--fixtures", &fixture]);
    assert!(
        broken.contains("bad.yaml:1:12: unknown key 'nmae'")
            && broken.contains("did you mean 'name'?"),
        "{broken}"
    );
    assert!(
        fails(&["--listen", "127.0.0.1:0", "--fixtures", &path("nowhere")])
            .contains("cannot read the fixtures")
    );
    assert!(
        fails(&["--listen", "127.0.0.1:0", "--database", &path("no/such/folder.db")])
            .contains("cannot open the database")
    );
    let text = std::fs::read(path("text.db")).unwrap();
    assert!(
        fails(&["--listen", "127.0.0.1:0", "--database", &path("text.db")]).contains("text.db")
    );
    assert_eq!(std::fs::read(path("text.db")).unwrap(), text, "and left alone");
}

#[tokio::test]
async fn databases_of_others_and_of_the_future_are_left_alone() {
    use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
    let folder = tempfile::tempdir().unwrap();
    let execute = async |path: &Path, sql: &'static str| {
        let mut connection = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .connect()
            .await
            .unwrap();
        sqlx::query(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    };
    let foreign = folder.path().join("foreign.db");
    execute(&foreign, "create table recipes (name text)").await;
    let message = fails(&["--listen", "127.0.0.1:0", "--database", foreign.to_str().unwrap()]);
    assert!(message.contains("is a database of another program"), "{message}");

    let newer = folder.path().join("newer.db");
    let (mut child, _) = start(&["--database", newer.to_str().unwrap()]);
    signal(&child, "-TERM");
    assert!(child.wait().unwrap().success());
    execute(&newer, "insert into _sqlx_migrations values (9999, 'future', 0, true, x'00', 0)")
        .await;
    let before = std::fs::read(&newer).unwrap();
    let message = fails(&["--listen", "127.0.0.1:0", "--database", newer.to_str().unwrap()]);
    assert!(message.contains("a newer version of Rehearsal wrote the database"), "{message}");
    assert_eq!(std::fs::read(&newer).unwrap(), before);
}

#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("killed.db");
    let database = ["--database", path.to_str().unwrap()];
    let client = crate::server::client();
    let post = async |url: String, body: serde_json::Value| {
        let request =
            client.post(url).bearer_auth("x").header("openai-beta", "assistants=v2").json(&body);
        request.send().await.unwrap().json::<serde_json::Value>().await.unwrap()
    };
    let (mut child, base) = start(&database);
    let thread =
        post(format!("{base}/v1/threads"), json!({})).await["id"].as_str().unwrap().to_owned();
    let posts = (0..200).map(|number| {
        post(
            format!("{base}/v1/threads/{thread}/messages"),
            json!({"role": "user", "content": number.to_string()}),
        )
    });
    let sent = futures_util::future::join_all(posts).await;
    child.kill().unwrap();
    child.wait().unwrap();

    let (mut child, base) = start(&database);
    for message in sent {
        let url =
            format!("{base}/v1/threads/{thread}/messages/{}", message["id"].as_str().unwrap());
        let found = client
            .get(url)
            .bearer_auth("x")
            .header("openai-beta", "assistants=v2")
            .send()
            .await
            .unwrap();
        assert_eq!(found.json::<serde_json::Value>().await.unwrap(), message);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn a_signal_ends_the_server_and_open_streams_do_not_hold_it() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = folder.path().join("hang.yaml");
    std::fs::write(
        &fixture,
        "assistants: [{id: asst_a, model: gpt-4o, instructions: x}]\nreplies: [{outcome: hang}]",
    )
    .unwrap();
    for name in ["-TERM", "-INT"] {
        let (mut child, base) = start(&["--fixtures", fixture.to_str().unwrap()]);
        let request =
            crate::server::client().post(format!("{base}/v1/threads/runs")).bearer_auth("x");
        let request = request
            .header("openai-beta", "assistants=v2")
            .json(&json!({"assistant_id": "asst_a", "stream": true}));
        let stream = request.send().await.unwrap();
        assert!(stream.status().is_success());
        let begun = Instant::now();
        signal(&child, name);
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(0));
        assert!(begun.elapsed().as_secs() < 5, "a stream that never ends does not hold the server");
        drop(stream);
    }
}

#[test]
fn health_tells_whether_a_server_answers() {
    let (mut child, base) = start(&[]);
    let health = |url: &str| rehearsal().args(["health", url]).output().unwrap();
    assert_eq!(health(&base).status.code(), Some(0));
    child.kill().unwrap();
    child.wait().unwrap();
    let down = health(&base);
    assert_eq!(down.status.code(), Some(1));
    assert!(String::from_utf8(down.stderr).unwrap().contains(&base));
    assert_eq!(health("https://127.0.0.1:1").status.code(), Some(1));
}

#[test]
fn nothing_is_left_of_a_database_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, _) = launch(rehearsal().env("TMPDIR", folder.path()));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Uploads a document and returns the address of its content.
async fn upload(base: &str, text: &'static str) -> String {
    let part = reqwest::multipart::Part::text(text).file_name("notes.txt");
    let form = reqwest::multipart::Form::new().text("purpose", "vision").part("file", part);
    let sent = crate::server::client()
        .post(format!("{base}/v1/files"))
        .bearer_auth("x")
        .multipart(form)
        .send();
    let file: serde_json::Value = sent.await.unwrap().json().await.unwrap();
    format!("/v1/files/{}/content", file["id"].as_str().unwrap())
}

#[tokio::test]
async fn files_of_a_database_in_memory_go_at_the_end_or_when_the_next_server_has_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let folders = || std::fs::read_dir(folder.path()).unwrap().count();
    for (name, left) in [("-KILL", 1), ("-TERM", 0)] {
        let (mut child, base) = launch(rehearsal().env("TMPDIR", folder.path()));
        upload(&base, "kept nowhere").await;
        assert_eq!(folders(), 1, "what a killed server left is gone");
        signal(&child, name);
        child.wait().unwrap();
        assert_eq!(folders(), left);
    }
}

#[tokio::test]
async fn files_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("killed.db");
    let database = ["--database", path.to_str().unwrap()];
    let (mut child, base) = start(&database);
    let content = upload(&base, "kept for good").await;
    child.kill().unwrap();
    child.wait().unwrap();
    let (mut child, base) = start(&database);
    let found = crate::server::client()
        .get(format!("{base}{content}"))
        .bearer_auth("x")
        .send()
        .await
        .unwrap();
    assert_eq!(found.text().await.unwrap(), "kept for good");
    child.kill().unwrap();
    child.wait().unwrap();
}
