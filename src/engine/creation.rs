//! How a run is created.
//!
//! The engine performs most runs as far as they go before it writes them. That saves a commit and
//! reads. It writes a run that brings files along first, because the run searches them. It also
//! writes a run first if something blocks it: the write decides.

use super::{
    error::EngineError,
    event::Event,
    lock,
    performer::PerformerChoice,
    prompt::{self, Reading},
};
use crate::{
    knowledge::{AttachedFiles, Attachments, Knowledge},
    store::{self, Changes, PerformerInputs, Store, ThreadEnd},
    types::{Assistant, Id, Message, Role, Run, Thread},
};

/// The thread of a new run.
pub enum RunTarget {
    /// A thread, and the files that the run brings along.
    Existing(Id<Thread>, AttachedFiles),
    /// A new thread, with its files.
    New(Thread, Box<Attachments>),
}

/// A run to be created, with the messages that go before it.
pub struct NewRun {
    pub onto: RunTarget,
    pub messages: Vec<Message>,
    pub run: Run,
    pub wanted: PerformerChoice,
}

/// Whether the run has an input besides the messages of the thread.
pub(super) fn has_question(run: &Run, messages: &[Message]) -> bool {
    // Recorded: v1 performed runs without any input.
    run.version.is_v1()
        || run.instructions.as_deref().is_some_and(|text| !text.is_empty())
        || messages.iter().any(|message| message.role == Role::User)
}

/// The reason why a run was not written, if the store still shows it.
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
    /// Checks whether the run can be written together with its first events. It can if it brings no
    /// files along and nothing blocks it.
    pub(super) async fn prepare(self, store: &Store) -> store::Result<Prepared> {
        let Some(known) = self.look_up(store).await? else {
            return Ok(Prepared::First(Box::new(self)));
        };
        let has_question = has_question(&self.run, &self.messages);
        let can_run = has_question || known.end.user_message.is_some();
        if known.end.holder.is_some() || !can_run {
            return Ok(Prepared::First(Box::new(self)));
        }
        let Self { run, messages, .. } = self;
        Ok(Prepared::Unwritten(Box::new(Creation { run, messages, known, has_question })))
    }

    /// The state that the run finds, if it brings no files along and its thread exists.
    async fn look_up(&self, store: &Store) -> store::Result<Option<Known>> {
        let assistant = store.find(&self.run.assistant_id);
        Ok(match &self.onto {
            RunTarget::New(thread, attachments) if attachments.is_empty() => Some(Known {
                thread: thread.clone(),
                is_new: true,
                assistant: assistant.await?,
                end: ThreadEnd::default(),
            }),
            RunTarget::Existing(id, attached) if attached.is_empty() => {
                let (thread, assistant, end) =
                    tokio::try_join!(store.find(id), assistant, store.thread_end(id))?;
                thread.map(|thread| Known { thread, is_new: false, assistant, end })
            }
            RunTarget::New(..) | RunTarget::Existing(..) => None,
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
            // The run that blocked this one has just ended, or somebody has changed the thread.
        }
    }

    /// The events of its creation, for streams.
    pub(super) fn into_events(self) -> Vec<Event> {
        let thread = match self.onto {
            RunTarget::New(thread, _) => Some(thread),
            RunTarget::Existing(..) => None,
        };
        events(thread, self.run)
    }
}

/// Rejects a thread that a run holds.
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

/// Whether a run is written together with its first events, or before them.
pub(super) enum Prepared {
    Unwritten(Box<Creation>),
    First(Box<NewRun>),
}

/// A run that is not written yet, with its messages and the state that it finds.
pub(super) struct Creation {
    pub run: Run,
    messages: Vec<Message>,
    known: Known,
    pub has_question: bool,
}

/// The state that a run finds.
struct Known {
    thread: Thread,
    /// Whether the thread is made with the run.
    is_new: bool,
    assistant: Option<Assistant>,
    end: ThreadEnd,
}

impl Creation {
    /// The prompt that the performer reads.
    pub(super) async fn reading(&self, store: &Store) -> store::Result<Reading> {
        prompt::at_end(store, &self.run, &self.messages, &self.known.end).await
    }

    /// The inputs that the performer may look at.
    pub(super) fn inputs(&self) -> PerformerInputs {
        let is_of_user = |message: &&Message| message.role == Role::User;
        let brought = self.messages.iter().rfind(is_of_user);
        let Known { thread, assistant, end, .. } = &self.known;
        PerformerInputs {
            turn: Some(end.turns + 1),
            thread: Some(thread.clone()),
            assistant: assistant.clone(),
            user_message: brought.or(end.user_message.as_ref()).cloned(),
        }
    }

    /// The events of its creation, for streams.
    pub(super) fn events(&self) -> Vec<Event> {
        let Known { thread, is_new, .. } = &self.known;
        events(is_new.then(|| thread.clone()), self.run.clone())
    }

    /// Adds the creation to a write: the run in its current state, with the note of how it
    /// continues.
    pub(super) fn write(
        &self,
        changes: &mut Changes,
        run: &Run,
        note: Option<&str>,
    ) -> store::Result<()> {
        if self.known.is_new {
            changes.insert_thread(&self.known.thread)?;
        }
        changes.insert_run(run, note, self.has_question, None)?;
        self.messages.iter().try_for_each(|message| changes.insert_message(message, Some(&run.id)))
    }
}
