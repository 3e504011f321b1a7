//! The requests of an application, judged after it has run with the official client: by the control
//! API, by `exec`, and in reports that a browser and a library read.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::{
    browser::{browser, visit},
    clients::{PYTHON, succeed},
    running::{KEY, installed, root},
};

/// `rehearsal exec` in a folder, with the fixtures of these tests and some flags.
fn exec(folder: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
    command.args(["exec", "--api-key", KEY, "--log", "warn", "--seed", "1", "--fixtures"]);
    command.arg(root().join("tests/sdk/verification.yaml")).args(flags).arg("--");
    command.current_dir(folder).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("PYTHONWARNINGS", "ignore");
    command
}

fn agent(folder: &Path, flags: &[&str]) -> Output {
    let agent = root().join("tests/sdk/python/agent.py");
    exec(folder, flags).arg(&*PYTHON).arg(agent).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn cases() -> Vec<Value> {
    serde_json::from_str(include_str!("verification.json")).unwrap()
}

#[test]
fn every_expectation_by_the_control_api() {
    let folder = root().join("tests/sdk/python");
    succeed(exec(&folder, &[]).arg(&*PYTHON).args(["-m", "unittest", "-q", "test_verify"]));
}

#[test]
fn every_expectation_by_exec() {
    let folder = tempfile::tempdir().unwrap();
    let (failing, passing): (Vec<_>, Vec<_>) =
        cases().into_iter().partition(|case| case["difference"].is_array());
    let write = |name: &str, cases: &[Value]| {
        let lines = cases.iter().map(|case| format!("  - {}\n", case["expect"]));
        let text = format!("expect:\n{}", lines.collect::<String>());
        fs::write(folder.path().join(name), text).unwrap();
    };
    write("passing.yaml", &passing);
    write("all.yaml", &cases());
    let output = agent(folder.path(), &["--verify", "passing.yaml"]);
    assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()));

    let reports = ["--report", "r.json", "--report", "r.xml"];
    let output = agent(folder.path(), &[&["--verify", "all.yaml"], &reports[..]].concat());
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let counts = format!("{} of {} expectations failed", failing.len(), cases().len());
    assert!(said.contains(&counts), "{said}");
    for (number, case) in cases().iter().enumerate() {
        let place = format!("all.yaml:{}:5: ", number + 2);
        assert_eq!(said.contains(&place), case["difference"].is_array(), "{place} {said}");
        for part in case["difference"].as_array().into_iter().flatten() {
            assert!(said.contains(part.as_str().unwrap()), "{part} {said}");
        }
    }
    let report: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("r.json")).unwrap()).unwrap();
    let turns = report["data"].as_array().unwrap();
    let replies: Vec<_> = turns.iter().map(|turn| &turn["answered"]["reply"]).collect();
    assert_eq!(replies, ["weather", "weather", "hello"]);
    assert_eq!(report["verification"]["passed"], false);

    let sources = installed().join("junit");
    fs::create_dir_all(&sources).unwrap();
    let junit = Command::new(&*PYTHON)
        .args([&root().join("tests/sdk/python/junit.py"), &folder.path().join("r.xml"), &sources])
        .output()
        .unwrap();
    let (read, wrong) =
        (String::from_utf8_lossy(&junit.stdout), String::from_utf8_lossy(&junit.stderr));
    assert!(junit.status.success(), "{wrong}");
    let totals = format!("{} {} 0", cases().len(), failing.len());
    assert!(read.lines().last().is_some_and(|line| line == totals), "{read}");
    assert!(read.contains("Answer in [-French-]{+German+}."), "{read}");
}

#[test]
fn an_expectation_can_be_of_one_session_and_a_failing_command_keeps_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let expect = json!({"expect": [
        {"reply": "weather", "session": "default"},
        {"reply": "weather", "times": 0, "session": "other"},
    ]});
    fs::write(folder.path().join("e.yaml"), expect.to_string()).unwrap();
    let output = agent(folder.path(), &["--verify", "e.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("no session has the name 'other'"), "{}", said(&output));
    let flags = ["--verify", "e.yaml", "--report", "r.xml", "--report", "r.html"];
    let status = exec(folder.path(), &flags).args(["sh", "-c", "exit 7"]).status().unwrap();
    assert_eq!(status.code(), Some(7));
    for report in ["r.xml", "r.html"] {
        let text = fs::read_to_string(folder.path().join(report)).unwrap();
        assert!(text.contains("&quot;reply&quot;:&quot;weather&quot;"), "{report}");
    }
}

/// An attack through client texts on a page that shows them.
const ATTACK: &str = "</script><img src=x onerror=\"document.title='attacked'\">";

const ATTACKER: &str = r#"
import os, openai
client = openai.OpenAI()
assistant = client.beta.assistants.create(model="gpt-4o", name=os.environ["ATTACK"],
    instructions=os.environ["ATTACK"] + " " + client.api_key)
for text in [os.environ["ATTACK"], "The weather?"]:
    client.beta.threads.create_and_run(assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": text}]})
"#;

#[test]
fn a_report_opens_in_a_browser_and_what_clients_say_is_text_there() {
    let folder = tempfile::tempdir().unwrap();
    let reports = ["--report", "r.html", "--report", "r.xml", "--report", "r.json"];
    let output = exec(folder.path(), &reports)
        .arg(&*PYTHON)
        .args(["-c", ATTACKER])
        .env("ATTACK", ATTACK)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(!said(&output).contains(KEY), "{}", said(&output));
    for report in ["r.html", "r.xml", "r.json"] {
        let text = fs::read_to_string(folder.path().join(report)).unwrap();
        assert!(!text.contains(KEY), "{report}");
        assert_eq!(text.contains("[removed]"), report != "r.xml", "{report}");
    }
    // Without scripts and without external content.
    let page = fs::read_to_string(folder.path().join("r.html")).unwrap();
    assert!(!page.contains(ATTACK) && !page.contains("http://") && !page.contains("https://"));
    assert!(page.contains("<td>weather</td><td>requires_action</td>"), "{page}");
    assert!(page.contains("Runs that no reply matched"), "{page}");

    let Some(browser) = browser() else { return };
    let profile = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().join("r.html").display());
    let logged = ["--enable-logging=stderr", "--host-resolver-rules=MAP * ~NOTFOUND"];
    let mut visit = visit(&browser, &profile, &[&logged[..], &["--dump-dom", &url]].concat());
    let shown = visit.stderr(std::process::Stdio::piped()).output().unwrap();
    let (dom, log) =
        (String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr));
    assert!(dom.contains("aria-label=\"Pages\""), "its script has run: {dom}");
    assert!(!dom.contains("id=\"plain\""), "the tables made room: {dom}");
    assert!(
        dom.contains("<title>Rehearsal report</title>") && !dom.contains("<img src=x"),
        "{dom}"
    );
    assert!(!log.contains("Content Security Policy"), "{log}");
}
