//! The version of the included SQLite.

use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};

/// The version that SQLite reports.
pub fn sqlite_version() -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().ok()?;
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().in_memory(true);
        let mut connection = options.connect().await.ok()?;
        sqlx::query_scalar("select sqlite_version()").fetch_one(&mut connection).await.ok()
    })
}
