//! Notes the commit of the program, for `rehearsal --version`.
//!
//! A package has its commit in a file that cargo writes. A build without either, such as the build
//! of an image, can set the commit in `REHEARSAL_COMMIT`.

use std::{env, fs, process::Command};

/// The number of shown characters of the commit's name.
const SHOWN: usize = 12;

fn main() {
    println!("cargo::rerun-if-env-changed=REHEARSAL_COMMIT");
    // A missing file would cause a rebuild in every build.
    for file in [".git/HEAD", ".git/logs/HEAD", ".cargo_vcs_info.json"] {
        if fs::metadata(file).is_ok() {
            println!("cargo::rerun-if-changed={file}");
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
    let named = env::var("REHEARSAL_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = named.or_else(of_package).or_else(of_checkout);
    let commit = commit.as_deref().and_then(|commit| commit.get(..SHOWN)).unwrap_or("unknown");
    println!("cargo::rustc-env=REHEARSAL_COMMIT={commit}");
}

fn of_package() -> Option<String> {
    let info = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let hash = info.split("\"sha1\": \"").nth(1)?;
    Some(hash.split('"').next()?.to_owned())
}

fn of_checkout() -> Option<String> {
    // The checkout around an unpacked package belongs to another project.
    fs::metadata(".git").ok()?;
    let output = Command::new("git").args(["rev-parse", "HEAD"]).output().ok()?;
    let hash = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    Some(hash.trim().to_owned())
}
