//! The shell of a run's machine: it waits, commits, and only then sends the events.
//!
//! It owns the run from its creation to its end. Requests of clients reach it as commands, so
//! everything about a run happens in one order. The run continues whether clients poll, listen or
//! hang up.

use std::{borrow::Cow, mem, sync::Arc};

use serde_json::json;
use tokio::sync::{mpsc::UnboundedReceiver, oneshot};

use super::{
    audience::Audience,
    command::RunCommand,
    creation::Creation,
    error::RunError,
    event::Event,
    machine::{Input, Machine, Next},
    memory::Performance,
    note,
    performing::Performing,
    reply_usage::UnmatchedRun,
    responses::record::Setting,
    view::RunView,
};
use crate::{
    clock::{ActivityGuard, Clock},
    metrics::Metrics,
    store::{self, Changes, Store},
    upstream::Begun,
};

pub(super) struct Shell {
    pub store: Store,
    pub clock: Clock,
    pub machine: Machine,
    pub objects: RunView,
    pub performing: Performing,
    pub audience: Audience,
    pub metrics: Arc<Metrics>,
    /// The run itself, if it is not written yet, and the caller that waits for that. The first
    /// commit writes it.
    pub creation: Option<(Unwritten, oneshot::Sender<store::Result<bool>>)>,
    /// Whether the database knows the performer of the run.
    pub is_noted: bool,
    /// The events that a failed commit could not write. The next commit writes them.
    pub unwritten: Vec<Event>,
}

/// The content of the first commit, beside the events up to then.
pub(super) enum Unwritten {
    Run(Box<Creation>),
    /// A response, with the data that its restart needs.
    Response(Box<Setting>),
}

/// The reason why a wait ended.
enum Woken {
    Command(Option<RunCommand>),
    /// The performer has the input that it waited for.
    Ready(Input),
    Time(ActivityGuard),
}

impl Shell {
    /// Performs the run to its end.
    pub(super) async fn perform(
        &mut self,
        commands: &mut UnboundedReceiver<RunCommand>,
        activity: ActivityGuard,
    ) -> Result<(), RunError> {
        let mut activity = Some(activity);
        while !self.machine.is_over() {
            self.advance().await?;
            let next = self.machine.next();
            let Some(until) = next.until() else { break };
            // A run that waits for anything but time keeps the clock from moving on.
            let asleep = if next.is_timed() { activity.take() } else { None };
            let asleep = asleep.unwrap_or_else(|| self.clock.begin_activity());
            // Time does not wait for an upstream.
            let abroad = matches!(next, Next::WaitForCues { .. }).then(|| self.clock.go_abroad());
            let woken = tokio::select! {
                biased;
                command = commands.recv() => Woken::Command(command),
                input = self.performing.ready(next) => Woken::Ready(input),
                woken = self.clock.sleep_until(until, asleep) => Woken::Time(woken),
            };
            drop(abroad);
            activity = match woken {
                Woken::Command(Some(command)) => Some(self.obey(command).await?),
                Woken::Command(None) => return Ok(()),
                Woken::Ready(input) => {
                    self.machine.handle(input, self.clock.now());
                    activity
                }
                Woken::Time(woken) => Some(woken),
            };
        }
        Ok(())
    }

    /// Plays what is due, commits it, and sends the events.
    pub(super) async fn advance(&mut self) -> Result<(), RunError> {
        let now = self.clock.now();
        let mut shown = match (&self.creation, self.objects.response()) {
            (Some((Unwritten::Run(creation), _)), _) => creation.events(),
            (Some((Unwritten::Response(_), _)), Some(response)) => response.begin(),
            _ => Vec::new(),
        };
        self.machine.handle(Input::Listened(self.audience.listens()), now);
        loop {
            let input = match self.machine.next() {
                Next::FetchCues => {
                    if self.creation.is_some() && self.machine.asks_upstream() {
                        // The engine asks no upstream for a run that may never exist.
                        self.commit(&shown).await?;
                        self.tell(mem::take(&mut shown));
                    }
                    self.performing.answer(&self.machine, &self.objects).await?
                }
                Next::WaitForFiles { .. } if self.performing.has_files(&self.objects).await? => {
                    Input::FilesReady
                }
                next if next.until().is_some_and(|until| until <= now) => Input::Time,
                _ => break,
            };
            shown.extend(self.objects.apply(self.machine.handle(input, now)));
        }
        // A client that sees the end of a run finds its recording.
        let recording = match self.machine.is_over() {
            true => self.performing.record(&mut self.objects).await,
            false => None,
        };
        self.commit(&shown).await?;
        if let Some(recording) = recording {
            self.record(recording).await;
        }
        self.tell(shown);
        Ok(())
    }

