//! Tests that are skipped for want of something. Each says so in one line, which the suite
//! `skipped` repeats in the closing lines of `cargo test`.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

/// Whether the CI can help it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It can be installed from a registry, so the CI has to.
    Install,
    /// It cannot: a document that is not at hand, a daemon that cannot run, a registry that is not
    /// reached.
    None,
}

/// Says that something is skipped.
///
/// # Panics
///
/// In the CI, where what is missing can be installed.
pub fn skip(what: &str, remedy: Remedy) {
    let line = format!("skipped: {what}");
    let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(!is_ci || remedy == Remedy::None, "{line}: the CI has to install it");
    // Not `println!`, of which a test that passes shows nothing.
    _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
    let folder = folder();
    fs::create_dir_all(&folder).expect("a folder below target");
    let file = folder.join(std::process::id().to_string());
    let mut file = OpenOptions::new().create(true).append(true).open(file).expect("a file in it");
    file.write_all(format!("{line}\n").as_bytes()).expect("a line in it");
}

/// Where the lines wait for the suite that repeats them.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped")
}
