//! The engine of a session: it creates runs, passes the commands of clients to their tasks, and
//! resumes open runs after a restart. It owns the tasks; when it is dropped, they stop.

use std::{borrow::Cow, collections::HashMap, sync::Arc, time::Duration};

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
    note::{self, NoteError},
    objects::RunObjects,
    performer::PerformerChoice,
    performing::Performing,
    prompt::{self, Reading},
    responses::{
        ConversationLock, ResponseOrder, ResponseSubject,
        creation::{self, Opened},
        locks::ConversationLocks,
        objects::{BegunResponse, ResponseObjects},
        record::{Record, Setting},
    },
    services::RunServices,
    shell::{Shell, Unwritten},
    task,
    turn_recorder::TurnRecorder,
    view::RunView,
};
use crate::{
    knowledge::AttachedFiles,
    store::{self, Changes, OpenResponse, OpenRun, StoreError},
    types::{
        ApiErrorKind, Conversation, Id, Message, Response, Run, RunStatus, Step, Thread,
        response::Compaction, run::LastError, tool::ToolOutput,
    },
};

/// How long runs may take to end their streams when their session is reset.
const PATIENCE: Duration = Duration::from_secs(1);

/// The engine of one session.
pub struct Engine {
    at_hand: RunServices,
    live: Arc<Mutex<HashMap<Id<Run>, LiveRun>>>,
    claims: Claims,
    conversations: ConversationLocks,
}

struct LiveRun {
    thread: Id<Thread>,
    commands: mpsc::UnboundedSender<RunCommand>,
    task: JoinHandle<()>,
}

impl Engine {
    pub fn new(at_hand: RunServices) -> Self {
        Self {
            at_hand,
            live: Arc::default(),
            claims: Claims::default(),
            conversations: ConversationLocks::default(),
        }
    }

