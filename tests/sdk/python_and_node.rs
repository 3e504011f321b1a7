//! The clients from PyPI and npm. Tests in their own languages use them, each with its own server.

use std::{fs, process::Command};

use crate::{
    clients::{NODE, PYTHON, succeed},
    running::{KEY, root},
};

/// `rehearsal exec`, with the fixtures of these tests.
fn exec() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
    let fixtures = ["fixtures", "tests/sdk/fixtures.yaml"].map(|path| root().join(path));
    // Some of these tests need runs that no reply matches.
    command.args(["exec", "--api-key", KEY, "--log", "warn"]);
    for path in fixtures {
        command.arg("--fixtures").arg(path);
    }
    command.arg("--");
    command
}

#[test]
fn the_python_client() {
    let tests = ["-m", "unittest", "-q", "test_openai", "test_files", "test_responses"];
    succeed(exec().arg(&*PYTHON).args(tests).current_dir(root().join("tests/sdk/python")));
}

#[test]
fn the_node_client() {
    let tests = ["openai.test.mjs", "files.test.mjs", "responses.test.mjs"];
    for name in tests {
        fs::copy(root().join("tests/sdk/node").join(name), NODE.join(name)).expect("the tests");
    }
    succeed(exec().args(["node", "--test"]).args(tests).current_dir(&*NODE));
}
