//! A server for comparison: aimock, a mock of chat completions that stores nothing. The first use
//! installs it from npm.

use std::{
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::load::SAID;

const PACKAGE: &str = "@copilotkit/aimock@1.43.0";

pub struct Peer {
    child: Child,
    pub address: String,
    _folder: tempfile::TempDir,
}

impl Drop for Peer {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Peer {
    /// `None` without npm, or if the first use has no network.
    pub fn start() -> Option<Self> {
        let program = installed()?;
        let folder = tempfile::tempdir().ok()?;
        let fixtures = folder.path().join("fixtures.json");
        let reply = json!({"match": {"userMessage": SAID}, "response": {"content": SAID}});
        std::fs::write(&fixtures, json!({"fixtures": [reply]}).to_string()).ok()?;
        let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        // Pieces of four characters give the same number of pieces as our stream.
        let child = Command::new(program)
            .args(["--port", &port.to_string(), "--chunk-size", "4", "--log-level", "silent"])
            .arg("--fixtures")
            .arg(fixtures)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let peer = Self { child, address: format!("127.0.0.1:{port}"), _folder: folder };
        let begun = Instant::now();
        while TcpStream::connect(&peer.address).is_err() {
            if begun.elapsed() > Duration::from_secs(20) {
                return None;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(peer)
    }
}

fn installed() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("aimock");
    let program = folder.join("node_modules/.bin/llmock");
    if !program.exists() {
        let npm = Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
            .arg(&folder)
            .arg(PACKAGE)
            .status();
        npm.ok().filter(|status| status.success())?;
    }
    Some(program)
}
