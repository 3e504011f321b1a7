//! A real browser with a page of another origin: the page can neither read nor change anything.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    response::Html,
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot};

use crate::{
    running::{KEY, Running},
    skipped::{Remedy, skip},
};

/// Chromium of Debian or of another source. Without it, the test is skipped.
pub fn browser() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|file| file.is_file());
    if found.is_none() {
        skip("a page in a browser: there is no Chromium", Remedy::Install);
    }
    found
}

pub fn visit(browser: &PathBuf, profile: &tempfile::TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(browser);
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-dev-shm-usage",
        ])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(arguments)
        .stderr(Stdio::null());
    command
}

struct Visitor(Child);

impl Drop for Visitor {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// Serves the page. Returns its address and its report.
async fn page() -> (String, oneshot::Receiver<String>) {
    let (report, reported) = oneshot::channel();
    let report = Arc::new(Mutex::new(Some(report)));
    let take = move |body: String| async move {
        if let Some(report) = report.lock().unwrap().take() {
            _ = report.send(body);
        }
    };
    let routes = Router::new()
        .route("/", get(async || Html(include_str!("page.html"))))
        .route("/report", post(take));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (format!("http://{address}"), reported)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_origin_can_neither_read_nor_change_anything() {
    let Some(browser) = browser() else { return };
    let server = Running::start();
    let origin = server.base.trim_end_matches("/v1").to_owned();
    rehearsal::internals::prepare_tls();
    let client = reqwest::Client::new();
    let ask = async |path: &str| {
        let request = client
            .get(format!("{origin}{path}"))
            .bearer_auth(KEY)
            .header("openai-beta", "assistants=v2");
        request.send().await.unwrap().json::<Value>().await.unwrap()
    };
    let assistant = json!({"model": "gpt-4o"});
    let made = client
        .post(format!("{origin}/v1/assistants"))
        .bearer_auth(KEY)
        .header("openai-beta", "assistants=v2");
    made.json(&assistant).send().await.unwrap();
    client.put(format!("{origin}/_rehearsal/snapshots/a")).send().await.unwrap();
    let before = (ask("/v1/assistants").await, ask("/_rehearsal/fixtures").await);

    let (page, reported) = page().await;
    let profile = tempfile::tempdir().unwrap();
    let url = format!("{page}/?target={origin}");
    let visitor = visit(&browser, &profile, &["--remote-debugging-port=0", &url])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let _visitor = Visitor(visitor);
    let report = tokio::time::timeout(Duration::from_secs(60), reported)
        .await
        .expect("the page reports")
        .unwrap();
    let seen: Vec<(String, Option<String>)> = serde_json::from_str(&report).unwrap();
    assert_eq!(seen.len(), 17, "{seen:?}");
    for (attempt, read) in &seen {
        // A beacon returns only that it was sent, and a request without CORS returns nothing.
        assert!(matches!(read.as_deref(), None | Some("" | "true")), "{attempt}: {read:?}");
    }
    assert_eq!((ask("/v1/assistants").await, ask("/_rehearsal/fixtures").await), before);
    let requests = ask("/_rehearsal/requests?method=POST").await;
    let paths: Vec<_> = requests["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["/v1/assistants"], "and none of it came as far as the journal");
}

#[test]
fn a_name_that_was_rebound_to_this_machine_is_not_answered_to() {
    let Some(browser) = browser() else { return };
    let server = Running::start();
    let port = server.base.rsplit(':').next().unwrap().trim_end_matches("/v1");
    let profile = tempfile::tempdir().unwrap();
    let url = format!("http://rebound.example:{port}/_rehearsal/fixtures");
    let rules = "--host-resolver-rules=MAP rebound.example 127.0.0.1";
    let output = visit(&browser, &profile, &["--dump-dom", rules, &url]).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        shown.contains("does not answer to the host name") && !shown.contains("math-tutor"),
        "{shown}"
    );
}