    /// Creates a run, and a new thread for it if the client wants one, and starts the run. Returns
    /// the run as it was created, `queued`, however fast it is.
    pub async fn create(
        &self,
        new: NewRun,
        listener: Option<Listener>,
    ) -> Result<Run, EngineError> {
        // Nobody else knows a thread that does not exist yet.
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

    /// Starts a run that is written together with its first events.
    async fn begin_unwritten(
        &self,
        mut shell: Shell,
        creation: Box<Creation>,
    ) -> Result<(), EngineError> {
        let store = &self.at_hand.store;
        shell.performing.know(creation.inputs(), creation.reading(store).await?);
        let (run, has_question) = (creation.run.clone(), creation.has_question);
        let (created, answer) = oneshot::channel();
        shell.creation = Some((Unwritten::Run(creation), created));
        let (let_go, gate) = oneshot::channel();
        self.spawn(shell, None, gate);
        _ = let_go.send(Vec::new());
        if answer.await.unwrap_or_else(|_| Err(StoreError::died()))? {
            return Ok(());
        }
        let refused = refusal(store, &run, has_question).await?;
        Err(refused.unwrap_or_else(|| StoreError::vanished().into()))
    }

    /// Writes a run and starts it. The write decides whether the run may exist.
    async fn begin_written(&self, shell: Shell, mut new: NewRun) -> Result<(), EngineError> {
        // The task exists before the run is visible, so that every reader of the run finds its
        // task.
        let (created, gate) = oneshot::channel();
        self.spawn(shell, None, gate);
        let RunServices { store, knowledge, .. } = &self.at_hand;
        new.write(store, knowledge).await?;
        // If the task is gone already, so is its engine.
        _ = created.send(new.into_events());
        Ok(())
    }

    /// Creates a response and starts it. Returns the response as it was created.
    pub async fn respond(
        &self,
        order: ResponseOrder,
        listener: Option<Listener>,
    ) -> Result<Response, EngineError> {
        let lock = match &order.request.conversation {
            Some(conversation) => Some(self.lock_conversation(conversation)?),
            None => None,
        };
        let opened = order.open(&self.at_hand, lock).await?;
        let Opened { objects, machine, inputs, reading, of_response, wanted, setting } = opened;
        let response = objects.response.clone();
        let objects = RunView::Responses(Box::new(objects));
        let mut shell = self.shell(machine, objects, wanted, listener);
        shell.performing.know_response(inputs, reading, of_response);
        let (created, answer) = oneshot::channel();
        shell.creation = Some((Unwritten::Response(Box::new(setting)), created));
        let (let_go, gate) = oneshot::channel();
        self.spawn(shell, None, gate);
        _ = let_go.send(Vec::new());
        if answer.await.unwrap_or_else(|_| Err(StoreError::died()))? {
            Ok(response)
        } else {
            Err(StoreError::vanished().into())
        }
    }

    /// The subject of such a response, as conditions see it. This creates nothing.
    pub async fn subject_of(&self, order: ResponseOrder) -> Result<ResponseSubject, EngineError> {
        order.subject(&self.at_hand).await
    }

    /// How many tokens a response like this would read.
    pub async fn count_tokens(&self, order: ResponseOrder) -> Result<u64, EngineError> {
        order.count(&self.at_hand).await
    }

    /// What a response like this would read, compacted.
    pub async fn compact(&self, order: ResponseOrder) -> Result<Compaction, EngineError> {
        order.compact(&self.at_hand).await
    }

    /// Locks a conversation, unless somebody works on it already.
    pub fn lock_conversation(
        &self,
        conversation: &Id<Conversation>,
    ) -> Result<ConversationLock, EngineError> {
        let locked = || EngineError::Refused(ApiErrorKind::ConversationLocked);
        self.conversations.lock(conversation).ok_or_else(locked)
    }

    /// Cancels a response that is in progress. Returns whether it was in progress.
    pub async fn cancel_response(&self, id: &Id<Response>) -> Result<bool, EngineError> {
        match self.change(&run_of(id), RunChange::Cancel, None).await {
            None | Some(Err(EngineError::NotCancellable(_))) => Ok(false),
            Some(answer) => answer.map(|_| true),
        }
    }

    /// Adds a listener to a response that is in progress. The listener skips so many events at the
    /// beginning. Returns whether the response is in progress and its events can be requested
    /// again.
    pub async fn listen(&self, id: &Id<Response>, listener: Listener, skipped: u64) -> bool {
        let (answer, answered) = oneshot::channel();
        let activity = self.at_hand.clock.begin_activity();
        let command = RunCommand::Listen { listener, skipped, answer, activity };
        self.command(&run_of(id), command) && answered.await.unwrap_or(false)
    }

    /// Informs a response that a client polled it.
    pub async fn poll_response(&self, id: &Id<Response>) {
        self.tell_polled(&run_of(id)).await;
    }

    /// Deletes a response, and stops it if it is in progress. Returns whether it existed.
    pub async fn delete_response(&self, id: &Id<Response>) -> store::Result<bool> {
        let was_there = self.at_hand.store.delete(id).await?;
        if was_there {
            let activity = self.at_hand.clock.begin_activity();
            self.command(&run_of(id), RunCommand::Abandon { activity });
        }
        Ok(was_there)
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

    /// Deletes a thread, and stops the run on it. Returns whether the thread existed.
    pub async fn delete_thread(&self, thread: &Id<Thread>) -> store::Result<bool> {
        let _claim = self.claims.for_run(thread).await;
        let was_there = self.at_hand.store.delete(thread).await?;
        if was_there {
            self.abandon(thread);
        }
        Ok(was_there)
    }

    /// Asks a run to stop. Returns the run as it is then, `cancelling`.
    pub async fn cancel(&self, id: &Id<Run>, thread: &Id<Thread>) -> Result<Run, EngineError> {
        match self.change(id, RunChange::Cancel, None).await {
            Some(answer) => answer,
            None => Err(EngineError::NotCancellable(self.status_of(id, thread).await?)),
        }
    }

    /// Gives a run the outputs that it waits for. Returns the run as it is then, `queued`.
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

    /// Requests a change of a run. `None` if the run is not in progress.
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

    /// Informs a run that a client polled it: under the pace `steps` it advances by one status.
    pub async fn poll(&self, id: &Id<Run>, thread: &Id<Thread>) {
        if self.live.lock().get(id).is_none_or(|live| live.thread != *thread) {
            return;
        }
        self.tell_polled(id).await;
    }

    async fn tell_polled(&self, id: &Id<Run>) {
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

    /// Stops all runs, because their session is reset.
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

    /// Resumes the runs that were open when the server stopped.
    pub(crate) async fn resume(&self) -> store::Result<()> {
        for open in self.at_hand.store.open_runs().await? {
            tracing::info!(run = %open.run.id, status = %open.run.status(), "resuming a run");
            let prompt = prompt::measure(&self.at_hand.store, &open.run).await?.prompt;
            let now = self.at_hand.clock.now();
            let (machine, first) = match note::read(&open, prompt, now) {
                Ok(machine) => {
                    let lost = machine.performance().and_then(|by| by.memory.lost());
                    (machine, Input::Restart { lost })
                }
                Err(error) => {
                    tracing::error!(run = %open.run.id, %error, "cannot read the saved state");
                    let why = format!(
                        "After a restart, the server cannot read the saved state of this run: \
                         {error}."
                    );
                    let failed = Input::Stop(PerformanceEnd::failed(LastError::server_error(why)));
                    (note::machine_of_objects(&open, prompt, now), failed)
                }
            };
            let OpenRun { run, steps, message, .. } = open;
            let objects = self.objects(run, steps, message);
            let shell = self.shell(machine, objects, PerformerChoice::Any, None);
            self.take_up(shell, first);
        }
        for open in self.at_hand.store.open_responses().await? {
            tracing::info!(response = %open.response.id, "resuming a response");
            match self.resumed(&open) {
                Ok((shell, lost)) => self.take_up(shell, Input::Restart { lost }),
                Err(error) => self.fail_unreadable(open.response, &error).await?,
            }
        }
        Ok(())
    }

    /// Continues a run that existed before this server started.
    fn take_up(&self, shell: Shell, first: Input) {
        let (created, gate) = oneshot::channel();
        self.spawn(shell, Some(first), gate);
        _ = created.send(Vec::new());
    }

    /// A response in its last written state, and the error if a part of it is lost.
    fn resumed(&self, open: &OpenResponse) -> Result<(Shell, Option<LastError>), NoteError> {
        let (machine, record) = note::read_response(&open.note)?;
        let setting: Setting = serde_json::from_str(&open.setting)?;
        let lost = machine.performance().and_then(|by| by.memory.lost());
        let Record { progress, run, steps, message } = record;
        let conversation = open.response.settings.conversation.as_ref();
        let begun = BegunResponse {
            response: open.response.clone(),
            input: open.input.clone(),
            turn: setting.turn,
            answered: setting.answered,
            pads: setting.pads,
            container: setting.of_response.container.id.clone(),
            lock: conversation.and_then(|id| self.conversations.lock(id)),
        };
        let (run, steps) = (run.into_owned(), steps.into_owned());
        let message = message.map(Cow::into_owned);
        let mut objects = ResponseObjects::new(self.run_objects(run, steps, message), begun);
        objects.resume(progress.into_owned());
        let reading = Reading { prompt: Prompt::default(), messages: setting.messages };
        let objects = RunView::Responses(Box::new(objects));
        let mut shell = self.shell(machine, objects, PerformerChoice::Any, None);
        let inputs = creation::inputs(setting.turn, setting.question);
        shell.performing.know_response(inputs, reading, setting.of_response);
        Ok((shell, lost))
    }

    /// A response that cannot continue fails.
    async fn fail_unreadable(
        &self,
        mut response: Response,
        error: &NoteError,
    ) -> store::Result<()> {
        tracing::error!(response = %response.id, %error, "cannot read the saved state");
        let why = format!(
            "After a restart, the server cannot read the saved state of this response: {error}."
        );
        response.fail(LastError::server_error(why));
        let mut changes = Changes::new();
        changes.update_response(&response, None, None)?;
        self.at_hand.store.write(changes).await.map(|_| ())
    }

    fn run_objects(&self, run: Run, steps: Vec<Step>, message: Option<Message>) -> RunObjects {
        let ids = self.at_hand.ids.of_run(&run.id);
        RunObjects::new(run, steps, message, ids)
    }

    fn objects(&self, run: Run, steps: Vec<Step>, message: Option<Message>) -> RunView {
        RunView::Assistants(Box::new(self.run_objects(run, steps, message)))
    }

    fn shell(
        &self,
        machine: Machine,
        objects: RunView,
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
            audience: Audience::new(objects.api(), bus.clone(), listener),
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

    /// Starts a run's task. The task waits at the gate until the run exists, and gets the events of
    /// its creation there.
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

/// The run that performers see in place of a response: it has the same id.
fn run_of(id: &Id<Response>) -> Id<Run> {
    Id::new(id.as_str())
}

impl Drop for Engine {
    fn drop(&mut self) {
        for (_, live) in self.live.lock().drain() {
            live.task.abort();
        }
    }
}
