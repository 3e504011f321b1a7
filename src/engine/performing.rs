//! Answers the requests of a run's machine: who performs the run, what comes next, and when the
//! machine can ask again. A performer gets the resources of the run here.

use std::sync::Arc;

use super::{
    cue::{Cue, PerformanceEnd, TimedCue},
    error::RunError,
    machine::{Input, Machine, Next, Prompt},
    memory::{AfterCues, Cues, Memory, Performance},
    objects::RunObjects,
    performer::{Performer, PerformerChoice},
    prompt::{self, Reading},
    remote::Remote,
    reply_usage::UnmatchedRun,
    responses::{context::ResponseInputs, objects::ResponseObjects},
    run_context::RunContext,
    run_resources::RunResources,
    script,
    turn_recorder::TurnRecorder,
};
use crate::{
    clock::Clock,
    knowledge::Knowledge,
    store::{self, PerformerInputs, Store},
    transcript::{AnsweredQuestion, RecordedPerformance, RecordedResponse},
    types::{Api, Id, Message, Run},
    upstream::{Begun, Recording},
};

pub(super) struct Performing {
    store: Store,
    clock: Clock,
    knowledge: Knowledge,
    performer: Arc<Performer>,
    wanted: PerformerChoice,
    /// Inputs that need no read from the database, because the run brought them along.
    known: Option<(PerformerInputs, Reading)>,
    /// Inputs that only a response has.
    of_response: Option<ResponseInputs>,
    resources: Option<RunResources>,
    /// Whether a performer was chosen, and nobody knows yet.
    has_begun: bool,
    /// The prompt that the performer has to read.
    prompt: Prompt,
    /// The connection to an upstream, if one performs the run.
    remote: Option<Remote>,
    pub(super) turns: TurnRecorder,
    /// The recording of runs that an upstream performed.
    recording: Option<Recording>,
}

impl Performing {
    pub(super) fn new(
        store: Store,
        clock: Clock,
        knowledge: Knowledge,
        performer: Arc<Performer>,
        wanted: PerformerChoice,
        turns: TurnRecorder,
        recording: Option<Recording>,
    ) -> Self {
        Self {
            store,
            clock,
            knowledge,
            performer,
            wanted,
            known: None,
            of_response: None,
            has_begun: false,
            resources: None,
            prompt: Prompt::default(),
            remote: None,
            turns,
            recording,
        }
    }

    /// Notes inputs that would otherwise need a read.
    pub(super) fn know(&mut self, inputs: PerformerInputs, reading: Reading) {
        self.known = Some((inputs, reading));
    }

    /// The same for a response, which reads nothing.
    pub(super) fn know_response(
        &mut self,
        inputs: PerformerInputs,
        reading: Reading,
        of_response: ResponseInputs,
    ) {
        self.of_response = Some(of_response);
        self.know(inputs, reading);
    }

    /// Answers a machine that fetches cues.
    pub(super) async fn answer(
        &mut self,
        machine: &Machine,
        objects: &RunObjects,
    ) -> Result<Input, RunError> {
        self.look_around(objects).await?;
        self.has_begun |= machine.performance().is_none();
        let Self { store, clock, knowledge, performer, wanted, resources, prompt, remote, .. } =
            self;
        let of_response = self.of_response.as_ref();
        let turns = &mut self.turns;
        let resources = resources.as_ref().ok_or(RunError::Gone)?;
        let context = RunContext {
            api: if of_response.is_some() { Api::Responses } else { Api::Assistants },
            of_response,
            run: &objects.run,
            steps: &objects.steps,
            surroundings: &resources.surroundings,
            turn: resources.surroundings.turn.ok_or(RunError::Gone)?,
            stores: resources.stores.as_deref().unwrap_or_default(),
            files: &resources.files,
            has_stored_files: resources.has_stored_files,
            knowledge,
            store,
            ids: objects.ids(),
            now: clock.now().to_string(),
        };
        let Some(performance) = machine.performance() else {
            let by = performer.begin(&context, wanted);
            turns.begin(&context, by.reply(), machine.used());
            return Ok(Input::Performed { by, prompt: *prompt });
        };
        turns.begin(&context, performance.reply(), machine.used());
        let Performance { pace, memory, .. } = performance;
        if let Err(error) = &resources.stores
            && machine.has_started()
        {
            // A run whose store has expired fails, once it has left the queue.
            let cues = vec![TimedCue::now(Cue::End(PerformanceEnd::failed(error.clone())))];
            return Ok(Input::Cues(Cues {
                cues,
                memory: memory.clone(),
                then: AfterCues::Silence,
            }));
        }
        Ok(Input::Cues(match memory.clone() {
            Memory::Script(position) => {
                let is_late = machine.is_cancelled_late();
                script::next(position, is_late, &context, pace.timing()).await
            }
            Memory::Upstream(noted) => {
                // Time does not wait for an upstream.
                let _abroad = clock.go_abroad();
                let connect = || Remote::new(performer.upstream(), noted);
                remote.get_or_insert_with(connect).next(&context).await
            }
        }))
    }

