//! Puts fixtures on disk, with the files that go beside them, such that nobody ever sees a part of
//! one.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use super::GeneratedFixture;

/// Writes a fixture as `STEM.yaml`, after everything that it names.
pub fn write_files(
    folder: &Path,
    stem: &str,
    text: &str,
    fixture: &GeneratedFixture,
) -> io::Result<()> {
    for (path, content) in &fixture.files {
        write_whole(&folder.join(path), content)?;
    }
    write_whole(&folder.join(format!("{stem}.yaml")), text.as_bytes())
}

/// Writes a file beside its place, and moves it there when it is whole.
fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".rehearsal-").tempfile_in(folder)?;
    file.write_all(content)?;
    readable(file.as_file())?;
    file.persist(path)?;
    Ok(())
}

/// Temporary files are their owner's alone; fixtures are for everybody who may see the folder.
#[cfg(unix)]
fn readable(file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_: &fs::File) -> io::Result<()> {
    Ok(())
}
