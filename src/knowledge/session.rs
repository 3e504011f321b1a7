//! The knowledge of one session: the fields that all of its parts share.

use std::sync::Arc;

use super::{expiries::Expiries, ingest::Ingest};
use crate::{
    clock::{Clock, Ids},
    store::{self, Store},
};

/// The knowledge of one session.
#[derive(Clone)]
pub struct Knowledge {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) ids: Arc<Ids>,
    pub(super) ingest: Arc<Ingest>,
    pub(super) expiries: Expiries,
    /// Locked while a thread or an assistant gets files, so that two requests cannot both create a
    /// store for it.
    pub(super) attaching: Arc<tokio::sync::Mutex<()>>,
}

impl Knowledge {
    /// Resumes the files that were not ready when the server stopped.
    pub async fn resume(&self) -> store::Result<()> {
        let under_way = self.store.files_under_way().await?;
        self.ingest.begin(under_way.into_iter().map(|it| (it.file, it.batch)));
        Ok(())
    }
}
