//! The engine of a session: creates runs, tells their tasks what clients ask of them, and takes up
//! after a restart whatever had not ended. It owns the tasks; dropping it stops them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{
    audience::Audience,
    claims::Claims,
    command::{RunChange, RunCommand},
    creation::{Creation, NewRun, Prepared, RunTarget, refusal},
    cue::PerformanceEnd,
    error::EngineError,
    event::Event,
    listener::Listener,
    lock,
    machine::{Input, Machine, Prompt},
    note,
    objects::RunObjects,
    performer::{Performer, PerformerChoice},
    performing::Performing,
    prompt,
    shell::Shell,
    task,
    turn_recorder::TurnRecorder,
};
use crate::{
    clock::{Clock, Ids},
    event_bus::EventBus,
    knowledge::{AttachedFiles, Knowledge},
    metrics::Metrics,
    store::{self, OpenRun, Store, StoreError},
    turns::TurnLog,
    types::{Id, Message, Run, RunStatus, Step, Thread, run::LastError, tool::ToolOutput},
    upstream::Recording,
};

/// How long runs may take to end their streams when their session begins anew.
const PATIENCE: Duration = Duration::from_secs(1);

/// What every run has at hand.
pub struct RunServices {
    pub store: Store,
    pub clock: Clock,
    pub ids: Arc<Ids>,
    pub knowledge: Knowledge,
    pub performer: Arc<Performer>,
    pub bus: EventBus,
    pub turns: Arc<TurnLog>,
    pub metrics: Arc<Metrics>,
    /// Where runs go that an upstream performed.
    pub recording: Option<Recording>,
}

/// The engine of one session.
pub struct Engine {
    at_hand: RunServices,
    live: Arc<Mutex<HashMap<Id<Run>, LiveRun>>>,
    claims: Claims,
}

struct LiveRun {
    thread: Id<Thread>,
    commands: mpsc::UnboundedSender<RunCommand>,
    task: JoinHandle<()>,
}

impl Engine {
    pub fn new(at_hand: RunServices) -> Self {
        Self { at_hand, live: Arc::default(), claims: Claims::default() }
    }

    /// Creates a run, and its thread if it is to have a new one, and lets it go. Answers with the
    /// run as it was created, `queued`, however fast it is.
    pub async fn create(
        &self,
        new: NewRun,
        listener: Option<Listener>,
    ) -> Result<Run, EngineError> {
        // Of a thread that is yet to be made nobody else knows.
        let _claim = match &new.onto {
            RunTarget::Existing(thread, _) => Some(self.claims.for_run(thread).await),
            RunTarget::New(..) => None,
        };
        let (run, wanted) = (new.run.clone(), new.wanted.clone());
        let machine = note::new_machine(&run, Prompt::default(), self.at_hand.clock.now());
        let objects = self.objects(run.clone(), Vec::new(), None);
        let shell = self.shell(machine, objects, wanted, listener);
        match new.prepare(&self.at_hand.store).await? {
            Prepared::Unwritten(creation) => self.begin_unwritten(shell, creation).await?,
            Prepared::First(new) => self.begin_written(shell, *new).await?,
        }
        Ok(run)
    }

    /// Lets a run go that is written with what it does first.
    async fn begin_unwritten(
        &self,
        mut shell: Shell,
        creation: Box<Creation>,
    ) -> Result<(), EngineError> {
        let store = &self.at_hand.store;
        shell.performing.know(creation.inputs(), creation.reading(store).await?);
        let (run, has_question) = (creation.run.clone(), creation.has_question);
        let (created, answer) = oneshot::channel();
        shell.creation = Some((creation, created));
        let (let_go, gate) = oneshot::channel();
        self.spawn(shell, None, gate);
        _ = let_go.send(Vec::new());
        if answer.await.unwrap_or_else(|_| Err(StoreError::died()))? {
            return Ok(());
        }
        let refused = refusal(store, &run, has_question).await?;
        Err(refused.unwrap_or_else(|| StoreError::vanished().into()))
    }

