//! What a run has around it, looked up once: its thread and assistant, the stores that its tools
//! search, its files.

use crate::{
    knowledge::{Denied, Knowledge},
    store::Surroundings,
    types::{File, ApiErrorKind, Run, run::LastError},
};

pub(super) struct Around {
    pub surroundings: Surroundings,
    /// The vector stores that its tools search, or why they cannot.
    pub stores: Result<Vec<String>, LastError>,
    pub files: Vec<File>,
    pub has_stored_files: bool,
}

impl Around {
    pub(super) async fn of(
        run: &Run,
        surroundings: Surroundings,
        knowledge: &Knowledge,
    ) -> Result<Self, Denied> {
        let (stores, given) = (surroundings.stores(run), surroundings.given_files(run));
        let mut around = Self {
            surroundings,
            stores: Ok(Vec::new()),
            files: Vec::new(),
            has_stored_files: false,
        };
        if stores.is_empty() && given.is_empty() {
            return Ok(around);
        }
        match knowledge.stores_of_run(&stores).await {
            Ok(stores) => {
                around.has_stored_files = stores.iter().any(|store| store.file_counts.total > 0);
                around.files = knowledge.files_of_run(given, &stores).await?;
                around.stores = Ok(stores.iter().map(|store| store.id.to_string()).collect());
            }
            Err(Denied::Expired(id)) => {
                around.stores =
                    Err(LastError::server_error(ApiErrorKind::StoreExpired { id }.to_string()));
            }
            Err(other) => return Err(other),
        }
        Ok(around)
    }
}
