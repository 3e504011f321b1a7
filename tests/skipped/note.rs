//! Tests that are skipped because something is missing. Each prints one line, and the suite
//! `skipped` repeats it in the last lines of `cargo test`.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

/// Whether the CI can install the missing thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It can be installed from a registry, so the CI has to.
    Install,
    /// It cannot be installed: a document that is not available, a daemon that cannot run, a
    /// registry that cannot be reached.
    None,
}

/// Reports that a test is skipped.
///
/// # Panics
///
/// Panics in the CI if the missing thing can be installed.
pub fn skip(what: &str, remedy: Remedy) {
    let line = format!("skipped: {what}");
    let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(!is_ci || remedy == Remedy::None, "{line}: the CI has to install it");
    // Not `println!`: its output is hidden in a test that passes.
    _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
    let folder = folder();
    fs::create_dir_all(&folder).expect("a folder below target");
    let file = folder.join(std::process::id().to_string());
    let mut file = OpenOptions::new().create(true).append(true).open(file).expect("a file in it");
    file.write_all(format!("{line}\n").as_bytes()).expect("a line in it");
}

/// The folder of the lines for the suite that repeats them.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped")
}
