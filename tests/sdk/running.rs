//! The binary, running on a free port.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

pub const KEY: &str = "sk-rehearsal-tests";

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder for the installed SDKs.
pub fn installed() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder");
    target.join("sdk")
}

pub struct Running {
    child: Child,
    /// The base URL for clients.
    pub base: String,
}

impl Running {
    pub fn start() -> Self {
        Self::with(&[
            "--unmatched",
            "fail",
            "--fixtures",
            "fixtures",
            "--fixtures",
            "tests/sdk/fixtures.yaml",
        ])
    }

    pub fn with(more: &[&str]) -> Self {
        Self::with_environment(more, &[])
    }

    pub fn with_environment(more: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
            .current_dir(root())
            .args(["--listen", "127.0.0.1:0", "--api-key", KEY])
            .args(more)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output"))
            .read_line(&mut line)
            .expect("its first line");
        let base = line.trim().strip_prefix("rehearsal listening on ").expect("where it listens");
        Self { base: format!("{base}/v1"), child }
    }

    /// Ends it at once, without a shutdown.
    pub fn kill(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-KILL", &pid]).status().expect("kill").success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