    async fn record(&mut self, recording: Begun) {
        match self.objects.response() {
            None => recording.record(&self.store, &self.objects.run.thread_id).await,
            Some(response) => {
                if let Some(answered) = self.performing.answered(response) {
                    recording.record_answer(&answered).await;
                }
            }
        }
    }

    /// Sends the committed events. Then it publishes that no reply has matched, if that is new.
    pub(super) fn tell(&mut self, shown: Vec<Event>) {
        self.count(&shown);
        if self.machine.is_over()
            && let Some(response) = self.objects.response()
        {
            // A client that sees the end can continue the conversation.
            response.unlock();
        }
        self.audience.send(shown);
        self.audience.publish_turns(self.performing.turns.take_ended());
        if self.performing.take_begun() {
            let run = &self.objects.run.id;
            let Performing { turns, .. } = &self.performing;
            let show = |unmatched: &UnmatchedRun| turns.cleaned(json!(unmatched));
            self.audience.publish_unmatched(|| self.performing.unmatched(run), show);
        }
    }

    /// Counts a run that has ended, and one that no reply matches.
    fn count(&self, shown: &[Event]) {
        let reply = || self.machine.performance().and_then(Performance::reply);
        for event in shown {
            if let Event::Run(run) = event
                && run.status().is_terminal()
            {
                self.metrics.count_run(run.status(), reply().as_deref());
            }
        }
        let run = &self.objects.run.id;
        if self.performing.has_begun()
            && reply().is_none()
            && self.performing.unmatched(run).is_some()
        {
            self.metrics.count_unmatched();
        }
    }

    /// Writes the changes, and those that an earlier commit could not write. Deltas alone need no
    /// commit: an earlier commit noted the cues that they come from.
    pub(super) async fn commit(&mut self, shown: &[Event]) -> Result<(), RunError> {
        let is_performed = self.machine.performance().is_some();
        self.performing.turns.see(shown, self.machine.used());
        let earlier = mem::take(&mut self.unwritten);
        let shown = match earlier.is_empty() {
            true => Cow::Borrowed(shown),
            false => Cow::Owned([&earlier, shown].concat()),
        };
        if !shown.iter().any(Event::is_of_object) && (self.is_noted || !is_performed) {
            return Ok(());
        }
        let written = self.store.write(self.changes(&shown)?).await;
        if let Some((_, created)) = self.creation.take() {
            return self.tell_created(created, written);
        }
        match written {
            Ok(true) => self.is_noted = is_performed,
            Ok(false) => return Err(RunError::Gone),
            Err(error) => {
                self.unwritten = shown.into_owned();
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// The data of a commit: the run as it is now, new or not, the other changes, and how the run
    /// continues.
    fn changes(&self, shown: &[Event]) -> store::Result<Changes> {
        let mut changes = Changes::new();
        if let RunView::Responses(response) = &self.objects {
            let setting = self.creation.as_ref().and_then(|(creation, _)| match creation {
                Unwritten::Response(setting) => Some(&**setting),
                Unwritten::Run(_) => None,
            });
            response.write(&mut changes, &self.machine, setting)?;
            return Ok(changes);
        }
        let goes_on = self.machine.performance().is_some() && !self.machine.is_over();
        let note = goes_on.then(|| note::write(&self.machine, None));
        let run = &self.objects.run;
        match &self.creation {
            Some((Unwritten::Run(creation), _)) => {
                creation.write(&mut changes, run, note.as_deref())?;
            }
            _ => changes.update_run(run, note.as_deref())?,
        }
        self.objects.write(&mut changes, shown)?;
        Ok(changes)
    }

    /// A run that could not be written never existed.
    fn tell_created(
        &mut self,
        created: oneshot::Sender<store::Result<bool>>,
        written: store::Result<bool>,
    ) -> Result<(), RunError> {
        self.is_noted = self.machine.performance().is_some();
        let is_written = matches!(written, Ok(true));
        if !is_written {
            self.performing.take_back(&self.objects.run.id);
        }
        // The run continues even if nobody waits.
        _ = created.send(written);
        if is_written { Ok(()) } else { Err(RunError::Unwritten) }
    }
}