    /// Writes a run, which decides whether it may be, and lets it go.
    async fn begin_written(&self, shell: Shell, mut new: NewRun) -> Result<(), EngineError> {
        // The task is there before the run can be seen, so that whoever sees the run finds its
        // task.
        let (created, gate) = oneshot::channel();
        self.spawn(shell, None, gate);
        let RunServices { store, knowledge, .. } = &self.at_hand;
        new.write(store, knowledge).await?;
        // If the task is gone already, so is its engine.
        _ = created.send(new.into_events());
        Ok(())
    }

    /// Adds a client's message to its thread, with the files that are attached to it.
    pub async fn add_message(
        &self,
        message: Message,
        attached: &AttachedFiles,
    ) -> Result<Message, EngineError> {
        let _claim = self.claims.for_message(&message.thread_id).await;
        let RunServices { store, knowledge, .. } = &self.at_hand;
        lock::add_message(store, knowledge, message, attached).await
    }

    /// Deletes a thread, and stops the run on it. Answers whether there was something to delete.
    pub async fn delete_thread(&self, thread: &Id<Thread>) -> store::Result<bool> {
        let _claim = self.claims.for_run(thread).await;
        let was_there = self.at_hand.store.delete(thread).await?;
        if was_there {
            self.abandon(thread);
        }
        Ok(was_there)
    }

    /// Asks a run to stop. Answers with the run as it is then, `cancelling`.
    pub async fn cancel(&self, id: &Id<Run>, thread: &Id<Thread>) -> Result<Run, EngineError> {
        match self.change(id, RunChange::Cancel, None).await {
            Some(answer) => answer,
            None => Err(EngineError::NotCancellable(self.status_of(id, thread).await?)),
        }
    }

    /// Hands a run the outputs it waits for. Answers with the run as it is then, `queued`.
    pub async fn submit(
        &self,
        id: &Id<Run>,
        thread: &Id<Thread>,
        outputs: Vec<ToolOutput>,
        listener: Option<Listener>,
    ) -> Result<Run, EngineError> {
        match self.change(id, RunChange::Submit(outputs), listener).await {
            Some(answer) => answer,
            None => Err(EngineError::NoOutputsWanted(self.status_of(id, thread).await?)),
        }
    }

    /// Asks a run for a change. None if the run is not under way.
    async fn change(
        &self,
        id: &Id<Run>,
        change: RunChange,
        listener: Option<Listener>,
    ) -> Option<Result<Run, EngineError>> {
        let (answer, answered) = oneshot::channel();
        let activity = self.at_hand.clock.begin_activity();
        if !self.command(id, RunCommand::Change { change, listener, answer, activity }) {
            return None;
        }
        answered.await.ok()
    }

    /// Tells a run that it was polled: under the pace `steps` it moves on by one status.
    pub async fn poll(&self, id: &Id<Run>, thread: &Id<Thread>) {
        if self.live.lock().get(id).is_none_or(|live| live.thread != *thread) {
            return;
        }
        let (answer, answered) = oneshot::channel();
        let activity = self.at_hand.clock.begin_activity();
        if self.command(id, RunCommand::Poll { answer, activity }) {
            _ = answered.await;
        }
    }

    /// Stops the run on a thread that is gone.
    fn abandon(&self, thread: &Id<Thread>) {
        for live in self.live.lock().values().filter(|live| live.thread == *thread) {
            _ = live
                .commands
                .send(RunCommand::Abandon { activity: self.at_hand.clock.begin_activity() });
        }
    }

    /// Stops all runs, because their session begins anew.
    pub async fn abandon_all(&self) {
        let stopped: Vec<_> = self.live.lock().drain().map(|(_, live)| live).collect();
        for live in &stopped {
            _ = live
                .commands
                .send(RunCommand::Abandon { activity: self.at_hand.clock.begin_activity() });
        }
        let aborts: Vec<_> = stopped.iter().map(|live| live.task.abort_handle()).collect();
        let ended = join_all(stopped.into_iter().map(|live| live.task));
        if tokio::time::timeout(PATIENCE, ended).await.is_err() {
            aborts.iter().for_each(tokio::task::AbortHandle::abort);
        }
    }

