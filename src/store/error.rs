//! Why the store did not do what it was asked, with the cause of it.

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error("the database cannot be written to")]
    Unwritable,
    #[error("{id} in {table} is not stored in a shape that this version reads")]
    Corrupt { table: &'static str, id: String, source: serde_json::Error },
}

pub(crate) type Result<T, E = StoreError> = std::result::Result<T, E>;

impl StoreError {
    /// Somebody else has taken away what was just made.
    pub(crate) fn vanished() -> Self {
        sqlx::Error::RowNotFound.into()
    }

    /// The task that speaks with the database has died.
    pub(crate) fn died() -> Self {
        sqlx::Error::WorkerCrashed.into()
    }
}
