//! Makes runs happen: a task for each open run that plays what is due, commits, and only then tells.
//!
//! A run's task owns the run from its creation to its end: cancels, tool outputs and polls reach it as
//! commands, so everything about a run happens in one order. It goes on whether anybody polls, listens or
//! hangs up. After a restart `resume` takes up whatever had not ended.

use std::{
    collections::{HashMap, VecDeque},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;

use tokio::{
    sync::{mpsc, oneshot},
    task::AbortHandle,
};

use super::{
    Refused,
    event::Event,
    lock,
    performer::{Performance, Performer},
    prompt,
    script::{Scene, TimedCue},
    stage::{Cue, End, Stage},
    tokens,
};
use crate::{
    clock::{Awake, Clock, Ids, Moment},
    fixture::Pace,
    store::{self, Changes, OpenRun, Store, Surroundings},
    types::{
        Id, Message, Role, Run, RunStatus, Step, Thread,
        run::{LastError, SORRY},
        tool::ToolOutput,
    },
};

/// Gets the events of a run, from the one on that the call which listens caused.
pub type Listener = mpsc::UnboundedSender<Event>;

/// What a new run is to be performed on.
pub enum Onto {
    Existing(Id<Thread>),
    New(Thread),
}

/// A run to be created, with the messages that go before it.
pub struct NewRun {
    pub onto: Onto,
    pub messages: Vec<Message>,
    pub run: Run,
}

/// The engine of one session.
pub struct Engine {
    at_hand: AtHand,
    live: Arc<Mutex<HashMap<Id<Run>, Live>>>,
}

/// What every run's task has at hand.
#[derive(Clone)]
struct AtHand {
    store: Store,
    clock: Clock,
    ids: Arc<Ids>,
    performer: Arc<Performer>,
}

struct Live {
    thread: Id<Thread>,
    commands: mpsc::UnboundedSender<Command>,
    task: AbortHandle,
}

/// What a run's task can be told. The `Awake` keeps the clock from moving on before it is done.
enum Command {
    Cancel { answer: oneshot::Sender<Result<Run, Refused>>, awake: Awake },
    Submit { outputs: Vec<ToolOutput>, listener: Option<Listener>, answer: oneshot::Sender<Result<Run, Refused>>, awake: Awake },
    Poll { answer: oneshot::Sender<()>, awake: Awake },
}

impl Engine {
    pub fn new(store: Store, clock: Clock, ids: Arc<Ids>, performer: Performer) -> Self {
        Self { at_hand: AtHand { store, clock, ids, performer: Arc::new(performer) }, live: Arc::default() }
    }

    /// Makes ready for runs of a model: its vocabulary takes a while to unpack, which can happen beside the
    /// requests that come before the first run.
    pub fn expect(&self, model: &str) {
        let model = model.to_owned();
        tokio::task::spawn_blocking(move || tokens::warm(&model));
    }

    /// Creates a run, and its thread if it is to have a new one, and lets it go. Answers with the run
    /// as it was created, `queued`, however fast it is.
    pub async fn create(&self, new: NewRun, listener: Option<Listener>) -> Result<Run, Refused> {
        let run = new.run.clone();
        let open = OpenRun { run: run.clone(), performance: None, steps: Vec::new(), message: None };
        let mut task = Task::new(self.at_hand.clone(), open);
        task.listeners.extend(listener);
        // The task is there before the run can be seen, so that whoever sees the run finds its task.
        let (created, gate) = oneshot::channel();
        self.spawn(task, self.at_hand.clock.awake(), gate);
        insert(&self.at_hand.store, &new).await?;
        let mut events = vec![Event::RunCreated(run.clone()), Event::Run(run.clone())];
        if let Onto::New(thread) = new.onto {
            events.insert(0, Event::ThreadCreated(thread));
        }
        // If the task is gone already, so is its engine.
        _ = created.send(events);
        Ok(run)
    }

    /// Asks a run to stop. Answers with the run as it is then, `cancelling`.
    pub async fn cancel(&self, id: &Id<Run>, thread: &Id<Thread>) -> Result<Run, Refused> {
        let (answer, answered) = oneshot::channel();
        let awake = self.at_hand.clock.awake();
        if self.command(id, Command::Cancel { answer, awake })
            && let Ok(answer) = answered.await
        {
            return answer;
        }
        Err(Refused::NotCancellable(self.status_of(id, thread).await?))
    }

    /// Hands a run the outputs it waits for. Answers with the run as it is then, `queued`.
    pub async fn submit(
        &self,
        id: &Id<Run>,
        thread: &Id<Thread>,
        outputs: Vec<ToolOutput>,
        listener: Option<Listener>,
    ) -> Result<Run, Refused> {
        let (answer, answered) = oneshot::channel();
        let awake = self.at_hand.clock.awake();
        if self.command(id, Command::Submit { outputs, listener, answer, awake })
            && let Ok(answer) = answered.await
        {
            return answer;
        }
        Err(Refused::NoOutputsWanted(self.status_of(id, thread).await?))
    }

    /// Tells a run that it was polled: under the pace `steps` it moves on by one status.
    pub async fn poll(&self, id: &Id<Run>, thread: &str) {
        if lock_live(&self.live).get(id).is_none_or(|live| live.thread.as_str() != thread) {
            return;
        }
        let (answer, answered) = oneshot::channel();
        let awake = self.at_hand.clock.awake();
        if self.command(id, Command::Poll { answer, awake }) {
            _ = answered.await;
        }
    }

    /// Stops the run on a thread that is gone.
    pub fn abandon(&self, thread: &Id<Thread>) {
        for (_, live) in lock_live(&self.live).extract_if(|_, live| live.thread == *thread) {
            live.task.abort();
        }
    }

    /// Takes up the runs that had not ended when the server stopped.
    pub(crate) async fn resume(&self) -> store::Result<()> {
        for open in self.at_hand.store.open_runs().await? {
            tracing::info!(run = %open.run.id, status = %open.run.status(), "taking up a run");
            let (created, gate) = oneshot::channel();
            self.spawn(Task::new(self.at_hand.clone(), open), self.at_hand.clock.awake(), gate);
            _ = created.send(Vec::new());
        }
        Ok(())
    }

    /// Starts a run's task, which waits at the gate until the run exists, with the events of its creation.
    fn spawn(&self, mut task: Task, awake: Awake, gate: oneshot::Receiver<Vec<Event>>) {
        let (id, thread) = (task.stage.run.id.clone(), task.stage.run.thread_id.clone());
        let (commands, received) = mpsc::unbounded_channel();
        task.commands = received;
        // The lock is held until the task is known, so that the task cannot end before that.
        let mut live = lock_live(&self.live);
        let (all, own) = (Arc::clone(&self.live), id.clone());
        let spawned = tokio::spawn(async move {
            if let Ok(events) = gate.await {
                task.tell(events);
                task.perform(awake).await;
            }
            lock_live(&all).remove(&own);
        });
        live.insert(id, Live { thread, commands, task: spawned.abort_handle() });
    }

    /// `false` if the run has no task: it has ended, or does not exist.
    fn command(&self, id: &Id<Run>, command: Command) -> bool {
        lock_live(&self.live).get(id).is_some_and(|live| live.commands.send(command).is_ok())
    }

    async fn status_of(&self, id: &Id<Run>, thread: &Id<Thread>) -> Result<RunStatus, Refused> {
        let run = self.at_hand.store.find::<Run>(&[thread.to_string(), id.to_string()]).await?;
        Ok(run.ok_or_else(|| Refused::NoRun(id.clone()))?.status())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for (_, live) in lock_live(&self.live).drain() {
            live.task.abort();
        }
    }
}

fn lock_live(live: &Mutex<HashMap<Id<Run>, Live>>) -> MutexGuard<'_, HashMap<Id<Run>, Live>> {
    live.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn insert(store: &Store, new: &NewRun) -> Result<(), Refused> {
    let NewRun { onto, messages, run } = new;
    let has_question = run.instructions.as_deref().is_some_and(|text| !text.is_empty())
        || messages.iter().any(|message| message.role == Role::User);
    if matches!(onto, Onto::New(_)) && !has_question {
        return Err(Refused::NothingToRun);
    }
    loop {
        let mut changes = Changes::new();
        if let Onto::New(thread) = onto {
            changes.insert_thread(thread)?;
        }
        changes.insert_run(run, has_question)?;
        for message in messages {
            changes.insert_message(message, Some(&run.id))?;
        }
        if store.write(changes).await? {
            return Ok(());
        }
        let state = lock::state(store, &run.thread_id).await?;
        if let Some(holder) = state.holder {
            return Err(Refused::LockedForRuns { thread: run.thread_id.clone(), run: holder });
        }
        if !has_question && !state.has_user_message {
            return Err(Refused::NothingToRun);
        }
        // The run that was in the way has just ended.
    }
}

/// How often, and after which first wait, a run that cannot be written is tried again.
const ATTEMPTS: u32 = 6;
const RECOVERY: Duration = Duration::from_millis(100);

/// One open run and everything that is known of it.
struct Task {
    at_hand: AtHand,
    stage: Stage,
    surroundings: Option<Surroundings>,
    performance: Option<Performance>,
    cues: VecDeque<TimedCue>,
    /// When the last cue was played: the next one's wait counts from here.
    played: Moment,
    /// Whether the database knows who performs the run.
    noted: bool,
    /// The performer has nothing more to say, and the run hangs.
    exhausted: bool,
    /// How many times the run may change its status, under the pace `steps`.
    permits: usize,
    listeners: Vec<Listener>,
    commands: mpsc::UnboundedReceiver<Command>,
}

/// Why a task stops.
#[derive(Debug)]
enum Stop {
    /// The thread was deleted, and the run with it.
    Gone,
    Store(store::Error),
}

impl From<store::Error> for Stop {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl Task {
    fn new(at_hand: AtHand, open: OpenRun) -> Self {
        let OpenRun { run, performance, steps, message } = open;
        let resumed = performance.as_deref().and_then(Performance::resume);
        let (performance, mut cues) = resumed.map_or((None, VecDeque::new()), |(performance, cues)| (Some(performance), cues));
        if run.status() == RunStatus::Cancelling {
            cues = VecDeque::from([TimedCue { after: Duration::ZERO, cue: Cue::End(End::Cancelled) }]);
        }
        let ids = at_hand.ids.of_run(&run.id);
        Self {
            played: at_hand.clock.now(),
            stage: Stage::new(run, steps, message, ids),
            at_hand,
            surroundings: None,
            performance,
            cues,
            noted: false,
            exhausted: false,
            permits: 0,
            listeners: Vec::new(),
            commands: mpsc::unbounded_channel().1,
        }
    }

    async fn perform(&mut self, awake: Awake) {
        match AssertUnwindSafe(self.perform_to_end(awake)).catch_unwind().await {
            Ok(Ok(())) => return,
            Ok(Err(Stop::Gone)) => return tracing::debug!(run = %self.stage.run.id, "the thread of a run is gone"),
            Ok(Err(Stop::Store(error))) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(run = %self.stage.run.id, error, "a run cannot be written");
            }
            Err(_) => tracing::error!(run = %self.stage.run.id, "the task of a run panicked"),
        }
        for listener in self.listeners.drain(..) {
            _ = listener.send(Event::Error);
        }
        self.give_up().await;
    }

    /// Ends the run as failed, so that its thread is not locked for ever. A database that cannot be
    /// written to is given a while to recover; after that it is for a restart to take the run up.
    async fn give_up(&mut self) {
        let mut events = Vec::new();
        let error = LastError::server_error(SORRY);
        self.stage.play(Cue::End(End::Failed { error, usage: None }), self.at_hand.clock.now().seconds(), &mut events);
        for attempt in 0..ATTEMPTS {
            tokio::time::sleep(RECOVERY * 2_u32.pow(attempt)).await;
            match self.commit(&events).await {
                Ok(()) | Err(Stop::Gone) => return,
                Err(Stop::Store(_)) => {}
            }
        }
        tracing::error!(run = %self.stage.run.id, "a run stays as it is until a restart");
    }

    async fn perform_to_end(&mut self, mut awake: Awake) -> Result<(), Stop> {
        if self.performance.is_some() || !self.stage.steps.is_empty() {
            // Taken up after a restart: what it has used so far has to be known before it goes on.
            self.look_around().await?;
        }
        loop {
            self.advance().await?;
            if self.stage.is_over() {
                return Ok(());
            }
            let due = self.next_due();
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    Some(command) => awake = self.obey(command).await?,
                    None => return Ok(()),
                },
                woken = self.at_hand.clock.sleep_until(due, awake) => awake = woken,
            }
        }
    }

    /// Plays everything that is due, commits it, and tells it.
    async fn advance(&mut self) -> Result<(), Stop> {
        let now = self.at_hand.clock.now();
        let mut events = Vec::new();
        let deadline = Moment::from(self.stage.run.deadline());
        while let Some(due) = self.cue_due().await?.filter(|due| *due <= now && (*due < deadline || self.is_cancelling())) {
            let Some(TimedCue { cue, .. }) = self.cues.pop_front() else { break };
            let before = self.stage.run.status();
            self.stage.play(cue, due.seconds(), &mut events);
            self.played = due;
            if self.stage.run.status() != before {
                self.permits = self.permits.saturating_sub(1);
            }
        }
        if now >= deadline && !self.stage.is_over() {
            // Nobody polled a run under the pace `steps` to its end: a cancelled one ends as what it is.
            let end = if self.is_cancelling() { End::Cancelled } else { End::Expired };
            self.stage.play(Cue::End(end), deadline.seconds(), &mut events);
        }
        self.commit(&events).await?;
        self.tell(events);
        Ok(())
    }

    /// When the next cue is due, if there is one that may be played: fetched from the performer if need be.
    async fn cue_due(&mut self) -> Result<Option<Moment>, Stop> {
        if self.stage.is_over() || self.stage.run.status() == RunStatus::RequiresAction {
            return Ok(None);
        }
        if self.cues.is_empty() && self.stage.is_performing() && !self.exhausted {
            self.fetch().await?;
        }
        let next = self.cues.front().filter(|next| self.may_play(&next.cue));
        Ok(next.map(|next| self.played.after(next.after)))
    }

    fn is_cancelling(&self) -> bool {
        self.stage.run.status() == RunStatus::Cancelling
    }

    /// Under the pace `steps` a new status needs a poll, unless somebody listens to the stream.
    fn may_play(&self, cue: &Cue) -> bool {
        let by_polls = self.performance.as_ref().is_some_and(|performance| performance.pace == Pace::Steps);
        !by_polls || !self.listeners.is_empty() || self.permits > 0 || !self.stage.would_turn(cue)
    }

    async fn look_around(&mut self) -> Result<(), Stop> {
        if self.surroundings.is_none() {
            self.surroundings = Some(self.at_hand.store.surroundings(&self.stage.run).await?);
            self.stage.set_prompt(prompt::measure(&self.at_hand.store, &self.stage.run).await?);
        }
        Ok(())
    }

    async fn fetch(&mut self) -> Result<(), Stop> {
        self.look_around().await?;
        let Some(surroundings) = &self.surroundings else { return Ok(()) };
        let turn = surroundings.turn.ok_or(Stop::Gone)?;
        let scene = Scene {
            run: &self.stage.run,
            steps: &self.stage.steps,
            surroundings,
            turn,
            now: self.at_hand.clock.now().to_string(),
        };
        if self.performance.is_none() {
            self.performance = Some(self.at_hand.performer.begin(&scene));
        }
        let Some(performance) = &mut self.performance else { return Ok(()) };
        if self.stage.run.status() == RunStatus::Queued {
            self.cues.push_back(TimedCue { after: performance.pace.timing().queue, cue: Cue::Start });
            return Ok(());
        }
        self.cues.extend(performance.next(&scene).await);
        self.exhausted = self.cues.is_empty();
        Ok(())
    }

    fn next_due(&self) -> Moment {
        let deadline = Moment::from(self.stage.run.deadline());
        let cue =
            self.cues.front().filter(|next| self.stage.run.status() != RunStatus::RequiresAction && self.may_play(&next.cue));
        cue.map_or(deadline, |next| self.played.after(next.after).min(deadline))
    }

    async fn obey(&mut self, command: Command) -> Result<Awake, Stop> {
        match command {
            Command::Cancel { answer, awake } => {
                let mut events = Vec::new();
                let outcome = self.stage.cancel(self.at_hand.clock.now().seconds(), &mut events);
                if outcome.is_ok() {
                    self.cues = VecDeque::from([TimedCue { after: Duration::ZERO, cue: Cue::End(End::Cancelled) }]);
                }
                self.answer(outcome, events, answer).await?;
                Ok(awake)
            }
            Command::Submit { outputs, listener, answer, awake } => {
                let mut events = Vec::new();
                let outcome = self.stage.submit(outputs, self.at_hand.clock.now().seconds(), &mut events);
                if outcome.is_ok() {
                    self.listeners.extend(listener);
                }
                self.answer(outcome, events, answer).await?;
                Ok(awake)
            }
            Command::Poll { answer, awake } => {
                self.permits = 1;
                self.advance().await?;
                _ = answer.send(());
                Ok(awake)
            }
        }
    }

    /// Commits what a command did, answers it, and tells it.
    async fn answer(
        &mut self,
        outcome: Result<(), Refused>,
        events: Vec<Event>,
        answer: oneshot::Sender<Result<Run, Refused>>,
    ) -> Result<(), Stop> {
        if outcome.is_ok() {
            self.played = self.at_hand.clock.now();
            self.permits = 0;
        }
        self.commit(&events).await?;
        _ = answer.send(outcome.map(|()| self.stage.run.clone()));
        self.tell(events);
        Ok(())
    }

    /// Writes down every object that the events changed, what is open as it stands now, and what it takes
    /// to go on from here. Deltas alone need no commit: the cues they come from were noted before.
    async fn commit(&mut self, events: &[Event]) -> Result<(), Stop> {
        let touched = Touched::of(events);
        if touched.is_empty() && (self.noted || self.performance.is_none()) {
            return Ok(());
        }
        self.noted = self.performance.is_some();
        let note = match (&self.performance, self.stage.is_over()) {
            (Some(performance), false) => Some(performance.note(&self.cues)),
            _ => None,
        };
        let mut changes = Changes::new();
        changes.update_run(&self.stage.run, note.as_deref())?;
        for step in self.stage.steps.iter().filter(|step| step.is_open() || touched.steps.contains(&&step.id)) {
            changes.put_step(step)?;
        }
        let closed = touched.messages.into_iter().filter(|message| !message.is_open());
        for message in closed.chain(self.stage.message_in_progress()) {
            if touched.begun.contains(&&message.id) {
                changes.insert_message(message, Some(&self.stage.run.id))?;
            } else {
                changes.update_message(message)?;
            }
        }
        if self.at_hand.store.write(changes).await? { Ok(()) } else { Err(Stop::Gone) }
    }

    fn tell(&mut self, events: Vec<Event>) {
        for event in events {
            let ends = event.ends_stream();
            if self.listeners.is_empty() {
                return;
            }
            // A listener that hung up is no listener; the run goes on all the same.
            self.listeners.retain(|listener| listener.send(event.clone()).is_ok());
            if ends {
                for listener in self.listeners.drain(..) {
                    _ = listener.send(Event::Done);
                }
            }
        }
    }
}

/// What a list of events says has changed.
#[derive(Default)]
struct Touched<'e> {
    run: bool,
    steps: Vec<&'e Id<Step>>,
    messages: Vec<&'e Message>,
    /// The messages that did not exist before.
    begun: Vec<&'e Id<Message>>,
}

impl<'e> Touched<'e> {
    fn of(events: &'e [Event]) -> Self {
        let mut touched = Self::default();
        for event in events {
            match event {
                Event::RunCreated(_) | Event::Run(_) => touched.run = true,
                Event::StepCreated(step) | Event::Step(step) => touched.steps.push(&step.id),
                Event::MessageCreated(message) => touched.begun.push(&message.id),
                Event::Message(message) => touched.messages.push(message),
                Event::ThreadCreated(_) | Event::StepDelta { .. } | Event::MessageDelta { .. } | Event::Error | Event::Done => {}
            }
        }
        touched
    }

    fn is_empty(&self) -> bool {
        !self.run && self.steps.is_empty() && self.messages.is_empty()
    }
}
