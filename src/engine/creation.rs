//! How a run comes to be.
//!
//! Mostly it is performed as far as it goes before it is written: that saves a commit, and reads. One
//! that brings files along is written first, because it searches them, and so is one with something
//! in its way: the write decides.

use super::{
    error::EngineError, event::Event, lock, machine::Prompt, performer::PerformerChoice, prompt,
};
use crate::{
    knowledge::{AttachedFiles, Attachments, Knowledge},
    store::{self, Changes, PerformerInputs, Store, ThreadEnd},
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

/// Why a run was not written, if that can still be told.
pub(super) async fn refusal(
    store: &Store,
    run: &Run,
    has_question: bool,
) -> Result<Option<EngineError>, EngineError> {
    let state = lock::state(store, &run.thread_id).await?;
    Ok(match state.holder {
        Some(holder) => {
            let thread = run.thread_id.clone();
            Some(EngineError::LockedForRuns { thread, run: holder })
        }
        None if !has_question && !state.has_user_message => Some(EngineError::NothingToRun),
        None => None,
    })
}

impl NewRun {
    /// Looks up what the run finds, if it can be written together with what it does first: if it
    /// brings no files along, and nothing is in its way.
    pub(super) async fn prepare(self, store: &Store) -> store::Result<Prepared> {
        let Self { onto, messages, run, wanted } = self;
        let has_question = has_question(&run, &messages);
        let (onto, found) = match onto {
            RunTarget::New(thread, attachments) if has_question && attachments.is_empty() => {
                let assistant = store.find(&run.assistant_id).await?;
                let known = Known { assistant, end: ThreadEnd::default() };
                let creation =
                    Creation { run, thread, is_new: true, messages, known, has_question };
                return Ok(Prepared::Unwritten(Box::new(creation)));
            }
            RunTarget::Existing(id, attached) if attached.is_empty() => {
                let (thread, assistant, end) = tokio::try_join!(
                    store.find::<Thread>(&id),
                    store.find(&run.assistant_id),
                    store.thread_end(&id),
                )?;
                (RunTarget::Existing(id, attached), Some((thread, Known { assistant, end })))
            }
            onto => (onto, None),
        };
        Ok(match found {
            Some((Some(thread), known))
                if known.end.holder.is_none()
                    && (has_question || known.end.user_message.is_some()) =>
            {
                let creation =
                    Creation { run, thread, is_new: false, messages, known, has_question };
                Prepared::Unwritten(Box::new(creation))
            }
            _ => Prepared::First(Self { onto, messages, run, wanted }),
        })
    }

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
            if let Some(refused) = refusal(store, run, has_question).await? {
                return Err(refused);
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

/// Whether a run is written with what it does first, or before.
pub(super) enum Prepared {
    Unwritten(Box<Creation>),
    First(NewRun),
}

/// A run that is not written yet, with the messages that come along and what it finds.
pub(super) struct Creation {
    pub run: Run,
    thread: Thread,
    is_new: bool,
    messages: Vec<Message>,
    known: Known,
    pub has_question: bool,
}

/// What was looked up for a run.
struct Known {
    assistant: Option<Assistant>,
    end: ThreadEnd,
}

impl Creation {
    /// What the performer has to read.
    pub(super) async fn prompt(&self, store: &Store) -> store::Result<Prompt> {
        prompt::at_end(store, &self.run, &self.messages, &self.known.end).await
    }

    /// What the performer may look at.
    pub(super) fn inputs(&self) -> PerformerInputs {
        let is_of_user = |message: &&Message| message.role == Role::User;
        let brought = self.messages.iter().rfind(is_of_user);
        let Known { assistant, end } = &self.known;
        PerformerInputs {
            turn: Some(end.turns + 1),
            thread: Some(self.thread.clone()),
            assistant: assistant.clone(),
            user_message: brought.or(end.user_message.as_ref()).cloned(),
        }
    }

    /// What streams show of it.
    pub(super) fn events(&self) -> Vec<Event> {
        events(self.is_new.then(|| self.thread.clone()), self.run.clone())
    }

    /// Adds it to a write, as the run is by then, with the note of how it goes on.
    pub(super) fn write(
        &self,
        changes: &mut Changes,
        run: &Run,
        note: Option<&str>,
    ) -> store::Result<()> {
        if self.is_new {
            changes.insert_thread(&self.thread)?;
        }
        changes.insert_run(run, note, self.has_question, None)?;
        self.messages.iter().try_for_each(|message| changes.insert_message(message, Some(&run.id)))
    }
}
