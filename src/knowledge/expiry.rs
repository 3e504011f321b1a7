//! Ends objects that have expired. Files are deleted. Uploads, vector stores and containers become
//! `expired`. Each change happens at the moment of expiry.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, task::AbortHandle};

use super::{
    error::{KnowledgeError, Result},
    expiries::Expiries,
    ingest::Ingest,
    session::Knowledge,
};
use crate::{
    clock::{ActivityGuard, Clock, Ids, Moment},
    extract::Extractor,
    fixture::Pace,
    store::Store,
    types::{VectorStore, upload::UploadStatus, vector_store::VectorStoreStatus},
};

/// The wait after an error of the database.
const RECOVERY: Duration = Duration::from_secs(1);

/// The task that waits for the next expiry. It stops when this value is dropped.
pub struct Reaper {
    task: AbortHandle,
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Reaper {
    pub(super) fn start(
        knowledge: Knowledge,
        changed: mpsc::UnboundedReceiver<ActivityGuard>,
    ) -> Self {
        let activity = knowledge.clock.begin_activity();
        Self { task: tokio::spawn(reap(knowledge, changed, activity)).abort_handle() }
    }
}

async fn reap(
    knowledge: Knowledge,
    mut changed: mpsc::UnboundedReceiver<ActivityGuard>,
    mut activity: ActivityGuard,
) {
    loop {
        let next = loop {
            match knowledge.expire().await {
                Ok(next) => break next,
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "cannot process expired objects at the moment"
                    );
                    tokio::time::sleep(RECOVERY).await;
                }
            }
        };
        activity = match next {
            Some(due) => tokio::select! {
                biased;
                told = changed.recv() => match told {
                    Some(activity) => activity,
                    None => return,
                },
                woken = knowledge.clock.sleep_until(due, activity) => woken,
            },
            None => {
                drop(activity);
                match changed.recv().await {
                    Some(activity) => activity,
                    None => return,
                }
            }
        };
    }
}

impl Knowledge {
    /// The knowledge of a session, and the task that ends expired objects.
    pub fn new(
        store: Store,
        clock: Clock,
        ids: Arc<Ids>,
        pace: Pace,
        extractor: Extractor,
    ) -> (Self, Reaper) {
        let ingest = Arc::new(Ingest::new(store.clone(), clock.clone(), pace, extractor));
        let (expiries, changed) = Expiries::new(clock.clone());
        let knowledge = Self { store, clock, ids, ingest, expiries, attaching: Arc::default() };
        let reaper = Reaper::start(knowledge.clone(), changed);
        (knowledge, reaper)
    }

    /// Ends all objects that are due, and returns the time of the next expiry.
    async fn expire(&self) -> Result<Option<Moment>> {
        let now = self.clock.now().seconds();
        let due = self.store.due_by(now).await?;
        for file in &due.files {
            self.delete_file(file).await?;
        }
        for upload in &due.uploads {
            match self.end_upload(upload, UploadStatus::Expired).await {
                // Another request may have completed it at the same moment.
                Ok(_) | Err(KnowledgeError::NotPending { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        for store in &due.vector_stores {
            let expire = |store: &mut VectorStore| {
                if store.expires_at.is_some_and(|at| at <= now) {
                    store.status = VectorStoreStatus::Expired;
                }
            };
            self.store.update(store, expire).await?;
        }
        for container in &due.containers {
            self.expire_container(container, now).await?;
        }
        Ok(self.store.next_expiry().await?.map(Moment::from))
    }
}
