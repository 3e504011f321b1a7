//! The messages about bad fixtures. For each file in `tests/diagnostics`, the folder has the text
//! that a user sees.
//!
//! `UPDATE_DIAGNOSTICS=1 cargo test --test it diagnostics` writes the missing texts.

use std::{fs, path::PathBuf, process::Command};

#[test]
fn every_bad_fixture_gives_its_stored_message() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics");
    let mut files: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut checked = 0;
    for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "yaml")) {
        let name = file.file_name().unwrap().to_str().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
            .current_dir(&folder)
            .args(["check", name])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            output.status.code(),
            Some(1),
            "{name}: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let expected = file.with_extension("txt");
        if std::env::var_os("UPDATE_DIAGNOSTICS").is_some() && !expected.exists() {
            fs::write(&expected, &said).unwrap();
        }
        assert_eq!(said, fs::read_to_string(&expected).unwrap_or_default(), "{name}");
        checked += 1;
    }
    assert!(checked >= 40, "{checked}");
}
