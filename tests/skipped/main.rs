//! The last suite: it repeats the lines about skipped tests at the end of `cargo test`.

#![allow(dead_code, clippy::print_stdout, reason = "it prints the notes of the other suites")]

mod note;

use std::{collections::BTreeSet, fs};

fn main() {
    // `cargo test -- NAME` runs some tests. `--list` runs none.
    let mut lines = BTreeSet::new();
    for file in fs::read_dir(note::folder()).into_iter().flatten().flatten() {
        let text = fs::read_to_string(file.path()).unwrap_or_default();
        lines.extend(text.lines().map(str::to_owned));
        _ = fs::remove_file(file.path());
    }
    for line in &lines {
        println!("{line}");
    }
    println!("{} skipped", lines.len());
}
