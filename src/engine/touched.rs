//! What has to be written down because of what happened to a run.

use super::event::Event;
use crate::types::{Id, Message, Step};

/// What a list of events says has changed.
#[derive(Default)]
pub(super) struct Touched<'e> {
    run: bool,
    pub steps: Vec<&'e Id<Step>>,
    pub messages: Vec<&'e Message>,
    /// The messages that did not exist before.
    pub begun: Vec<&'e Id<Message>>,
}

impl<'e> Touched<'e> {
    pub(super) fn of(events: &'e [Event]) -> Self {
        let mut touched = Self::default();
        for event in events {
            match event {
                Event::RunCreated(_) | Event::Run(_) => touched.run = true,
                Event::StepCreated(step) | Event::Step(step) => touched.steps.push(&step.id),
                Event::MessageCreated(message) => touched.begun.push(&message.id),
                Event::Message(message) => touched.messages.push(message),
                Event::ThreadCreated(_)
                | Event::StepDelta { .. }
                | Event::MessageDelta { .. }
                | Event::Broken
                | Event::Error
                | Event::Done => {}
            }
        }
        touched
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.run && self.steps.is_empty() && self.messages.is_empty()
    }
}
