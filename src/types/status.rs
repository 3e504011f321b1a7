//! The names of the states of a run.

use super::words::words;

words! {
    /// The name of a phase, in the API's spelling.
    pub enum RunStatus {
        Queued = "queued",
        InProgress = "in_progress",
        RequiresAction = "requires_action",
        Cancelling = "cancelling",
        Cancelled = "cancelled",
        Completed = "completed",
        Incomplete = "incomplete",
        Failed = "failed",
        Expired = "expired",
    }
}

impl RunStatus {
    /// Whether the run has ended: it does not change any more, and its thread is free.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Queued | Self::InProgress | Self::RequiresAction | Self::Cancelling => false,
            Self::Cancelled | Self::Completed | Self::Incomplete | Self::Failed | Self::Expired => {
                true
            }
        }
    }
}

impl std::fmt::Display for RunStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
