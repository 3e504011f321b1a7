//! The objects around a run, loaded once: its thread and assistant, its files, and the stores that
//! its tools search.

use super::responses::context::ResponseInputs;
use crate::{
    knowledge::{Knowledge, KnowledgeError},
    store::PerformerInputs,
    types::{ApiErrorKind, File, Run, run::LastError},
};

pub(super) struct RunResources {
    pub surroundings: PerformerInputs,
    /// The vector stores that its tools search, or the reason why they cannot.
    pub stores: Result<Vec<String>, LastError>,
    pub files: Vec<File>,
    pub has_stored_files: bool,
}

impl RunResources {
    pub(super) async fn load(
        run: &Run,
        surroundings: PerformerInputs,
        of_response: Option<&ResponseInputs>,
        knowledge: &Knowledge,
    ) -> Result<Self, KnowledgeError> {
        let mut stores = surroundings.stores(run);
        stores.extend(of_response.iter().flat_map(|it| it.stores.iter().cloned()));
        let given = surroundings.given_files(run);
        let mut resources = Self {
            surroundings,
            stores: Ok(Vec::new()),
            files: Vec::new(),
            has_stored_files: false,
        };
        if stores.is_empty() && given.is_empty() {
            return Ok(resources);
        }
        match knowledge.stores_of_run(&stores).await {
            Ok(stores) => {
                resources.has_stored_files = stores.iter().any(|store| store.file_counts.total > 0);
                resources.files = knowledge.files_of_run(given, &stores).await?;
                resources.stores = Ok(stores.iter().map(|store| store.id.to_string()).collect());
            }
            Err(KnowledgeError::Expired(id)) => {
                resources.stores =
                    Err(LastError::server_error(ApiErrorKind::StoreExpired { id }.to_string()));
            }
            Err(other) => return Err(other),
        }
        Ok(resources)
    }
}
