//! The guides: their files are saved and their commands run as they stand in the documents.

use std::{env, fs, path::PathBuf, process::Command};

use crate::{
    clients::{NODE, PYTHON},
    running::root,
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

/// Saves the files of a document under the names in their first lines, and runs its commands. What
/// a command says holds the `text` behind it. Answers how many commands there were.
fn play(document: &str, folder: &str) -> usize {
    let folder = NODE.join(folder);
    _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for the guide");
    let mut commands: Vec<(String, String)> = Vec::new();
    for (language, text) in blocks(document) {
        let comment = text.lines().next().unwrap_or_default().trim_start_matches(['#', '/', ' ']);
        match language.as_str() {
            "sh" => commands.push((text, String::new())),
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

#[test]
fn every_recipe_runs_as_it_is_printed() {
    assert!(play("docs/recipes.md", "recipes") >= 10);
}

#[test]
fn the_guide_to_responses_runs_as_it_is_printed() {
    assert_eq!(play("docs/responses.md", "responses"), 1);
}

#[test]
fn the_guide_to_testing_runs_as_it_is_printed() {
    assert_eq!(play("docs/testing.md", "testing"), 4);
}
