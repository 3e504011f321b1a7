//! A full disk that gets space again.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
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
    load::{RUNS, fixtures, millis, run},
    table::Table,
};

/// A small file system in memory. It exists as long as this value.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mount.is_ok_and(|status| status.success()).then(|| Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).expect("a file");
    while file.write_all(&[0; 4_096]).is_ok() {}
}

/// A run that must write while the disk is full. It measures the time from new space to the end of
/// the run.
pub async fn full(table: &mut Table) {
    const WHAT: &str = "from space on a full disk to the end of a run that met it";
    let Some(disk) = SmallDisk::mount() else {
        return table.row(WHAT, "never", "skipped: no file system can be mounted here".to_owned());
    };
    let (_folder, replies) = fixtures("replies: [{steps: [{pause: 1m}, {message: Hello}]}]");
    let database = disk.0.path().join("x.db");
    let database = database.to_str().expect("a path");
    let clock = ["--clock", "2025-01-01T00:00:00Z"];
    let server =
        Process::server(&[&["--fixtures", &replies, "--database", database], &clock[..]].concat());
    let mut client = Client::connect(&server.address).await;
    let assistant = client.assistant().await;
    let created = client.post(RUNS, &run(&assistant, "Hi", false)).await;
    let path =
        format!("/v1/threads/{}/runs/{}", field(&created, "thread_id"), field(&created, "id"));
    let filler = disk.0.path().join("filler");
    fill(&filler);
    client.post("/_rehearsal/clock", &json!({"advance": "2m"})).await;
    // This is longer than one series of attempts.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let refused = client
        .try_send(Method::POST, "/v1/threads", Bytes::from_static(b"{}"))
        .await
        .expect("an answer");
    let status = refused.status().as_u16();
    read(refused).await;
    std::fs::remove_file(filler).expect("the file is there");
    let begun = Instant::now();
    let ended = loop {
        let status = field(&client.get(&path).await, "status");
        if !matches!(status.as_str(), "queued" | "in_progress") {
            break status;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "the run ends");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let took = millis(begun.elapsed());
    table.row(WHAT, "never", format!("{took}, {ended} (writes meanwhile: {status})"));
}
