//! Old and new versions of the official clients, which hold the same conversation. The first
//! versions use v1. The newest ones and the last of the first generation also use Azure's paths.

use std::{fs, path::PathBuf, process::Command};

use crate::{
    clients::{PYTHON, install, once, succeed},
    running::{KEY, Running, installed, root},
};

/// The versions whose Azure client is tested.
const AZURE: [&str; 4] = ["1.109.1", "3.52.0", "4.104.0", "7.55.0"];

fn folder() -> PathBuf {
    root().join("tests/sdk/versions")
}

fn lines(name: &str) -> Vec<String> {
    let text = fs::read_to_string(folder().join(name)).expect("a list of versions");
    text.lines().map(str::to_owned).collect()
}

/// Runs the conversation with a client. If its version is in the list, it also runs with Azure's
/// paths.
fn converse(server: &Running, version: &str, client: impl Fn() -> Command) {
    let endpoint = server.base.strip_suffix("/v1").expect("a base URL");
    let azure = AZURE.contains(&version).then_some(Some("azure"));
    for mode in [None].into_iter().chain(azure) {
        let mut command = client();
        command.args(mode).env("OPENAI_API_KEY", KEY);
        match mode {
            None => command.env("OPENAI_BASE_URL", &server.base),
            Some(_) => command
                .env("AZURE_OPENAI_ENDPOINT", endpoint)
                .env("OPENAI_API_VERSION", "2024-05-01-preview"),
        };
        succeed(&mut command);
    }
}

#[test]
fn every_python_client_holds_the_conversation() {
    let server = Running::start();
    for line in lines("python.txt") {
        let (version, requirements) = line.split_once(' ').expect("a version and what to install");
        let packages = installed().join(format!("python-{version}"));
        once(&packages, &line, || {
            let pip =
                ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"];
            install(Command::new(&*PYTHON).args(pip).arg(&packages).args(requirements.split(' ')));
        });
        converse(&server, version, || {
            let mut command = Command::new(&*PYTHON);
            command.arg(folder().join("conversation.py")).env("PYTHONPATH", &packages);
            command
        });
    }
}

#[test]
fn every_node_client_holds_the_conversation() {
    let server = Running::start();
    for version in lines("node.txt") {
        let packages = installed().join(format!("node-{version}"));
        once(&packages, &version, || {
            let npm = ["install", "--silent", "--no-audit", "--no-fund", "--no-save"];
            install(
                Command::new("npm")
                    .args(npm)
                    .arg(format!("openai@{version}"))
                    .current_dir(&packages),
            );
        });
        // Node searches for packages in the folder of the program.
        fs::copy(folder().join("conversation.mjs"), packages.join("conversation.mjs"))
            .expect("the conversation");
        converse(&server, &version, || {
            let mut command = Command::new("node");
            command.arg(packages.join("conversation.mjs"));
            command
        });
    }
}
