//! How a run comes to be.
//!
//! A run on a thread that exists is written before anybody performs it: the write decides whether the
//! thread is free. Of a new thread nobody knows, so nothing can be in the way of its run. That one is
//! written together with what it does first, which saves a commit and all reads.

use tokio::sync::oneshot;

use super::{
    error::EngineError, event::Event, lock, machine::Prompt, performer::PerformerChoice, prompt,
};
use crate::{
    knowledge::{AttachedFiles, Attachments, Knowledge},
    store::{self, Changes, PerformerInputs, Store},
    types::{Assistant, Id, Message, Role, Run, Thread},
};

/// What a new run is to be performed on.
pub enum RunTarget {
    /// A thread, and the files that come along.
    Existing(Id<Thread>, AttachedFiles),
    /// A thread that is made with its files.
    New(Thread, Box<Attachments>),
}

/// A run to be created, with the messages that go before it.
pub struct NewRun {
    pub onto: RunTarget,
    pub messages: Vec<Message>,
    pub run: Run,
    pub wanted: PerformerChoice,
}

/// Whether there is something to run on besides what is in the thread.
pub(super) fn has_question(run: &Run, messages: &[Message]) -> bool {
    // Recorded: v1 ran on nothing at all.
    run.version.is_v1()
        || run.instructions.as_deref().is_some_and(|text| !text.is_empty())
        || messages.iter().any(|message| message.role == Role::User)
}

impl NewRun {
    /// Writes the run, with the messages and the files that go before it.
    pub(super) async fn write(
        &mut self,
        store: &Store,
        knowledge: &Knowledge,
    ) -> Result<(), EngineError> {
        let Self { onto, messages, run, .. } = self;
        let has_question = has_question(run, messages);
        if matches!(onto, RunTarget::New(..)) && !has_question {
            return Err(EngineError::NothingToRun);
        }
        loop {
            let mut changes = Changes::new();
            let attachments = match onto {
                RunTarget::New(_, attachments) => std::mem::take(&mut **attachments),
                RunTarget::Existing(thread, attached) => {
                    if !attached.is_empty() {
                        check_free(store, thread).await?;
                    }
                    knowledge.attachments_to(thread, attached).await?
                }
            };
            attachments.write(&mut changes, Some(run.id.as_str()))?;
            if let RunTarget::New(thread, _) = onto {
                changes.insert_thread(thread)?;
            }
            changes.insert_run(run, None, has_question, attachments.thread_was())?;
            for message in messages.iter() {
                changes.insert_message(message, Some(&run.id))?;
            }
            if store.write(changes).await? {
                knowledge.attached(attachments);
                return Ok(());
            }
            let state = lock::state(store, &run.thread_id).await?;
            if let Some(holder) = state.holder {
                let thread = run.thread_id.clone();
                return Err(EngineError::LockedForRuns { thread, run: holder });
            }
            if !has_question && !state.has_user_message {
                return Err(EngineError::NothingToRun);
            }
            // The run that was in the way has just ended, or somebody has changed the thread.
        }
    }

    /// What streams show of it.
    pub(super) fn into_events(self) -> Vec<Event> {
        let thread = match self.onto {
            RunTarget::New(thread, _) => Some(thread),
            RunTarget::Existing(..) => None,
        };
        events(thread, self.run)
    }
}

/// Refuses a thread that is held by a run.
async fn check_free(store: &Store, thread: &Id<Thread>) -> Result<(), EngineError> {
    match lock::state(store, thread).await?.holder {
        Some(run) => Err(EngineError::LockedForRuns { thread: thread.clone(), run }),
        None => Ok(()),
    }
}

fn events(thread: Option<Thread>, run: Run) -> Vec<Event> {
    let thread = thread.map(|thread| Event::ThreadCreated(Box::new(thread)));
    let run = [Event::RunCreated(Box::new(run.clone())), Event::Run(Box::new(run))];
    thread.into_iter().chain(run).collect()
}

/// A run that is not written yet, with its thread and the messages in it.
pub(super) struct Creation {
    pub run: Run,
    pub thread: Thread,
    pub messages: Vec<Message>,
    /// Who waits for it to be written.
    pub created: oneshot::Sender<store::Result<()>>,
}

impl Creation {
    /// What a performer may look at.
    pub(super) fn inputs(&self, assistant: Option<Assistant>) -> PerformerInputs {
        let is_of_user = |message: &&Message| message.role == Role::User;
        PerformerInputs {
            turn: Some(1),
            thread: Some(self.thread.clone()),
            assistant,
            user_message: self.messages.iter().rfind(is_of_user).cloned(),
        }
    }

    /// What the performer has to read.
    pub(super) fn prompt(&self) -> Prompt {
        prompt::of_messages(&self.run, &self.messages)
    }

    /// What streams show of it.
    pub(super) fn events(&self) -> Vec<Event> {
        events(Some(self.thread.clone()), self.run.clone())
    }

    /// Adds it to a write, as the run is by then, with the note of how it goes on.
    pub(super) fn write(
        &self,
        changes: &mut Changes,
        run: &Run,
        note: Option<&str>,
    ) -> store::Result<()> {
        changes.insert_thread(&self.thread)?;
        changes.insert_run(run, note, true, None)?;
        self.messages.iter().try_for_each(|message| changes.insert_message(message, Some(&run.id)))
    }

    /// Tells whoever waits what has become of it.
    pub(super) fn tell(self, written: store::Result<()>) {
        // The run goes on whether anybody waits or not.
        _ = self.created.send(written);
    }
}
