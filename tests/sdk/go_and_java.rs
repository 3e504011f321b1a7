//! The clients of Go and Java hold the same conversation as the others, with only the base URL
//! changed.
//!
//! If Go, Java or their registries are not available, the tests print a line and are skipped.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    clients::{once, succeed},
    running::{KEY, Running, installed, root},
    skipped::{Remedy, skip},
};

/// The messages of Go and Maven when they cannot reach a registry.
const NOT_REACHED: [&str; 9] = [
    "module lookup disabled",
    "dial tcp",
    "i/o timeout",
    "proxy.golang.org",
    "offline mode",
    "Unknown host",
    "Could not transfer",
    "Connection refused",
    "Connect timed out",
];

/// The message of a toolchain that is too old for a client.
const TOO_OLD: &str = "requires go >=";

/// Runs a command that fetches a client, and returns whether the client is available. Any other
/// error fails the test.
fn fetch(command: &mut Command, client: &str) -> bool {
    let Ok(output) = command.output() else {
        let program = command.get_program().display();
        skip(&format!("{client}: {program} is not installed"), Remedy::Install);
        return false;
    };
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    if output.status.success() {
        return true;
    }
    let line_with =
        |words: &[&str]| said.lines().find(|line| words.iter().any(|word| line.contains(word)));
    match (line_with(&[TOO_OLD]), line_with(&NOT_REACHED)) {
        (Some(reason), _) => skip(&format!("{client}: {reason}"), Remedy::Install),
        (None, Some(reason)) => skip(&format!("{client}: {reason}"), Remedy::None),
        (None, None) => panic!("{command:?}\n{said}"),
    }
    false
}

fn converse(command: &mut Command) {
    let server = Running::start();
    succeed(command.env("OPENAI_BASE_URL", &server.base).env("OPENAI_API_KEY", KEY));
}

/// Builds one of the Go programs, if its client is available. The program needs no libraries.
pub fn build(name: &str, flags: &[&str]) -> Option<PathBuf> {
    let program = installed().join(format!("go-{name}"));
    let mut build = compile(name, "build", &program);
    fetch(build.args(flags).arg("."), &format!("the {name} client of Go")).then_some(program)
}

/// Builds the tests of the official client, if it is available. Returns the folder of the programs.
pub fn build_suites(packages: &[&str]) -> Option<PathBuf> {
    let programs = installed().join("suite-go");
    fs::create_dir_all(&programs).expect("a folder below target");
    let mut build = compile("official", "test", &programs);
    build.args(["-c", UNOPTIMISED]).args(packages);
    fetch(&mut build, "the official client of Go").then_some(programs)
}

/// The start of a command that compiles in the folder of one of the Go programs.
fn compile(name: &str, command: &str, output: &Path) -> Command {
    fs::create_dir_all(installed()).expect("a folder below target");
    let mut go = Command::new("go");
    go.args([command, "-mod=readonly", "-trimpath", "-o"])
        .arg(output)
        .current_dir(root().join("tests/sdk/go").join(name))
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "")
        .env("CGO_ENABLED", "0");
    go
}

/// An optimised build of the official client takes a minute and gigabytes of memory.
const UNOPTIMISED: &str = "-gcflags=github.com/openai/openai-go/v3=-N -l";

fn go(name: &str, flags: &[&str]) {
    if let Some(program) = build(name, flags) {
        converse(&mut Command::new(program));
    }
}

#[test]
fn the_official_client_of_go() {
    go("official", &[UNOPTIMISED]);
}

#[test]
fn the_community_client_of_go() {
    go("community", &[]);
}

#[test]
fn the_official_client_of_java() {
    const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.11.0:copy-dependencies";
    let (folder, source) = (installed().join("java"), root().join("tests/sdk/java"));
    let wanted = fs::read_to_string(source.join("pom.xml")).expect("what to fetch");
    let mut is_there = true;
    once(&folder, &wanted, || {
        let mut maven = Command::new("mvn");
        maven
            .args(["-q", "-B", COPY])
            .arg(format!("-DoutputDirectory={}", folder.display()))
            .current_dir(&source);
        is_there = fetch(&mut maven, "the official client of Java");
    });
    if !is_there {
        // An incomplete installation must not count as installed.
        return fs::remove_dir_all(folder).expect("a folder below target");
    }
    for program in ["Conversation.java", "Responses.java"] {
        let mut java = Command::new("java");
        java.args(["-XX:TieredStopAtLevel=1", "-cp"])
            .arg(folder.join("*"))
            .arg(source.join(program));
        converse(&mut java);
    }
}
