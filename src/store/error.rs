//! Why an operation of the store failed, with the cause.

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error("cannot write to the database")]
    Unwritable,
    #[error("this version cannot read {id} in {table}")]
    Corrupt { table: &'static str, id: String, source: serde_json::Error },
}

pub(crate) type Result<T, E = StoreError> = std::result::Result<T, E>;

impl StoreError {
    /// A concurrent request has removed the new object.
    pub(crate) fn vanished() -> Self {
        sqlx::Error::RowNotFound.into()
    }

    /// The task that uses the database has died.
    pub(crate) fn died() -> Self {
        sqlx::Error::WorkerCrashed.into()
    }
}
