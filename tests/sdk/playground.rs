//! The Playground in a real browser on the real server, used like a user does.

use std::{fs, path::PathBuf, process::Command, sync::LazyLock};

use crate::{
    browser::browser,
    clients::{NODE, PYTHON, succeed},
    running::root,
};

/// The tests, in a folder where Node finds their dependencies.
static TESTS: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = NODE.join("playground");
    fs::create_dir_all(&folder).expect("a folder below target");
    for file in fs::read_dir(root().join("tests/sdk/playground")).expect("the tests") {
        let file = file.expect("a file").path();
        fs::copy(&file, folder.join(file.file_name().expect("a name"))).expect("a test");
    }
    folder
});

fn run(file: &str) {
    let Some(browser) = browser() else { return };
    let mut command = Command::new("node");
    command.args(["--test", file]).current_dir(&*TESTS);
    command.env("BROWSER", browser).env("PROGRAM", env!("CARGO_BIN_EXE_rehearsal"));
    command.env("PYTHON", &*PYTHON);
    succeed(&mut command);
}

#[test]
fn the_page_does_what_its_users_do() {
    run("rows.test.mjs");
}

#[test]
fn the_page_can_be_used_by_everybody_and_leaves_no_trace() {
    run("access.test.mjs");
}

#[test]
fn the_page_steers_the_emulator() {
    run("steer.test.mjs");
}

#[test]
fn the_report_of_a_command_is_the_page_in_one_file() {
    run("report.test.mjs");
}

#[test]
fn the_page_takes_hostile_texts_and_long_lists() {
    run("hostile.test.mjs");
}
