//! The clients from PyPI and npm. The first use installs them from the registries into `target/`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use crate::running::{installed, root};

/// A Python with the client.
pub static PYTHON: LazyLock<PathBuf> =
    LazyLock::new(|| python("python", "tests/sdk/python/requirements.txt"));

/// The program that generates requests from OpenAPI documents.
pub static SCHEMATHESIS: LazyLock<PathBuf> = LazyLock::new(|| {
    python("schemathesis", "tests/sdk/schemathesis.txt").with_file_name("schemathesis")
});

/// A separate Python with the requirements of a file.
pub fn python(name: &str, requirements: &str) -> PathBuf {
    let (folder, requirements) = (installed().join(name), root().join(requirements));
    let python = folder.join("bin/python");
    let wanted = fs::read_to_string(&requirements).expect("what to install");
    once(&folder, &wanted, || {
        install(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        install(
            Command::new(&python)
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
                .arg(&requirements),
        );
    });
    python
}

/// The folder in which Node finds the client.
pub static NODE: LazyLock<PathBuf> = LazyLock::new(|| node("node", "tests/sdk/node/package.json"));

/// A folder in which Node finds the dependencies of a package.
pub fn node(name: &str, package: &str) -> PathBuf {
    let (folder, package) = (installed().join(name), root().join(package));
    let wanted = fs::read_to_string(&package).expect("what to install");
    once(&folder, &wanted, || {
        fs::copy(&package, folder.join("package.json")).expect("package.json");
        install(
            Command::new("npm")
                .args(["install", "--silent", "--no-audit", "--no-fund"])
                .current_dir(&folder),
        );
    });
    folder
}

pub fn install(command: &mut Command) {
    let output =
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; is it installed?"));
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{command:?}\n{said}");
}

/// Installs into a folder once for each version of the requirements.
pub fn once(folder: &Path, wanted: &str, install: impl FnOnce()) {
    let stamp = folder.join("installed");
    if fs::read_to_string(&stamp).is_ok_and(|there| there == wanted) {
        return;
    }
    _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).expect("a folder below target");
    install();
    fs::write(stamp, wanted).expect("a note of what is installed");
}

/// Runs a command to its end, and returns its standard output. The rest of the output is shown only
/// if it fails.
pub fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{command:?}\n{said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
