//! The task of one open run: plays what is due, commits, and only then tells.
//!
//! It owns the run from its creation to its end: cancels, tool outputs and polls reach it as
//! commands, so everything about a run happens in one order. It goes on whether anybody polls,
//! listens or hangs up.

use std::{collections::VecDeque, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use super::{
    Listener, Refused, Wanted,
    around::Around,
    event::Event,
    performer::{Performance, Performer},
    prompt,
    scene::Scene,
    script::TimedCue,
    stage::{Cue, End, Stage},
    touched::Touched,
};
use crate::{
    clock::{Awake, Clock, Ids, Moment},
    feed::Feed,
    fixture::Pace,
    knowledge::{Denied, Knowledge},
    store::{self, Changes, OpenRun, Store},
    types::{
        Run, RunStatus, Version,
        run::{LastError, SORRY},
        tool::ToolOutput,
    },
    upstream::{Begun, Recording},
};

/// What every run's task has at hand.
#[derive(Clone)]
pub(super) struct AtHand {
    pub store: Store,
    pub clock: Clock,
    pub ids: Arc<Ids>,
    pub knowledge: Knowledge,
    pub performer: Arc<Performer>,
    pub feed: Feed,
    /// Where runs go that an upstream performed.
    pub recording: Option<Recording>,
}

/// What a run's task can be told. The `Awake` keeps the clock from moving on before it is done.
pub(super) enum Command {
    Cancel {
        answer: oneshot::Sender<Result<Run, Refused>>,
        awake: Awake,
    },
    Submit {
        outputs: Vec<ToolOutput>,
        listener: Option<Listener>,
        answer: oneshot::Sender<Result<Run, Refused>>,
        awake: Awake,
    },
    Poll {
        answer: oneshot::Sender<()>,
        awake: Awake,
    },
    /// Its thread was deleted, and the run with it.
    Abandon {
        awake: Awake,
    },
}

/// How often, and after which first wait, a run that cannot be written is tried again.
const ATTEMPTS: u32 = 6;
const RECOVERY: Duration = Duration::from_millis(100);

/// One open run and everything that is known of it.
pub(super) struct Task {
    at_hand: AtHand,
    stage: Stage,
    surroundings: Option<Around>,
    performance: Option<Performance>,
    wanted: Wanted,
    cues: VecDeque<TimedCue>,
    /// When the last cue was played: the next one's wait counts from here.
    played: Moment,
    /// Whether the database knows who performs the run.
    noted: bool,
    /// The performer has nothing more to say, and the run hangs.
    exhausted: bool,
    /// The stores that the next step searches and whose files were not ready when it was last
    /// looked for.
    unsettled: Option<Vec<String>>,
    /// How many times the run may change its status, under the pace `steps`.
    permits: usize,
    listeners: Vec<Listener>,
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
    pub(super) fn new(
        at_hand: AtHand,
        open: OpenRun,
        wanted: Wanted,
        listener: Option<Listener>,
    ) -> Self {
        let OpenRun { run, performance, steps, message } = open;
        let resumed = performance.as_deref().and_then(|note| at_hand.performer.resume(note, &run));
        let (performance, mut cues) = resumed
            .map_or((None, VecDeque::new()), |(performance, cues)| (Some(performance), cues));
        if run.status() == RunStatus::Cancelling
            && !performance.as_ref().is_some_and(Performance::goes_on)
        {
            cues = cancelled();
        }
        let ids = at_hand.ids.of_run(&run.id);
        let mut stage = Stage::new(run, steps, message, ids);
        stage.report(performance.as_ref().and_then(Performance::reported));
        Self {
            played: at_hand.clock.now(),
            stage,
            at_hand,
            surroundings: None,
            performance,
            wanted,
            cues,
            noted: false,
            exhausted: false,
            unsettled: None,
            permits: 0,
            listeners: listener.into_iter().collect(),
        }
    }

    pub(super) fn run(&self) -> &Run {
        &self.stage.run
    }

    /// Tells how the run came to be, and performs it.
    pub(super) async fn perform(
        mut self,
        created: Vec<Event>,
        commands: mpsc::UnboundedReceiver<Command>,
        awake: Awake,
    ) {
        self.tell(created);
        match AssertUnwindSafe(self.perform_to_end(commands, awake)).catch_unwind().await {
            Ok(Ok(())) => return,
            Ok(Err(Stop::Gone)) => return self.end_unseen(),
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

    /// The run is gone. Whoever still listens is told that it was cancelled: streams end, always.
    fn end_unseen(&mut self) {
        tracing::debug!(run = %self.stage.run.id, "the thread of a run is gone");
        let at = self.at_hand.clock.now().seconds();
        let mut events = Vec::new();
        if self.is_cancelling() || self.stage.cancel(at, &mut events).is_ok() {
            self.stage.play(Cue::End(End::Cancelled), at, &mut events);
        }
        self.tell(events);
    }

    /// Ends the run as failed, so that its thread is not locked for ever. A database that cannot be
    /// written to is given a while to recover; after that it is for a restart to take the run up.
    async fn give_up(&mut self) {
        let mut events = Vec::new();
        let error = LastError::server_error(SORRY);
        self.stage.play(
            Cue::End(End::Failed { error, usage: None }),
            self.at_hand.clock.now().seconds(),
            &mut events,
        );
        for attempt in 0..ATTEMPTS {
            tokio::time::sleep(RECOVERY * 2_u32.pow(attempt)).await;
            match self.commit(&events).await {
                Ok(()) | Err(Stop::Gone) => return,
                Err(Stop::Store(_)) => {}
            }
        }
        tracing::error!(run = %self.stage.run.id, "a run stays as it is until a restart");
    }

    async fn perform_to_end(
        &mut self,
        mut commands: mpsc::UnboundedReceiver<Command>,
        mut awake: Awake,
    ) -> Result<(), Stop> {
        if self.performance.is_some() || !self.stage.steps.is_empty() {
            // Taken up after a restart: what it has used so far has to be known before it goes on.
            self.look_around().await?;
        }
        loop {
            self.advance().await?;
            if self.stage.is_over() {
                return Ok(());
            }
            if let Some(stores) = self.unsettled.take() {
                awake = self.wait_for_files(&stores, &mut commands, awake).await?;
                continue;
            }
            if self.is_waiting() {
                awake = self.wait_for_performer(&mut commands, awake).await?;
                continue;
            }
            let due = self.next_due();
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(command) => awake = self.obey(command).await?,
                    None => return Ok(()),
                },
                woken = self.at_hand.clock.sleep_until(due, awake) => awake = woken,
            }
        }
    }

    /// The stores whose files are still being made ready, if the next step is to search in them.
    fn unsettled_stores(&self) -> Option<Vec<String>> {
        let searches = self.stage.run.status() == RunStatus::InProgress
            && self.performance.as_ref().is_some_and(Performance::searches_next);
        let stores = self
            .surroundings
            .as_ref()
            .and_then(|around| around.stores.as_ref().ok())
            .filter(|_| searches)?;
        (!self.at_hand.knowledge.is_settled(stores)).then(|| stores.clone())
    }

    /// Waits until the files are ready.
    async fn wait_for_files(
        &mut self,
        stores: &[String],
        commands: &mut mpsc::UnboundedReceiver<Command>,
        awake: Awake,
    ) -> Result<Awake, Stop> {
        let knowledge = self.at_hand.knowledge.clone();
        let deadline = Moment::from(self.stage.run.deadline());
        match meanwhile(knowledge.settle(stores), &self.at_hand.clock, deadline, commands).await {
            Meanwhile::Ready => Ok(awake),
            Meanwhile::Due(woken) => Ok(woken),
            Meanwhile::Told(command) => self.obey(command).await,
        }
    }

    /// Whether nothing can be played before an upstream says something.
    fn is_waiting(&self) -> bool {
        self.cues.is_empty()
            && self.stage.run.status() == RunStatus::InProgress
            && self.performance.as_ref().is_some_and(Performance::is_waiting)
    }

    /// Waits until the upstream says something.
    async fn wait_for_performer(
        &mut self,
        commands: &mut mpsc::UnboundedReceiver<Command>,
        awake: Awake,
    ) -> Result<Awake, Stop> {
        let Some(performance) = &mut self.performance else { return Ok(awake) };
        let deadline = Moment::from(self.stage.run.deadline());
        match meanwhile(performance.arrive(), &self.at_hand.clock, deadline, commands).await {
            Meanwhile::Ready => Ok(awake),
            Meanwhile::Due(woken) => Ok(woken),
            Meanwhile::Told(command) => self.obey(command).await,
        }
    }

    /// Plays everything that is due, commits it, and tells it.
    async fn advance(&mut self) -> Result<(), Stop> {
        let now = self.at_hand.clock.now();
        let mut events = Vec::new();
        let deadline = Moment::from(self.stage.run.deadline());
        while let Some(due) = self
            .cue_due()
            .await?
            .filter(|due| *due <= now && (*due < deadline || self.is_cancelling()))
        {
            let Some(TimedCue { cue, .. }) = self.cues.pop_front() else { break };
            let before = self.stage.run.status();
            self.stage.play(cue, due.seconds(), &mut events);
            self.played = due;
            if self.stage.run.status() != before {
                self.permits = self.permits.saturating_sub(1);
            }
        }
        if now >= deadline && !self.stage.is_over() {
            // Nobody polled a run under the pace `steps` to its end: a cancelled one ends as what
            // it is.
            let end = if self.is_cancelling() { End::Cancelled } else { End::Expired };
            self.stage.play(Cue::End(end), deadline.seconds(), &mut events);
        }
        let recording = self.begin_recording().await;
        self.commit(&events).await?;
        if let Some(recording) = recording {
            recording.record(&self.at_hand.store, &self.stage.run.thread_id).await;
        }
        self.tell(events);
        Ok(())
    }

    /// A run that an upstream performed is recorded before anybody is told of its end.
    async fn begin_recording(&mut self) -> Option<Begun> {
        if !self.stage.is_over() {
            return None;
        }
        self.stage.run.performed = self.performance.as_ref()?.performed();
        self.stage.run.performed.as_ref()?;
        Some(self.at_hand.recording.as_ref()?.begin().await)
    }

    /// When the next cue is due, if there is one that may be played: fetched from the performer if
    /// need be.
    async fn cue_due(&mut self) -> Result<Option<Moment>, Stop> {
        self.unsettled = None;
        if self.stage.is_over() || self.stage.run.status() == RunStatus::RequiresAction {
            return Ok(None);
        }
        if self.cues.is_empty() && self.is_performing() && !self.exhausted {
            self.unsettled = self.unsettled_stores();
            if self.unsettled.is_none() {
                self.fetch().await?;
            }
        }
        let next = self.cues.front().filter(|next| self.may_play(&next.cue));
        Ok(next.map(|next| self.played.after(next.after)))
    }

    /// Whether the performer has the word, perhaps because a cancel came too late.
    fn is_performing(&self) -> bool {
        let goes_on = || self.performance.as_ref().is_some_and(Performance::goes_on);
        self.stage.is_performing() || (self.is_cancelling() && goes_on())
    }

    fn is_cancelling(&self) -> bool {
        self.stage.run.status() == RunStatus::Cancelling
    }

    /// Under the pace `steps` a new status needs a poll, unless somebody listens to the stream.
    fn may_play(&self, cue: &Cue) -> bool {
        let by_polls =
            self.performance.as_ref().is_some_and(|performance| performance.pace == Pace::Steps);
        !by_polls || !self.listeners.is_empty() || self.permits > 0 || !self.stage.would_turn(cue)
    }

    async fn look_around(&mut self) -> Result<(), Stop> {
        if self.surroundings.is_none() {
            let surroundings = self.at_hand.store.surroundings(&self.stage.run).await?;
            let around = Around::of(&self.stage.run, surroundings, &self.at_hand.knowledge).await;
            self.surroundings = Some(around.map_err(stopped)?);
            self.stage.set_prompt(prompt::measure(&self.at_hand.store, &self.stage.run).await?);
        }
        Ok(())
    }

    async fn fetch(&mut self) -> Result<(), Stop> {
        self.look_around().await?;
        let Some(around) = &self.surroundings else { return Ok(()) };
        let turn = around.surroundings.turn.ok_or(Stop::Gone)?;
        let stores = match &around.stores {
            Ok(stores) => stores.as_slice(),
            // A run whose store has expired fails, once it has been taken from the queue.
            Err(error) if self.stage.run.status() == RunStatus::InProgress => {
                let end = End::Failed { error: error.clone(), usage: None };
                self.cues.push_back(TimedCue { after: Duration::ZERO, cue: Cue::End(end) });
                return Ok(());
            }
            Err(_) => &[],
        };
        let scene = Scene {
            run: &self.stage.run,
            steps: &self.stage.steps,
            surroundings: &around.surroundings,
            turn,
            stores,
            files: &around.files,
            has_stored_files: around.has_stored_files,
            knowledge: &self.at_hand.knowledge,
            store: &self.at_hand.store,
            ids: self.stage.ids(),
            now: self.at_hand.clock.now().to_string(),
        };
        if self.performance.is_none() {
            self.performance = Some(self.at_hand.performer.begin(&scene, &self.wanted));
        }
        let Some(performance) = &mut self.performance else { return Ok(()) };
        if self.stage.run.status() == RunStatus::Queued {
            self.cues
                .push_back(TimedCue { after: performance.pace.timing().queue, cue: Cue::Start });
            return Ok(());
        }
        self.cues.extend(performance.next(&scene).await);
        self.exhausted = self.cues.is_empty() && !performance.has_more();
        Ok(())
    }

    fn next_due(&self) -> Moment {
        let deadline = Moment::from(self.stage.run.deadline());
        let cue = self.cues.front().filter(|next| {
            self.stage.run.status() != RunStatus::RequiresAction && self.may_play(&next.cue)
        });
        cue.map_or(deadline, |next| self.played.after(next.after).min(deadline))
    }

    async fn obey(&mut self, command: Command) -> Result<Awake, Stop> {
        match command {
            Command::Cancel { answer, awake } => {
                let mut events = Vec::new();
                let comes_too_late = self.comes_too_late().await?;
                let outcome = self.stage.cancel(self.at_hand.clock.now().seconds(), &mut events);
                match outcome.is_ok() {
                    true if comes_too_late => self.leave_calls_out(&mut events),
                    true => {
                        self.cues = cancelled();
                        self.performance.iter_mut().for_each(Performance::give_up);
                    }
                    false => {}
                }
                self.answer(outcome, events, answer).await?;
                Ok(awake)
            }
            Command::Submit { outputs, listener, answer, awake } => {
                let mut events = Vec::new();
                let outcome =
                    self.stage.submit(outputs, self.at_hand.clock.now().seconds(), &mut events);
                if outcome.is_ok() {
                    self.listeners.extend(listener);
                }
                self.answer(outcome, events, answer).await?;
                Ok(awake)
            }
            Command::Abandon { awake } => {
                drop(awake);
                Err(Stop::Gone)
            }
            Command::Poll { answer, awake } => {
                self.permits = 1;
                self.advance().await?;
                _ = answer.send(());
                Ok(awake)
            }
        }
    }

    /// Whether a cancel that comes now comes too late, because the reply says so. A run that waits
    /// for its client can be cancelled all the same.
    async fn comes_too_late(&mut self) -> Result<bool, Stop> {
        if self.performance.is_none() && self.stage.run.status() == RunStatus::Queued {
            self.fetch().await?;
        }
        let waits = !self.stage.is_performing();
        Ok(self
            .performance
            .as_mut()
            .is_some_and(|performance| !waits && performance.is_too_late_to_cancel()))
    }

    /// Gives up a step that was about to ask the client for something.
    fn leave_calls_out(&mut self, events: &mut Vec<Event>) {
        let end = self.cues.iter().position(|cue| matches!(cue.cue, Cue::CloseCalls));
        let calls = |cue: &TimedCue| matches!(cue.cue, Cue::Function { .. });
        if let Some(end) =
            end.filter(|end| self.stage.calls_functions() || self.cues.iter().take(*end).any(calls))
        {
            self.cues.drain(..=end);
            self.stage.leave_step(self.at_hand.clock.now().seconds(), events);
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

    /// Writes down every object that the events changed, what is open as it stands now, and what it
    /// takes to go on from here. Deltas alone need no commit: the cues they come from were noted
    /// before.
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
        for step in self
            .stage
            .steps
            .iter()
            .filter(|step| step.is_open() || touched.steps.contains(&&step.id))
        {
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
            if event.is_news() {
                self.at_hand.feed.tell(event.name(), || event.data(Version::V2, true));
            }
            let (ends, breaks) = (event.ends_stream(), matches!(event, Event::Broken));
            // A listener that hung up is no listener; the run goes on all the same.
            self.listeners.retain(|listener| listener.send(event.clone()).is_ok());
            if ends {
                for listener in self.listeners.drain(..) {
                    _ = listener.send(Event::Done);
                }
            }
            if breaks {
                self.listeners.clear();
            }
        }
    }
}

/// What came first while something was waited for.
enum Meanwhile {
    Ready,
    /// The run's time was up.
    Due(Awake),
    Told(Command),
}

/// Waits for something that does not come by the clock, so nobody sleeps here, and listens to
/// commands meanwhile.
async fn meanwhile(
    ready: impl Future<Output = ()>,
    clock: &Clock,
    deadline: Moment,
    commands: &mut mpsc::UnboundedReceiver<Command>,
) -> Meanwhile {
    tokio::select! {
        biased;
        command = commands.recv() => match command {
            Some(command) => Meanwhile::Told(command),
            // The engine is gone, and stops this task.
            None => std::future::pending().await,
        },
        () = ready => Meanwhile::Ready,
        woken = clock.sleep_until(deadline, clock.awake()) => Meanwhile::Due(woken),
    }
}

/// What is left to play of a run that is cancelled.
fn cancelled() -> VecDeque<TimedCue> {
    VecDeque::from([TimedCue { after: Duration::ZERO, cue: Cue::End(End::Cancelled) }])
}

fn stopped(denied: Denied) -> Stop {
    match denied {
        Denied::Store(error) => Stop::Store(error),
        other => {
            tracing::error!(error = %other, "what surrounds a run cannot be looked up");
            Stop::Store(store::Error::Closed)
        }
    }
}
