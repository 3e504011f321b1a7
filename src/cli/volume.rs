//! The data volume of the container image. The image names the mount point. If a volume is mounted
//! there, it has the database.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The image sets this variable to the mount point of volumes.
const VARIABLE: &str = "REHEARSAL_VOLUME";

/// The name of the database in a volume.
const DATABASE: &str = "rehearsal.db";

/// The database in the volume if one is mounted, or the reason why the volume cannot be used.
pub(super) fn database() -> Result<Option<PathBuf>, String> {
    let folder = PathBuf::from(env::var_os(VARIABLE).unwrap_or_default());
    if folder.as_os_str().is_empty() || !is_mounted(&folder) {
        return Ok(None);
    }
    match tempfile::tempfile_in(&folder) {
        Ok(_) => Ok(Some(folder.join(DATABASE))),
        Err(error) => Err(format!(
            "cannot write to the volume {}: {error}. {}; or name another place with --database",
            folder.display(),
            whose(&folder)
        )),
    }
}

/// Whether this folder itself is a mount point. Linux lists the mounts, with the mount point in the
/// fifth column.
fn is_mounted(folder: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    mounts
        .lines()
        .any(|line| line.split(' ').nth(4).is_some_and(|place| Path::new(place) == folder))
}

#[cfg(unix)]
fn whose(folder: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    let user = rustix::process::geteuid().as_raw();
    match fs::metadata(folder) {
        Ok(it) => format!(
            "It belongs to user {} and group {} with mode {:o}, but the server runs as user \
             {user}: change its owner with 'chown {user}'",
            it.uid(),
            it.gid(),
            it.mode() & 0o7777
        ),
        Err(error) => format!("Cannot read its owner: {error}"),
    }
}

#[cfg(not(unix))]
fn whose(_: &Path) -> String {
    "The user of the server must own it".to_owned()
}
