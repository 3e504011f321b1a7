//! The measured processes: the server, and this program itself as a bare axum route.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
};

use axum::{Router, routing::get, serve::ListenerExt};

/// The argument that makes this program the bare route.
pub const BARE: &str = "--bare-route";

pub struct Process {
    child: Child,
    pub address: String,
}

impl Process {
    /// The program of this build, or the one in `REHEARSAL_BIN` for a comparison.
    pub fn server(arguments: &[&str]) -> Self {
        let program = std::env::var_os("REHEARSAL_BIN");
        let mut command =
            Command::new(program.unwrap_or_else(|| env!("CARGO_BIN_EXE_rehearsal").into()));
        command.args(["--listen", "127.0.0.1:0", "--log", "warn"]).args(arguments);
        Self::spawn(command)
    }

    pub fn bare() -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        command.arg(BARE);
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let out = child.stdout.take().expect("its output is piped");
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).expect("it says where it listens");
        let address = line.trim().rsplit('/').next().unwrap_or_default().to_owned();
        Self { child, address }
    }

    /// The resident memory, by the kernel's count.
    pub fn resident_mib(&self) -> f64 {
        self.memory("VmRSS:")
    }

    /// The resident memory of the process alone, without pages of files.
    pub fn own_mib(&self) -> f64 {
        self.memory("RssAnon:")
    }

    /// The peak of the resident memory.
    pub fn peak_mib(&self) -> f64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or("0 0");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(f64::NAN)
            / 1024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A route with a constant response. It is served in the same way as the routes of the program.
pub async fn bare_route() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!("bare route listening on http://{}", listener.local_addr().expect("an address"));
    std::io::stdout().flush().expect("standard output");
    let listener = listener.tap_io(|connection| _ = connection.set_nodelay(true));
    let routes = Router::new().route("/", get(async || "{\"ok\":true}"));
    axum::serve(listener, routes).await.expect("a server");
}

/// The machine of the measurement.
pub fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("{cores} processors ({}), {}", model.unwrap_or("unknown"), std::env::consts::OS)
}
