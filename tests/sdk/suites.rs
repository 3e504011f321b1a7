//! The test suites of the official clients, from their packages in PyPI and Go. The package in npm
//! has no suite.
//!
//! They check that each method of a client can read the answer.

mod stand_in;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use self::stand_in::{FIXTURES, StandIn};
use crate::{
    clients::{install, once, python},
    go_and_java,
    running::{Running, installed, root},
};

/// The packages to install for the Python suite. The first line is the client.
const REQUIREMENTS: &str = "tests/sdk/suites/python.txt";

/// Tests of the Python suite that contradict the recordings. The recordings decide.
const PYTHON_EXCEPTIONS: [(&str, &str); 2] = [
    // The recorded answer is `conversation.item.deleted`. The client expects a conversation.
    ("conversations/test_items.py", "delete"),
    // A recorded compaction keeps the user's messages. The client expects items of answers.
    ("test_responses.py", "compact"),
];

const PYTHON_FILES: [&str; 6] = [
    "conversations",
    "containers",
    "responses",
    "test_containers.py",
    "test_conversations.py",
    "test_responses.py",
];

/// Runs a suite against its own server.
async fn run(suite: impl FnOnce(String) -> Output + Send + 'static) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let fixtures = folder.path().join("fixtures.yaml");
    fs::write(&fixtures, FIXTURES).expect("fixtures");
    let fixtures = fixtures.to_str().expect("a path in UTF-8");
    let server = Running::with(&["--fixtures", fixtures, "--log", "warn"]);
    let stand_in = StandIn::start(&server).await;
    let base = stand_in.base.clone();
    tokio::task::spawn_blocking(|| suite(base)).await.expect("the suite")
}

/// The source of the Python client, which contains its tests.
fn python_source(python: &Path) -> PathBuf {
    let folder = installed().join("suite-python-source");
    let requirements = fs::read_to_string(root().join(REQUIREMENTS)).expect("what to install");
    let version = requirements.lines().next().expect("the client").replace("[aiohttp]", "");
    once(&folder, &version, || {
        let pip = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check"];
        let mut download = Command::new(python);
        download.args(pip).args(["--no-deps", "--no-binary", "openai", &version, "--dest"]);
        install(download.arg(&folder));
        let archive = folder.join(format!("{}.tar.gz", version.replace("==", "-")));
        install(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&folder));
    });
    folder.join(version.replace("==", "-")).join("tests/api_resources")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_of_the_python_client() {
    let output = run(|base| {
        let python = python("suite-python", REQUIREMENTS);
        let mut pytest = Command::new(&python);
        pytest.args(["-m", "pytest", "-o", "addopts=", "-p", "no:cacheprovider"]);
        pytest.args(["-q", "--tb=short", "-rfE", "-n", "2"]).args(PYTHON_FILES);
        pytest.current_dir(python_source(&python)).env("TEST_API_BASE_URL", base);
        pytest.output().expect("pytest")
    })
    .await;
    let said = String::from_utf8_lossy(&output.stdout);
    let mut seen = BTreeSet::new();
    for line in said.lines() {
        assert!(!line.starts_with("ERROR "), "{said}");
        let Some(test) = line.strip_prefix("FAILED ") else { continue };
        let exception = PYTHON_EXCEPTIONS.iter().find(|(file, word)| {
            test.starts_with(file) && test.contains(word) && !test.contains("path_params")
        });
        seen.insert(exception.unwrap_or_else(|| panic!("{test}\n{said}")));
    }
    assert_eq!(seen.len(), PYTHON_EXCEPTIONS.len(), "an exception is none any more:\n{said}");
    assert!(passed(&said) > 500, "{said}");
}

/// The number of passed tests in the last line of pytest: `40 failed, 517 passed in 15.02s`.
fn passed(said: &str) -> usize {
    let last = said.lines().last().unwrap_or_default();
    let words: Vec<_> = last.split(' ').collect();
    let count = words.windows(2).find(|pair| pair[1].starts_with("passed"));
    count.and_then(|pair| pair[0].parse().ok()).unwrap_or_default()
}

/// The packages of the Go client, the programs of their tests, and the tests of this API.
const GO: [(&str, &str, &str); 3] = [
    (
        "github.com/openai/openai-go/v3",
        "openai-go.test",
        "^Test(Beta(Assistant|Thread)|Container|File|Upload|VectorStore)",
    ),
    ("github.com/openai/openai-go/v3/conversations", "conversations.test", "^Test"),
    (
        "github.com/openai/openai-go/v3/responses",
        "responses.test",
        "^Test(Response(New|Get|Delete|Cancel|Compact)|InputItem|InputToken)",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_of_the_go_client() {
    let Some(programs) = go_and_java::build_suites(&GO.map(|(package, ..)| package)) else {
        return;
    };
    for (_, program, tests) in GO {
        let program = programs.join(program);
        let output = run(move |base| {
            let mut run = Command::new(program);
            run.args(["-test.v", "-test.run", tests]).env("TEST_API_BASE_URL", base);
            run.output().expect("the tests")
        })
        .await;
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("--- PASS"), "{said}");
    }
}
