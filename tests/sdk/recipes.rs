//! The recipes, saved and run as they stand in their document.

use std::{env, fs, path::PathBuf, process::Command};

use crate::{
    clients::{NODE, PYTHON, succeed},
    running::root,
};

/// The fenced blocks of the document: language and text.
fn blocks() -> Vec<(String, String)> {
    let document = fs::read_to_string(root().join("docs/recipes.md")).expect("the recipes");
    let mut blocks = Vec::new();
    for block in document.split("\n```").skip(1).step_by(2) {
        let (language, text) = block.split_once('\n').expect("a block has a first line");
        blocks.push((language.to_owned(), format!("{text}\n")));
    }
    blocks
}

#[test]
fn every_recipe_runs_as_it_is_printed() {
    let folder = NODE.join("recipes");
    _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for the recipes");
    let mut commands = Vec::new();
    for (language, text) in blocks() {
        let name = text.lines().next().unwrap_or_default().trim_start_matches(['#', '/', ' ']);
        match language.as_str() {
            "sh" => commands.push(text),
            _ => fs::write(folder.join(name), &text).expect("a file of a recipe"),
        }
    }
    let program = PathBuf::from(env!("CARGO_BIN_EXE_rehearsal"));
    let places = [program.parent(), PYTHON.parent()].into_iter().flatten().map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(places.chain(env::split_paths(&path))).expect("a path");
    for command in &commands {
        succeed(
            Command::new("sh")
                .args(["-ec", command])
                .current_dir(&folder)
                .env("PATH", &path)
                .env("PYTHONDONTWRITEBYTECODE", "1"),
        );
    }
    assert!(commands.len() >= 10, "{}", commands.len());
}
