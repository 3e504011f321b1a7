//! The guides: their files are saved and their commands run exactly as in the documents.

use std::{env, fs, path::PathBuf, process::Command};

use crate::{
    clients::{NODE, PYTHON, succeed},
    running::{KEY, Running, root},
};

/// The fenced blocks of a document: language and text.
pub fn blocks(document: &str) -> Vec<(String, String)> {
    let document = fs::read_to_string(root().join(document)).expect("the document");
    let mut blocks = Vec::new();
    for block in document.split("\n```").skip(1).step_by(2) {
        let (language, text) = block.split_once('\n').expect("a block has a first line");
        blocks.push((language.to_owned(), format!("{text}\n")));
    }
    blocks
}

/// Saves the files of a document under the names in their first lines, and runs its commands. The
/// output of a command must contain the `text` block after it. Returns the number of commands.
fn play(document: &str, folder: &str) -> usize {
    let folder = NODE.join(folder);
    _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for the guide");
    let mut commands: Vec<(String, String)> = Vec::new();
    for (language, text) in blocks(document) {
        let comment = text.lines().next().unwrap_or_default().trim_start_matches(['#', '/', ' ']);
        match language.as_str() {
            // The package of npm contains the program. Here the program is in the path.
            "sh" => {
                commands.push((text.replace("npx rehearsal-server", "rehearsal"), String::new()))
            }
            "text" => commands.last_mut().expect("a command before its output").1 = text,
            "python" | "yaml" | "js" => fs::write(folder.join(comment), &text).expect("a file"),
            _ => {}
        }
    }
    let program = PathBuf::from(env!("CARGO_BIN_EXE_rehearsal"));
    let places = [program.parent(), PYTHON.parent()].into_iter().flatten().map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(places.chain(env::split_paths(&path))).expect("a path");
    for (command, output) in &commands {
        let run = Command::new("sh")
            .args(["-ec", command])
            .current_dir(&folder)
            .env("PATH", &path)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONWARNINGS", "ignore")
            .output()
            .expect("a shell");
        let said = [run.stdout, run.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(run.status.success(), "{command}\n{said}");
        assert!(said.contains(output.as_str()), "{command}\n{output}\nis not in\n{said}");
    }
    commands.len()
}

/// Runs the programs and the commands of a document against a server, in order. The output of each
/// must contain each line of the `text` block after it, up to an ellipsis. Fixtures are added to the
/// server. A Python program without imports continues the one before. Returns their number.
fn play_against(server: &Running, document: &str) -> usize {
    let origin = server.base.trim_end_matches("/v1");
    let (mut ran, mut said, mut program) = (0, String::new(), String::new());
    for (language, text) in blocks(document) {
        let text = text.replace("http://127.0.0.1:7357", origin).replace("anything", KEY);
        let mut command = match language.as_str() {
            "yaml" => {
                let path = NODE.join("fixture.yaml");
                fs::write(&path, &text).expect("the fixture");
                let mut curl = Command::new("curl");
                curl.args(["-fsS", "-H", "content-type: application/yaml", "--data-binary"]);
                curl.arg(format!("@{}", path.display()));
                succeed(curl.arg(format!("{origin}/_rehearsal/fixtures")));
                continue;
            }
            "python" => {
                program = if text.contains("import ") { text.clone() } else { program + &text };
                let mut python = Command::new(&*PYTHON);
                python.args(["-c", &program]).env("PYTHONWARNINGS", "ignore");
                python
            }
            "js" => {
                let path = NODE.join("quickstart.mjs");
                fs::write(&path, &text).expect("the program");
                let mut node = Command::new("node");
                node.arg(path);
                node
            }
            "sh" if !text.contains("cargo") => {
                let mut shell = Command::new("bash");
                shell.args(["-ec", &text]);
                shell
            }
            "text" => {
                for line in text.lines() {
                    let start = line.split('…').next().unwrap_or_default();
                    assert!(said.contains(start), "{document}: {line}\nis not in\n{said}");
                }
                continue;
            }
            _ => continue,
        };
        said = succeed(command.current_dir(root()));
        assert!(!said.contains("\"error\":"), "{document}: {text}\n{said}");
        ran += 1;
    }
    ran
}

#[test]
fn the_first_steps_run_as_they_are_printed() {
    let server = Running::with(&[]);
    for (document, programs) in [
        ("README.md", 2),
        ("docs/quickstart.md", 5),
        ("docs/determinism.md", 1),
        ("docs/compatibility.md", 1),
    ] {
        assert_eq!(play_against(&server, document), programs, "{document}");
    }
}

#[test]
fn every_recipe_runs_as_it_is_printed() {
    assert!(play("docs/recipes.md", "recipes") >= 10);
}

#[test]
fn the_guide_for_coding_agents_runs_as_it_is_printed() {
    assert_eq!(play("docs/coding-agents.md", "coding-agents"), 3);
}

#[test]
fn the_guide_to_responses_runs_as_it_is_printed() {
    assert_eq!(play("docs/responses.md", "responses"), 1);
}

#[test]
fn the_guide_to_migration_runs_as_it_is_printed() {
    assert_eq!(play("docs/migrate.md", "migrate"), 3);
}

#[test]
fn the_guide_to_testing_runs_as_it_is_printed() {
    assert_eq!(play("docs/testing.md", "testing"), 4);
}
