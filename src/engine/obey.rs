//! How a run does what it is told from outside: what that causes is committed, then answered, then
//! told to those who listen.

use super::{command::RunCommand, error::RunError, event::Event, machine::Input, shell::Shell};
use crate::clock::ActivityGuard;

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
            RunCommand::Change { change, listener, answer, activity } => {
                match self.objects.input_of(change, &self.machine) {
                    Err(refused) => _ = answer.send(Err(refused)),
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

    /// Takes an input from outside, and commits what it causes, which is to be told then.
    pub(super) async fn take(&mut self, input: Input) -> Result<Vec<Event>, RunError> {
        let shown = self.objects.apply(self.machine.handle(input, self.clock.now()));
        if !self.machine.is_performing() {
            self.performing.stop();
        }
        self.commit(&shown).await?;
        Ok(shown)
    }
}
