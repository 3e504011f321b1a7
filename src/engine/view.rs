//! The view of an API on what the machine of a run makes. Performers see a run in both.

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

    /// Changes the objects as the machine says, and answers what is shown of it.
    pub(super) fn apply(&mut self, events: Vec<MachineEvent>) -> Vec<Event> {
        match self {
            Self::Assistants(run) => run.apply(events),
            Self::Responses(response) => response.apply(events),
        }
    }

    /// What a client asks for, as the machine takes it, if it can be done now.
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
