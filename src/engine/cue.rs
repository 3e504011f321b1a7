//! Cues: what a performer says, one thing at a time, each with the wait before it.
//!
//! They name no API: a run makes messages and tool calls, and it ends.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    tokens::TokenPiece,
    types::{
        File, Id, Usage,
        message::CitedFile,
        run::{IncompleteRun, LastError},
        step::Searched,
    },
};

/// What a performer says next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Cue {
    /// The run is taken from the queue.
    Start,
    OpenMessage,
    Image {
        file_id: Id<File>,
    },
    Text(TokenPiece),
    /// A stretch of text that means a file.
    Marked {
        piece: TokenPiece,
        refers: MarkTarget,
    },
    Attach {
        file_id: Id<File>,
    },
    Refusal(String),
    CloseMessage,
    OpenCalls,
    Function {
        name: String,
    },
    Arguments(TokenPiece),
    CodeInterpreter,
    Input(TokenPiece),
    Logs(String),
    /// The code has drawn something.
    Drawing {
        file_id: Id<File>,
    },
    /// A search that has been made, and the tokens that it took the model to ask for it.
    FileSearch {
        file_search: Searched,
        tokens: u64,
    },
    /// What the open step has used, where somebody else counted it.
    Usage(Usage),
    /// The calls are made: on with it, or wait for the client's outputs if functions are among
    /// them.
    CloseCalls,
    OpenReasoning,
    /// Another part of the summary of the open reasoning.
    SummaryPart,
    Summary(TokenPiece),
    CloseReasoning,
    /// Something that only one API has a word for, as that shows it.
    Item(Map<String, Value>),
    /// Streams break off here; the run goes on.
    Disconnect,
    End(PerformanceEnd),
}

/// What a stretch of text means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum MarkTarget {
    Citation(CitedFile),
    Path(Id<File>),
}

/// How a performance ends. The usage is given where it differs from what was counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum PerformanceEnd {
    Completed { usage: Option<Usage> },
    Failed { error: LastError, usage: Option<Usage> },
    Incomplete { reason: IncompleteRun, usage: Option<Usage> },
    Expired,
    Cancelled,
}

impl PerformanceEnd {
    pub(super) fn failed(error: LastError) -> Self {
        Self::Failed { error, usage: None }
    }
}

/// A cue and how long after the one before it is due.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TimedCue {
    pub after: Duration,
    pub cue: Cue,
}

impl TimedCue {
    /// A cue that is due as soon as the one before it.
    pub(super) fn now(cue: Cue) -> Self {
        Self { after: Duration::ZERO, cue }
    }
}
