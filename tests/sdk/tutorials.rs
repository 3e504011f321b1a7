//! The curl commands of the tutorials of 2023, exactly as printed, with another host.

use std::{process::Command, sync::LazyLock};

use regex::Regex;
use serde_json::Value;

use crate::skipped::{Remedy, skip};
use crate::{
    clients::succeed,
    documents::{V1, V2},
    running::{KEY, Running, root},
};

/// The objects for the documents' own examples, as far as they can exist without a run.
const EXAMPLES: &str = "tests/sdk/examples.yaml";

#[test]
fn the_tutorial_of_2023_runs_as_printed() {
    let server = Running::start();
    let script = root().join("tests/sdk/tutorial.sh");
    succeed(Command::new("bash").arg(script).env("BASE", &server.base).env("OPENAI_API_KEY", KEY));
}

#[test]
fn the_commands_of_the_documents_run_as_printed() {
    for document in [V1, V2] {
        let Some(loaded) = document.load() else {
            skip(&format!("commands of {}, which is not at hand", document.file), Remedy::None);
            continue;
        };
        let server = Running::with(&["--fixtures", EXAMPLES, "--unmatched", "echo"]);
        let mut ran = 0;
        for command in commands(&loaded) {
            // Two of them were printed with an extra quote, so that a shell would not insert the
            // key.
            let command = command.replace(
                "'Authorization: Bearer $OPENAI_API_KEY\"'",
                "\"Authorization: Bearer $OPENAI_API_KEY\"",
            );
            let status = status_of(&command.replace("https://api.openai.com/v1", &server.base));
            // Runs, steps and the ids of messages cannot be seeded.
            assert!(status == 200 || status == 404, "{status}: {command}");
            ran += usize::from(status == 200);
        }
        assert!(ran >= 15, "only {ran} commands of {} came through", document.file);
    }
}

/// The curl examples for assistants and threads. Deletes are left out, because they would remove
/// the objects of the others.
fn commands(document: &Value) -> Vec<String> {
    static NEXT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?m)^\s*curl ").unwrap());
    let mut commands = Vec::new();
    for (path, operations) in document["paths"].as_object().into_iter().flatten() {
        let is_ours = path.starts_with("/assistants") || path.starts_with("/threads");
        for operation in operations
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(method, _)| is_ours && *method != "delete")
        {
            let examples = &operation.1["x-oaiMeta"]["examples"];
            let all = examples.as_array().cloned().unwrap_or_else(|| vec![examples.clone()]);
            let curls = all.iter().filter_map(|example| example["request"]["curl"].as_str());
            commands.extend(
                curls.flat_map(|curl| NEXT.split(curl).skip(1)).map(|rest| format!("curl {rest}")),
            );
        }
    }
    commands
}

fn status_of(command: &str) -> u16 {
    let command = format!(
        "{} -s -o /dev/null -w '%{{http_code}}'",
        command.trim_end().trim_end_matches('\\')
    );
    let output = Command::new("bash")
        .args(["-c", &command])
        .env("OPENAI_API_KEY", KEY)
        .output()
        .expect("bash");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.trim()
        .parse()
        .unwrap_or_else(|_| panic!("{command}\n{said}{}", String::from_utf8_lossy(&output.stderr)))
}
