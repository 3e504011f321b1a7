//! What a run makes and how it fares, as the machine tells it: in no API's shapes.
//!
//! Folded in their order, events give everything that the run has made.

use serde_json::{Map, Value};

use crate::types::{
    File, Id, Timestamp, Usage,
    run::{IncompleteRun, LastError},
    step::Searched,
};

use super::super::cue::{MarkTarget, PerformanceEnd};

/// Something that happened to a run, and when.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct MachineEvent {
    pub at: Timestamp,
    pub what: EventKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum EventKind {
    /// It is taken from the queue.
    Started,
    /// It begins to write a message.
    MessageOpened,
    /// A piece of the open message's text, and what it means.
    Text {
        piece: String,
        refers: Option<MarkTarget>,
    },
    Image {
        file_id: Id<File>,
    },
    Attached {
        file_id: Id<File>,
    },
    Refusal(String),
    /// It begins to call tools.
    CallsOpened,
    /// Another call of the open step.
    Called(MachineCall),
    /// A piece of what the last call is given: a function's arguments, or a program.
    CallInput(String),
    /// The program of the last call has answered.
    Output(MachineOutput),
    /// It begins to reason.
    ReasoningOpened,
    /// Another part of the open reasoning's summary.
    SummaryPart,
    /// A piece of that part.
    Summary(String),
    /// Something that only one API has a word for, as that shows it.
    Item(Map<String, Value>),
    /// The client gave the outputs of the open step's functions, in the order of their calls.
    OutputsGiven(Vec<String>),
    /// The open message or the open calls are over.
    Closed {
        how: Closing,
        usage: Usage,
    },
    /// It waits for the client's outputs.
    OutputsWanted,
    /// It is back in the queue.
    Requeued,
    /// It is being cancelled.
    Cancelling,
    /// Streams break off here.
    BrokeOff,
    Ended(Ending),
}

#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum MachineCall {
    Function { name: String },
    CodeInterpreter,
    FileSearch(Searched),
}

#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum MachineOutput {
    Logs(String),
    Drawing(Id<File>),
}

/// How a message or a round of calls is closed.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Closing {
    Finished,
    /// Its calls were never made.
    LeftOut,
    /// The run ends, in this way.
    BrokenOff(PerformanceEnd),
}

/// How a run has ended.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(in super::super) enum Ending {
    Completed(Usage),
    Incomplete(IncompleteRun, Usage),
    Failed(LastError, Usage),
    Expired(Usage),
    Cancelled(Usage),
}