    /// Whether the files of the stores that the run searches are ready.
    pub(super) async fn has_files(&mut self, objects: &RunObjects) -> Result<bool, RunError> {
        self.look_around(objects).await?;
        Ok(self.knowledge.is_settled(self.stores()))
    }

    /// Waits until the machine can continue, if that does not depend on the clock.
    pub(super) async fn ready(&mut self, next: Next) -> Input {
        match (next, &mut self.remote) {
            (Next::WaitForCues { .. }, Some(remote)) => {
                remote.arrive().await;
                Input::CuesReady
            }
            (Next::WaitForCues { .. }, None) => Input::CuesReady,
            (Next::WaitForFiles { .. }, _) => {
                self.knowledge.settle(self.stores()).await;
                Input::FilesReady
            }
            _ => std::future::pending().await,
        }
    }

    /// Whether a performer was chosen since the last call of `take_begun`.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Whether a performer was chosen since the last call.
    pub(super) fn take_begun(&mut self) -> bool {
        std::mem::take(&mut self.has_begun)
    }

    /// The run, if no reply matched it.
    pub(super) fn unmatched(&self, run: &Id<Run>) -> Option<Arc<UnmatchedRun>> {
        self.performer.unmatched(run)
    }

    /// Forgets the notes about a run that could not be written.
    pub(super) fn take_back(&mut self, run: &Id<Run>) {
        self.performer.take_back(run);
        self.turns.take_back();
    }

    /// Gives up the rest of the performer's answer.
    pub(super) fn stop(&mut self) {
        if let Some(remote) = &mut self.remote {
            remote.give_up();
        }
    }

    /// Begins to record a run that has ended, if an upstream performed it and the server records
    /// runs.
    pub(super) async fn record(&self, objects: &mut RunObjects) -> Option<Begun> {
        objects.run.performed = Some(self.remote.as_ref()?.performed()?);
        Some(self.recording.as_ref()?.begin().await)
    }

    /// The answer of a response, in the form for recordings.
    pub(super) fn answered(&self, objects: &ResponseObjects) -> Option<AnsweredQuestion> {
        let performed = objects.run.run.performed.as_ref()?;
        let question = self
            .resources
            .as_ref()
            .and_then(|resources| resources.surroundings.user_message.as_ref());
        let before = self.of_response.as_ref().map_or(&[][..], |of_response| &of_response.said);
        Some(AnsweredQuestion {
            question: question.map(Message::text),
            turn: objects.turn(),
            items: before.iter().chain(&objects.response.output).cloned().collect(),
            response: RecordedResponse::of(&objects.response),
            parts: 1 + usize::from(!before.is_empty()),
            performed: Some(RecordedPerformance::of(performed)),
        })
    }

    fn stores(&self) -> &[String] {
        self.resources
            .as_ref()
            .and_then(|resources| resources.stores.as_deref().ok())
            .unwrap_or_default()
    }

    async fn look_around(&mut self, objects: &RunObjects) -> Result<(), RunError> {
        if self.resources.is_none() {
            let (inputs, Reading { prompt, messages }) = match self.known.take() {
                Some(known) => known,
                None => self.look_up(&objects.run).await?,
            };
            self.prompt = prompt;
            self.turns.hear(messages);
            self.resources = Some(
                RunResources::load(
                    &objects.run,
                    inputs,
                    self.of_response.as_ref(),
                    &self.knowledge,
                )
                .await?,
            );
        }
        Ok(())
    }

    async fn look_up(&self, run: &Run) -> store::Result<(PerformerInputs, Reading)> {
        // Two reads that do not wait for each other.
        let inputs = self.store.surroundings(run);
        tokio::try_join!(inputs, prompt::measure(&self.store, run))
    }
}
