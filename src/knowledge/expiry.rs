//! Ends what has had its time: files go, uploads, vector stores and containers become
//! `expired`, all at the
//! moment at which they fall due.

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

/// How long to wait for a database that fails.
const RECOVERY: Duration = Duration::from_secs(1);

/// The task that waits for what falls due. Dropping it stops it.
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
                        "what has expired cannot be ended for now"
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
    /// The knowledge of a session, and the task that ends what has had its time.
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

    /// Ends everything that is due, and says when the next thing is.
    async fn expire(&self) -> Result<Option<Moment>> {
        let now = self.clock.now().seconds();
        let due = self.store.due_by(now).await?;
        for file in &due.files {
            self.delete_file(file).await?;
        }
        for upload in &due.uploads {
            match self.end_upload(upload, UploadStatus::Expired).await {
                // Somebody may have completed it in this very moment.
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
