//! Cues: the output of a performer, item by item, each with the wait before it.
//!
//! Cues do not depend on an API: a run makes messages and tool calls, and it ends.

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

/// One item of the output of a performer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Cue {
    /// The run leaves the queue.
    Start,
    OpenMessage,
    Image {
        file_id: Id<File>,
    },
    Text(TokenPiece),
    /// A part of a text that refers to a file.
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
    /// The code has drawn an image.
    Drawing {
        file_id: Id<File>,
    },
    /// A search that was made, and the tokens that the model needed for the request.
    FileSearch {
        file_search: Searched,
        tokens: u64,
    },
    /// The usage of the open step, if the upstream counted it.
    Usage(Usage),
    /// The calls are complete. The run continues, or it waits for the outputs of the client if
    /// functions are among the calls.
    CloseCalls,
    OpenReasoning,
    /// Another part of the summary of the open reasoning.
    SummaryPart,
    Summary(TokenPiece),
    CloseReasoning,
    /// An item that only one API has, in the form of that API.
    Item(Map<String, Value>),
    /// The items before it ask the client for something: the response ends, and the next one
    /// continues with the answers.
    AwaitOutputs,
    /// Streams break off here; the run continues.
    Disconnect,
    End(PerformanceEnd),
}

/// The target of a marked text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum MarkTarget {
    Citation { cited: CitedFile, filename: String },
    Path(Id<File>),
}

/// The end of a performance. The usage is set if it differs from the counted tokens.
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

/// A cue, and the wait after the cue before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TimedCue {
    pub after: Duration,
    pub cue: Cue,
}

impl TimedCue {
    /// A cue without a wait before it.
    pub(super) fn now(cue: Cue) -> Self {
        Self { after: Duration::ZERO, cue }
    }
}