    /// Stops all runs where they are, because the server ends. Their notes are written.
    pub async fn halt(&self) {
        let stopped: Vec<_> = self.live.lock().drain().map(|(_, live)| live.task).collect();
        for task in stopped {
            task.abort();
            _ = task.await;
        }
    }

    /// Takes up the runs that had not ended when the server stopped.
    pub(crate) async fn resume(&self) -> store::Result<()> {
        for open in self.at_hand.store.open_runs().await? {
            tracing::info!(run = %open.run.id, status = %open.run.status(), "taking up a run");
            let prompt = prompt::measure(&self.at_hand.store, &open.run).await?.prompt;
            let now = self.at_hand.clock.now();
            let (machine, first) = match note::read(&open, prompt, now) {
                Ok(machine) => {
                    let lost = machine.performance().and_then(|by| by.memory.lost());
                    (machine, Input::Restart { lost })
                }
                Err(error) => {
                    tracing::error!(run = %open.run.id, %error, "the note of a run is unreadable");
                    let why = format!(
                        "The server was started again, and what it had noted of this run cannot be read: {error}."
                    );
                    let failed = Input::Stop(PerformanceEnd::failed(LastError::server_error(why)));
                    (note::machine_of_objects(&open, prompt, now), failed)
                }
            };
            let OpenRun { run, steps, message, .. } = open;
            let objects = self.objects(run, steps, message);
            let shell = self.shell(machine, objects, PerformerChoice::Any, None);
            let (created, gate) = oneshot::channel();
            self.spawn(shell, Some(first), gate);
            _ = created.send(Vec::new());
        }
        Ok(())
    }

    fn objects(&self, run: Run, steps: Vec<Step>, message: Option<Message>) -> RunObjects {
        let ids = self.at_hand.ids.of_run(&run.id);
        RunObjects::new(run, steps, message, ids)
    }

    fn shell(
        &self,
        machine: Machine,
        objects: RunObjects,
        wanted: PerformerChoice,
        listener: Option<Listener>,
    ) -> Shell {
        let RunServices {
            store, clock, knowledge, performer, bus, turns, metrics, recording, ..
        } = &self.at_hand;
        Shell {
            performing: Performing::new(
                store.clone(),
                clock.clone(),
                knowledge.clone(),
                Arc::clone(performer),
                wanted,
                TurnRecorder::new(Arc::clone(turns)),
                recording.clone(),
            ),
            audience: Audience::new(bus.clone(), listener),
            metrics: Arc::clone(metrics),
            store: store.clone(),
            clock: clock.clone(),
            machine,
            objects,
            creation: None,
            is_noted: false,
            unwritten: Vec::new(),
        }
    }

    /// Starts a run's task, which waits at the gate until the run exists, with the events of its
    /// creation.
    fn spawn(&self, shell: Shell, first: Option<Input>, gate: oneshot::Receiver<Vec<Event>>) {
        let activity = self.at_hand.clock.begin_activity();
        let (id, thread) = (shell.objects.run.id.clone(), shell.objects.run.thread_id.clone());
        let (commands, received) = mpsc::unbounded_channel();
        // The lock is held until the task is known, so that the task cannot end before that.
        let mut live = self.live.lock();
        let (all, own) = (Arc::clone(&self.live), id.clone());
        let spawned = tokio::spawn(async move {
            if let Ok(events) = gate.await {
                task::run(shell, events, first, received, activity).await;
            }
            all.lock().remove(&own);
        });
        live.insert(id, LiveRun { thread, commands, task: spawned });
    }

    /// `false` if the run has no task: it has ended, or does not exist.
    fn command(&self, id: &Id<Run>, command: RunCommand) -> bool {
        self.live.lock().get(id).is_some_and(|live| live.commands.send(command).is_ok())
    }

    async fn status_of(&self, id: &Id<Run>, thread: &Id<Thread>) -> Result<RunStatus, EngineError> {
        let run = self.at_hand.store.find::<Run>(&(thread.clone(), id.clone())).await?;
        Ok(run.ok_or_else(|| EngineError::NoRun(id.clone()))?.status())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for (_, live) in self.live.lock().drain() {
            live.task.abort();
        }
    }
}
