//! Ends what has had its time: files go, uploads and vector stores become `expired`, all at the
//! moment at which they fall due.

use std::time::Duration;

use tokio::{sync::mpsc, task::AbortHandle};

use super::{Denied, Knowledge, Result};
use crate::{
    clock::{Awake, Clock, Moment},
    types::{VectorStore, upload::UploadStatus, vector_store::VectorStoreStatus},
};

/// How long to wait for a database that fails.
const RECOVERY: Duration = Duration::from_secs(1);

/// Tells the reaper that something expires, perhaps before all else.
#[derive(Clone)]
pub(super) struct Expiries {
    clock: Clock,
    changed: mpsc::UnboundedSender<Awake>,
}

impl Expiries {
    pub(super) fn new(clock: Clock) -> (Self, mpsc::UnboundedReceiver<Awake>) {
        let (changed, received) = mpsc::unbounded_channel();
        (Self { clock, changed }, received)
    }

    /// The clock does not move on before the reaper knows.
    pub(super) fn changed(&self) {
        // If the reaper is gone, so is its world.
        _ = self.changed.send(self.clock.awake());
    }
}

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
    pub(super) fn start(knowledge: Knowledge, changed: mpsc::UnboundedReceiver<Awake>) -> Self {
        let awake = knowledge.clock.awake();
        Self { task: tokio::spawn(reap(knowledge, changed, awake)).abort_handle() }
    }
}

async fn reap(knowledge: Knowledge, mut changed: mpsc::UnboundedReceiver<Awake>, mut awake: Awake) {
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
        awake = match next {
            Some(due) => tokio::select! {
                biased;
                told = changed.recv() => match told {
                    Some(awake) => awake,
                    None => return,
                },
                woken = knowledge.clock.sleep_until(due, awake) => woken,
            },
            None => {
                drop(awake);
                match changed.recv().await {
                    Some(awake) => awake,
                    None => return,
                }
            }
        };
    }
}

impl Knowledge {
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
                Ok(_) | Err(Denied::NotPending { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        for store in &due.vector_stores {
            let expire = |store: &mut VectorStore| {
                if store.expires_at.is_some_and(|at| at <= now) {
                    store.status = VectorStoreStatus::Expired;
                }
            };
            self.store.update(&[store.to_string()], expire).await?;
        }
        Ok(self.store.next_expiry().await?.map(Moment::from))
    }
}
