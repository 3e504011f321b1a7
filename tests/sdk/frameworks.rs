//! Frameworks that use the Responses API, unchanged except for the base URL. Each uses its own
//! server for a tool, a stream and its special features.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use crate::{
    clients::{node, python, succeed},
    running::{KEY, root},
};

/// A Python with the frameworks that need the same version of the client.
pub static FRAMEWORKS: LazyLock<PathBuf> =
    LazyLock::new(|| python("frameworks", "tests/sdk/frameworks/requirements.txt"));

/// A Python with LlamaIndex, which needs an older client.
static LLAMA_INDEX: LazyLock<PathBuf> =
    LazyLock::new(|| python("llama_index", "tests/sdk/frameworks/llama_index.txt"));

static NODE: LazyLock<PathBuf> =
    LazyLock::new(|| node("frameworks-node", "tests/sdk/frameworks/package.json"));

/// `rehearsal exec` in a folder, with the fixtures of these tests. A run that no reply matches
/// fails.
fn exec(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
    command
        .args(["exec", "--api-key", KEY, "--log", "warn", "--unmatched", "fail", "--fixtures"])
        .arg(sources().join("fixtures.yaml"))
        .arg("--")
        // Traces would go to the real service.
        .env("OPENAI_AGENTS_DISABLE_TRACING", "1")
        .current_dir(folder);
    command
}

fn sources() -> PathBuf {
    root().join("tests/sdk/frameworks")
}

fn in_python(python: &Path, tests: &str) {
    succeed(exec(&sources()).arg(python).args(["-m", "unittest", "-q", tests]));
}

fn in_node(tests: &str) {
    fs::copy(sources().join(tests), NODE.join(tests)).expect("the tests");
    succeed(exec(&NODE).args(["node", "--test", tests]));
}

#[test]
fn the_agents_sdk_for_python() {
    in_python(&FRAMEWORKS, "test_agents");
}

#[test]
fn langchain() {
    in_python(&FRAMEWORKS, "test_langchain");
}

#[test]
fn pydantic_ai() {
    in_python(&FRAMEWORKS, "test_pydantic_ai");
}

#[test]
fn llama_index() {
    in_python(&LLAMA_INDEX, "test_llama_index");
}

#[test]
fn the_agents_sdk_for_javascript() {
    in_node("agents.test.mjs");
}

#[test]
fn the_ai_sdk() {
    in_node("ai.test.mjs");
}
