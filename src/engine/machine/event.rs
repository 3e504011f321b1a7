//! The events that the machine of a run emits. They do not depend on an API.
//!
//! Events, folded in their order, give all objects that the run has made.

use serde_json::{Map, Value};

use crate::types::{
    File, Id, Timestamp, Usage,
    run::{IncompleteRun, LastError},
    step::Searched,
};

use super::super::cue::{MarkTarget, PerformanceEnd};

/// An event of a run, and its time.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct MachineEvent {
    pub at: Timestamp,
    pub what: EventKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum EventKind {
    /// The run leaves the queue.
    Started,
    /// The run begins a message.
    MessageOpened,
    /// A piece of the open message's text, and the target if it is a mark.
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
    /// The run begins to call tools.
    CallsOpened,
    /// Another call of the open step.
    Called(MachineCall),
    /// A piece of the input of the last call: the arguments of a function, or a program.
    CallInput(String),
    /// The output of the program of the last call.
    Output(MachineOutput),
    /// The run begins to reason.
    ReasoningOpened,
    /// Another part of the open reasoning's summary.
    SummaryPart,
    /// A piece of that part.
    Summary(String),
    /// An item that only one API has, in the form of that API.
    Item(Map<String, Value>),
    /// The client gave the outputs of the open step's functions, in the order of their calls.
    OutputsGiven(Vec<String>),
    /// The open message or the open calls end.
    Closed {
        how: Closing,
        usage: Usage,
    },
    /// The run waits for the outputs of the client.
    OutputsWanted,
    /// The last items wait for answers of the client.
    AnswersWanted,
    /// The run is in the queue again.
    Requeued,
    /// A cancel of the run is in progress.
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

/// How a message or a group of calls is closed.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Closing {
    Finished,
    /// Its calls were not made.
    LeftOut,
    /// The run ends in this way.
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
