//! Loads fixtures again when they change. A broken edit keeps the last good ones and says why.
//!
//! It polls the files. Notifications are unreliable in containers, on network drives, and for files
//! that a rename replaces. To read a few small files costs almost nothing.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use crate::{
    fixture::{self, Fixtures},
    session::sessions::Sessions,
};

/// How often it polls.
const PERIOD: Duration = Duration::from_millis(200);

/// Watches for as long as the server runs.
pub(super) async fn watch(paths: Vec<PathBuf>, sessions: Arc<Sessions>) {
    let mut known = look(paths.clone()).await;
    loop {
        tokio::time::sleep(PERIOD).await;
        let seen = look(paths.clone()).await;
        if seen == known {
            continue;
        }
        known = seen;
        let own = paths.clone();
        let loaded = tokio::task::spawn_blocking(move || Fixtures::load(&own)).await;
        let outcome = match loaded {
            Ok(Ok(fixtures)) => {
                let replies = fixtures.replies.len();
                sessions.reload(fixtures).await.map(|()| replies).map_err(|error| error.to_string())
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match outcome {
            Ok(replies) => tracing::info!(replies, "loaded the fixtures again"),
            Err(why) => {
                tracing::error!(
                    "the fixtures have mistakes; the last good ones stay in use:\n{why}"
                );
                sessions.report_broken(&why);
            }
        }
    }
}

/// The fixture files with their content. Two results are equal if nothing has changed.
async fn look(paths: Vec<PathBuf>) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let read = move || {
        let files = fixture::files(&paths).unwrap_or_default();
        let content = |file: &PathBuf| file.is_file().then(|| fs::read(file).ok()).flatten();
        files.into_iter().map(|file| (file.clone(), content(&file))).collect()
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_default()
}
