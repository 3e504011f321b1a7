//! The steps from an empty file to the current tables. A released step never changes.
//!
//! They are listed here, without a macro: its crate would be compiled only for this, with a second
//! SQLite.

use std::sync::LazyLock;

use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// The version, the name and the SQL of each step, as in the name of its file.
const STEPS: [(i64, &str, &str); 8] = [
    (1, "first", include_str!("../../migrations/0001_first.sql")),
    (2, "files", include_str!("../../migrations/0002_files.sql")),
    (3, "sessions", include_str!("../../migrations/0003_sessions.sql")),
    (4, "deleted_parents", include_str!("../../migrations/0004_deleted_parents.sql")),
    (5, "runs_of_session", include_str!("../../migrations/0005_runs_of_session.sql")),
    (6, "threads_of_session", include_str!("../../migrations/0006_threads_of_session.sql")),
    (7, "responses", include_str!("../../migrations/0007_responses.sql")),
    (8, "containers", include_str!("../../migrations/0008_containers.sql")),
];

pub(super) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let steps = STEPS.into_iter().map(|(version, name, sql)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(steps.collect())
});

/// The current tables for a file that nobody opens again: one command, without a note of the steps.
/// The mode comes after all settings of the connection, so that nothing waits for the disk.
pub(super) fn all_at_once() -> String {
    let steps: String = STEPS.iter().map(|(_, _, sql)| format!("{sql}\n")).collect();
    format!("pragma journal_mode = wal;\nbegin;\n{steps}commit")
}

/// The version of the newest step.
pub(super) fn newest() -> i64 {
    STEPS.iter().map(|(version, ..)| *version).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_step() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let steps = STEPS.map(|(version, name, _)| format!("{version:04}_{name}.sql"));
        assert_eq!(files, steps);
    }
}
