//! The version of SQLite that is inside.

use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};

/// What SQLite calls itself.
pub fn sqlite_version() -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().ok()?;
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().in_memory(true);
        let mut connection = options.connect().await.ok()?;
        sqlx::query_scalar("select sqlite_version()").fetch_one(&mut connection).await.ok()
    })
}
