//! `check`, `schema`, `exec` and `--watch`, as they are used from a shell.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use futures_util::StreamExt;
use serde_json::{Value, json};

fn rehearsal(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
    command.current_dir(folder).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn check_says_what_is_wrong_and_how_to_mend_it() {
    let folder = tempfile::tempdir().unwrap();
    let none = rehearsal(folder.path(), &["check"]);
    assert_eq!(none.status.code(), Some(2), "there is nothing to check");
    fs::create_dir(folder.path().join("fixtures")).unwrap();
    let path = folder.path().join("fixtures/a.yaml");
    fs::write(&path, "replies:\n  - {name: a, steps: [{message: Hi}]}\nfaults: [{delay: 1s}]\n")
        .unwrap();
    let good = rehearsal(folder.path(), &["check"]);
    assert_eq!(
        (good.status.code(), text(&good.stdout).as_str()),
        (Some(0), "no mistakes: 1 reply, 1 fault to inject, 0 seeds\n")
    );
    assert_eq!(text(&rehearsal(folder.path(), &["check", "--format", "json"]).stdout), "[]\n");

    fs::write(&path, "replies:\n  - {name: a, stepz: []}\n").unwrap();
    let bad = rehearsal(folder.path(), &["check"]);
    assert_eq!(bad.status.code(), Some(1));
    let expected = "fixtures/a.yaml:2:15: unknown key 'stepz'\n  |\n2 |   - {name: a, stepz: \
                    []}\n  |               ^ did you mean 'steps'?\n\n1 mistake\n";
    assert_eq!(text(&bad.stdout), expected);
    let tools = rehearsal(folder.path(), &["check", "--format", "json", "fixtures/a.yaml"]);
    let found: Value = serde_json::from_slice(&tools.stdout).unwrap();
    assert_eq!(tools.status.code(), Some(1));
    assert_eq!(
        found,
        json!([{
            "file": "fixtures/a.yaml", "line": 2, "column": 15, "what": "unknown key 'stepz'",
            "help": "did you mean 'steps'?", "source": "  - {name: a, stepz: []}"
        }])
    );
    assert_eq!(rehearsal(folder.path(), &["check", "nowhere.yaml"]).status.code(), Some(2));
}

#[test]
fn the_schema_takes_every_fixture_in_the_repository() {
    let printed = rehearsal(Path::new(env!("CARGO_MANIFEST_DIR")), &["schema"]);
    let schema: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut checked = 0;
    for (name, yaml) in crate::docs::fixtures() {
        let value: Value =
            serde_saphyr::from_str(&yaml).unwrap_or_else(|error| panic!("{name}: {error}"));
        let errors: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
        checked += 1;
    }
    assert!(checked > 50, "{checked}");
    for bad in [
        json!({"repliez": []}),
        json!({"replies": [{"steps": [{}]}]}),
        json!({"faults": [{"probability": 2, "delay": "1s"}]}),
    ] {
        assert!(!validator.is_valid(&bad), "{bad}");
    }
}

#[cfg(unix)]
#[test]
fn files_that_cannot_be_fixtures_are_refused_each_with_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let said = |name: &str| {
        let output = rehearsal(folder.path(), &["check", name]);
        (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
    };
    fs::write(file("empty.yaml"), "").unwrap();
    assert_eq!(said("empty.yaml").0, 0);
    fs::write(file("binary.yaml"), [0xff, 0xfe, 0x00, 0x01]).unwrap();
    assert!(said("binary.yaml").1.starts_with("binary.yaml:1:1: this is not UTF-8 text"));
    fs::File::create(file("huge.yaml")).unwrap().set_len(40 << 20).unwrap();
    assert!(
        said("huge.yaml").1.contains("this file has 41943040 bytes: the maximum is 33554432 bytes")
    );

    fs::create_dir(file("links")).unwrap();
    std::os::unix::fs::symlink("links", file("links/again")).unwrap();
    std::os::unix::fs::symlink(file("links"), file("links/circle")).unwrap();
    fs::write(file("links/a.yaml"), "replies: [{name: a}]").unwrap();
    assert_eq!(
        said("links"),
        (0, "no mistakes: 1 reply, 0 faults to inject, 0 seeds\n".to_owned()),
        "folders are not followed"
    );
    std::os::unix::fs::symlink("self.yaml", file("links/self.yaml")).unwrap();
    let (code, circle) = said("links");
    assert!(
        code == 2 && circle.contains("cannot read the fixtures in links/self.yaml"),
        "{circle}"
    );
}

const UNMATCHED: &str = r"
import json, os, urllib.request
base = os.environ['OPENAI_BASE_URL']
headers = {'Authorization': 'Bearer ' + os.environ['OPENAI_API_KEY'],
    'OpenAI-Beta': 'assistants=v2', 'Content-Type': 'application/json'}
def ask(path, body=None):
    data = json.dumps(body).encode() if body else None
    return json.load(urllib.request.urlopen(urllib.request.Request(base + path, data, headers)))
assistant = ask('/assistants', {'model': 'm'})['id']
thread = {'messages': [{'role': 'user', 'content': 'Hi'}]}
run = ask('/threads/runs', {'assistant_id': assistant, 'thread': thread})
while run['status'] in ('queued', 'in_progress'):
    run = ask('/threads/' + run['thread_id'] + '/runs/' + run['id'])
";

#[test]
fn init_writes_a_project_and_keeps_the_files_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("vitest.config.ts"), "export default {};\n").unwrap();
    let said = text(&rehearsal(folder.path(), &["init", "--vitest"]).stdout);
    assert!(said.contains("wrote ./fixtures/first.yaml"), "{said}");
    assert!(
        said.contains(
            "kept ./vitest.config.ts: add to its key `test`: globalSetup: \
             \"rehearsal-server/vitest/setup\""
        ),
        "{said}"
    );
    assert!(!folder.path().join("vitest.config.mjs").exists());
    let again = text(&rehearsal(folder.path(), &["init", "--vitest"]).stdout);
    assert!(again.contains("kept ./fixtures/first.yaml") && !again.contains("wrote"), "{again}");
}

