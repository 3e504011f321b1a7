//! How a run does what it is told from outside: what that causes is committed, then answered, then
//! told to those who listen.

use super::{command::Command, error::RunError, event::Event, machine::Input, shell::Shell};
use crate::clock::Awake;

impl Shell {
    pub(super) async fn obey(&mut self, command: Command) -> Result<Awake, RunError> {
        match command {
            Command::Abandon { awake } => {
                drop(awake);
                Err(RunError::Gone)
            }
            Command::Poll { answer, awake } => {
                self.machine.handle(Input::Poll, self.clock.now());
                self.advance().await?;
                _ = answer.send(());
                Ok(awake)
            }
            Command::Change { change, listener, answer, awake } => {
                match self.objects.input_of(change, &self.machine) {
                    Err(refused) => _ = answer.send(Err(refused)),
                    Ok(input) => {
                        self.audience.join(listener);
                        let told = self.take(input).await?;
                        _ = answer.send(Ok(self.objects.run.clone()));
                        self.audience.tell(told);
                    }
                }
                Ok(awake)
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
