//! `exec --verify` and `exec --report` from a shell. Invalid options are rejected before the
//! command starts. A report is written for every end of the command.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use crate::unharmed::PROGRAM;

fn exec(folder: &Path, flags: &[&str], command: &[&str]) -> Output {
    let mut exec = Command::new(PROGRAM);
    exec.arg("exec").args(flags).arg("--").args(command).current_dir(folder);
    exec.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_cannot_be_used_is_refused_before_the_command_starts() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("misspelt.yaml", "expect:\n  - rely: weather\n");
    write("empty.yaml", "");
    write("never.yaml", "expect: [{reply: a, times: {at_least: 2, at_most: 1}}]");
    write("kept.json", "kept");
    for (flags, message) in [
        (["--report", "r.txt"], "--report r.txt: the name must end in .html, .xml or .json"),
        (["--report", "report"], "--report report: the name must end in"),
        (["--report", "none/r.json"], "--report none/r.json: cannot write to it: "),
        (["--report", "."], "--report .: the name must end in"),
        (["--verify", "none.yaml"], "--verify none.yaml: "),
        (["--verify", "misspelt.yaml"], "misspelt.yaml:2:5: unknown key 'rely'"),
        (["--verify", "empty.yaml"], "empty.yaml:1:1: 'expect' is missing"),
        (
            ["--verify", "never.yaml"],
            "never.yaml:1:28: 'at_least' (2) is greater than 'at_most' (1)",
        ),
    ] {
        let output = exec(folder.path(), &flags, &["touch", "started"]);
        assert_eq!(output.status.code(), Some(2), "{flags:?} {}", said(&output));
        assert!(said(&output).contains(message), "{flags:?} {}", said(&output));
        assert!(!folder.path().join("started").exists(), "{flags:?}");
    }
    // All formats are checked before a file is created, and existing content stays.
    let flags = ["--report", "new.json", "--report", "kept.json", "--report", "r.txt"];
    assert_eq!(exec(folder.path(), &flags, &["true"]).status.code(), Some(2));
    assert!(!folder.path().join("new.json").exists());
    assert_eq!(fs::read_to_string(folder.path().join("kept.json")).unwrap(), "kept");
}

#[test]
fn a_report_is_written_however_the_command_ends() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    for (command, code) in [("exit 3", 3), ("kill -9 $$", 137), ("true", 0)] {
        // Nothing remains of a longer report from an earlier run.
        fs::write(folder.path().join("r.json"), "x".repeat(10_000)).unwrap();
        let flags = ["--report", "r.json", "--report", "r.xml", "--report", "r.HTML"];
        let output = exec(folder.path(), &flags, &["sh", "-c", command]);
        assert_eq!(output.status.code(), Some(code), "{command}");
        let report: Value = serde_json::from_str(&read("r.json")).unwrap();
        assert_eq!(report["object"], "list");
        assert!(report["data"].as_array().unwrap().is_empty());
        assert!(read("r.xml").contains(r#"tests="0" failures="0" errors="0""#));
        assert!(read("r.HTML").contains("There were no runs."));
    }
    let flags = ["--report", "none.json"];
    let output = exec(folder.path(), &flags, &["no-such-command-anywhere"]);
    assert_eq!(output.status.code(), Some(127));
    assert!(read("none.json").contains("\"data\": []"));
}

#[test]
fn a_report_is_written_when_the_command_is_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let mut exec = Command::new(PROGRAM)
        .args(["exec", "--report", "r.json", "--", "sh", "-c", "echo begun; exec sleep 60"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(exec.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "begun\n");
    let pid = exec.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(exec.wait().unwrap().code(), Some(130));
    let report = fs::read_to_string(folder.path().join("r.json")).unwrap();
    assert!(report.contains("\"object\": \"list\""), "{report}");
}