#[test]
fn exec_runs_a_command_against_a_server_of_its_own_and_answers_as_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let exec = |flags: &[&str], command: &[&str]| {
        let arguments: Vec<_> =
            ["exec"].iter().chain(flags).chain(&["--"]).chain(command).copied().collect();
        rehearsal(folder.path(), &arguments)
    };
    let shown = exec(
        &["--api-key", "sk-mine"],
        &[
            "sh",
            "-c",
            "echo $OPENAI_API_KEY $OPENAI_BASE_URL $AZURE_OPENAI_ENDPOINT $OPENAI_API_VERSION",
        ],
    );
    let words: Vec<_> = text(&shown.stdout).split_whitespace().map(str::to_owned).collect();
    assert_eq!((words[0].as_str(), words.len()), ("sk-mine", 4));
    assert_eq!(words[1], format!("{}/v1", words[2]));
    assert_eq!(exec(&[], &["sh", "-c", "exit 7"]).status.code(), Some(7));
    assert_eq!(exec(&[], &["no-such-command-anywhere"]).status.code(), Some(127));
    assert_eq!(exec(&["--pace", "fast"], &["true"]).status.code(), Some(2));
    assert_eq!(exec(&[], &["sh", "-c", "kill -9 $$"]).status.code(), Some(137));

    fs::write(
        folder.path().join("a.yaml"),
        "replies: [{name: never, times: 2, when: {message: Bye}}]",
    )
    .unwrap();
    for (unmatched, code) in [("fail", 1), ("echo", 0)] {
        let run = exec(
            &["--fixtures", "a.yaml", "--unmatched", unmatched],
            &["python3", "-c", UNMATCHED],
        );
        let said = text(&run.stderr);
        assert_eq!(run.status.code(), Some(code), "{said}");
        assert!(
            said.contains("no reply matched the run run_")
                && said.contains("(message: \"Hi\", nearest is never"),
            "{said}"
        );
        assert!(said.contains("never (a.yaml:1) was used 0 of 2 times"), "{said}");
    }
}

#[tokio::test]
async fn watched_fixtures_are_loaded_anew_and_a_broken_edit_keeps_the_last_good_ones() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one.yaml");
    fs::write(&file, "replies: [{name: one}]").unwrap();
    for path in [folder.path(), file.as_path()] {
        fs::write(&file, "replies: [{name: one}]").unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
            .args(["--listen", "127.0.0.1:0", "--watch", "--fixtures", path.to_str().unwrap()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(
            &mut std::io::BufReader::new(child.stdout.as_mut().unwrap()),
            &mut line,
        )
        .unwrap();
        let base =
            format!("{}/_rehearsal", line.trim().strip_prefix("rehearsal listening on ").unwrap());
        let mut events = crate::server::client()
            .get(format!("{base}/events"))
            .send()
            .await
            .unwrap()
            .bytes_stream();
        let mut next =
            async || String::from_utf8(events.next().await.unwrap().unwrap().to_vec()).unwrap();
        let names = async || {
            let list: Value = crate::server::client()
                .get(format!("{base}/fixtures"))
                .send()
                .await
                .unwrap()
                .json()
                .await
                .unwrap();
            list["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|reply| reply["name"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        fs::write(&file, "replies: [{name: two}]").unwrap();
        assert!(next().await.starts_with("event: fixtures.reloaded"));
        assert_eq!(names().await, ["two"]);
        // Editors do this: a new file replaces the old one.
        fs::write(folder.path().join("new.tmp"), "replies: [{nmae: three}]").unwrap();
        fs::rename(folder.path().join("new.tmp"), &file).unwrap();
        let broken = next().await;
        assert!(
            broken.starts_with("event: fixtures.broken") && broken.contains("did you mean 'name'?"),
            "{broken}"
        );
        assert_eq!(names().await, ["two"], "the last good ones stay");
        fs::write(&file, "replies: [{name: four}]\nassistants: [{id: asst_new, model: m}]")
            .unwrap();
        assert!(
            next().await.contains("event: fixtures.reloaded")
                || next().await.contains("event: fixtures.reloaded")
        );
        assert_eq!(names().await, ["four"]);
        child.kill().unwrap();
        child.wait().unwrap();
        // A stopped server does not respond.
        assert!(
            tokio::time::timeout(
                Duration::from_secs(5),
                crate::server::client().get(format!("{base}/health")).send()
            )
            .await
            .unwrap()
            .is_err()
        );
    }
}
