//! The view of an API on the events of a run's machine. Performers see a run in both views.

use std::ops::{Deref, DerefMut};

use super::{
    command::RunChange,
    error::EngineError,
    event::Event,
    machine::{Input, Machine, MachineEvent},
    objects::RunObjects,
    responses::objects::ResponseObjects,
};
use crate::types::Api;

pub(super) enum RunView {
    Assistants(Box<RunObjects>),
    Responses(Box<ResponseObjects>),
}

impl RunView {
    pub(super) fn api(&self) -> Api {
        match self {
            Self::Assistants(_) => Api::Assistants,
            Self::Responses(_) => Api::Responses,
        }
    }

    pub(super) fn response(&mut self) -> Option<&mut ResponseObjects> {
        match self {
            Self::Assistants(_) => None,
            Self::Responses(response) => Some(response),
        }
    }

    /// Changes the objects by the events of the machine, and returns the events for streams.
    pub(super) fn apply(&mut self, events: Vec<MachineEvent>) -> Vec<Event> {
        match self {
            Self::Assistants(run) => run.apply(events),
            Self::Responses(response) => response.apply(events),
        }
    }

    /// The request of a client as an input of the machine, if it is possible now.
    pub(super) fn input_of(
        &self,
        change: RunChange,
        machine: &Machine,
    ) -> Result<Input, EngineError> {
        self.deref().input_of(change, machine)
    }
}

impl Deref for RunView {
    type Target = RunObjects;

    fn deref(&self) -> &RunObjects {
        match self {
            Self::Assistants(run) => run,
            Self::Responses(response) => &response.run,
        }
    }
}

impl DerefMut for RunView {
    fn deref_mut(&mut self) -> &mut RunObjects {
        match self {
            Self::Assistants(run) => run,
            Self::Responses(response) => &mut response.run,
        }
    }
}
