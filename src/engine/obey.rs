//! How a run executes commands from outside. It commits the effects, then answers, then sends the
//! events to the listeners.

use std::sync::Arc;

use super::{
    command::RunCommand, error::RunError, event::Event, listener::Listener, machine::Input,
    shell::Shell,
};
use crate::{clock::ActivityGuard, types::Api};

impl Shell {
    pub(super) async fn obey(&mut self, command: RunCommand) -> Result<ActivityGuard, RunError> {
        match command {
            RunCommand::Abandon { activity } => {
                drop(activity);
                Err(RunError::Gone)
            }
            RunCommand::Poll { answer, activity } => {
                self.machine.handle(Input::Poll, self.clock.now());
                self.advance().await?;
                _ = answer.send(());
                Ok(activity)
            }
            RunCommand::Listen { listener, skipped, answer, activity } => {
                _ = answer.send(self.let_in(listener, skipped));
                Ok(activity)
            }
            RunCommand::Change { change, listener, answer, activity } => {
                match self.objects.input_of(change, &self.machine) {
                    Err(refused) => _ = answer.send(Err(refused)),
                    // A response is cancelled at once.
                    Ok(input) if self.objects.api() == Api::Responses => {
                        let told = self.take(input).await?;
                        self.audience.send(told);
                        self.machine.handle(Input::Poll, self.clock.now());
                        self.advance().await?;
                        _ = answer.send(Ok(self.objects.run.clone()));
                    }
                    Ok(input) => {
                        self.audience.join(listener);
                        let told = self.take(input).await?;
                        _ = answer.send(Ok(self.objects.run.clone()));
                        self.audience.send(told);
                    }
                }
                Ok(activity)
            }
        }
    }

    /// Adds a listener to a response whose events are kept.
    fn let_in(&mut self, listener: Listener, skipped: u64) -> bool {
        let Some(log) = self.objects.response().and_then(|response| response.log()) else {
            return false;
        };
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let earlier = log.iter().skip(skipped).cloned();
        let earlier = earlier.map(|event| Event::Logged(Arc::new(event))).collect();
        self.audience.join_behind(listener, earlier);
        true
    }

    /// Takes an input from outside and commits its effects. Returns the events for the listeners.
    pub(super) async fn take(&mut self, input: Input) -> Result<Vec<Event>, RunError> {
        let shown = self.objects.apply(self.machine.handle(input, self.clock.now()));
        if !self.machine.is_performing() {
            self.performing.stop();
        }
        self.commit(&shown).await?;
        Ok(shown)
    }
}
