//! The clients from PyPI and npm, driven by tests in their own languages.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::running::{KEY, Running, installed, root};

#[test]
fn the_python_client() {
    let python = python_with_client();
    drive(
        Command::new(python)
            .args(["-m", "unittest", "-q", "test_openai", "test_files"])
            .current_dir(root().join("tests/sdk/python")),
    );
}

#[test]
fn the_node_client() {
    let folder = node_with_client();
    drive(Command::new("node").args(["--test", "openai.test.mjs", "files.test.mjs"]).current_dir(folder));
}

/// Runs a client's tests against a server of their own.
fn drive(command: &mut Command) {
    let server = Running::start();
    let output = command.env("OPENAI_BASE_URL", &server.base).env("OPENAI_API_KEY", KEY).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
}

fn install(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; is it installed?"));
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{said}");
}

/// Installs into a folder once for each version of what it is installed from.
fn once(folder: &Path, wanted: &Path, install: impl FnOnce()) {
    let wanted = fs::read_to_string(wanted).expect("what to install");
    let stamp = folder.join("installed");
    if fs::read_to_string(&stamp).is_ok_and(|there| there == wanted) {
        return;
    }
    _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).expect("a folder below target");
    install();
    fs::write(stamp, wanted).expect("a note of what is installed");
}

/// A Python that has the client.
fn python_with_client() -> PathBuf {
    let (folder, requirements) = (installed().join("python"), root().join("tests/sdk/python/requirements.txt"));
    let python = folder.join("bin/python");
    once(&folder, &requirements, || {
        install(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        install(
            Command::new(&python)
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
                .arg(&requirements),
        );
    });
    python
}

/// A folder with the client and its tests in it.
fn node_with_client() -> PathBuf {
    let (folder, sources) = (installed().join("node"), root().join("tests/sdk/node"));
    once(&folder, &sources.join("package.json"), || {
        fs::copy(sources.join("package.json"), folder.join("package.json")).expect("package.json");
        install(Command::new("npm").args(["install", "--silent", "--no-audit", "--no-fund"]).current_dir(&folder));
    });
    for tests in ["openai.test.mjs", "files.test.mjs"] {
        fs::copy(sources.join(tests), folder.join(tests)).expect("the tests");
    }
    folder
}
