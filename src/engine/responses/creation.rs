//! How a response is created: what it reads is looked up and checked, its ids are drawn, and it is
//! known where its reply begins or goes on.

use std::sync::Arc;

use super::{
    super::{
        error::EngineError,
        machine::{Budget, Machine},
        memory::Performance,
        objects::RunObjects,
        performer::{NAMED_BY, PerformerChoice},
        prompt::Reading,
        services::RunServices,
    },
    container,
    context::{self, Read, ResponseContext, ResponseInputs},
    continuation::{Continuation, Kept, Round},
    locks::ConversationLock,
    objects::{BegunResponse, ResponseObjects},
    record::Setting,
};
use crate::{
    clock::{Moment, chain_of_conversation, chain_of_response},
    store::PerformerInputs,
    types::{
        ApiErrorKind, Id, Item, Message, Phase, Response, Run, Timestamp, Usage, Version,
        assistant::ResponseFormat,
        limits,
        response::{Settings, input::NewItem, request::NewResponse, tool::ResponseTool},
        run::Truncation,
        tool::ToolChoice,
    },
};

/// A response that a client asks for.
pub struct ResponseOrder {
    pub request: NewResponse,
    pub wanted: PerformerChoice,
}

/// What a response would look like to conditions.
pub struct ResponseSubject {
    pub run: Run,
    pub question: Option<Message>,
    pub turn: i64,
    /// What is in place of instructions, where there are none.
    pub system: Option<String>,
    pub stores: Vec<String>,
}

/// A response that can be performed.
pub(in super::super) struct Opened {
    pub objects: ResponseObjects,
    pub machine: Machine,
    pub inputs: PerformerInputs,
    pub reading: Reading,
    pub of_response: ResponseInputs,
    pub wanted: PerformerChoice,
    pub setting: Setting,
}

impl ResponseOrder {
    /// Looks everything up, and refuses what cannot be.
    pub(in super::super) async fn open(
        self,
        at_hand: &RunServices,
        lock: Option<ConversationLock>,
    ) -> Result<Opened, EngineError> {
        let Self { mut request, wanted } = self;
        let now = at_hand.clock.now();
        let at = now.seconds();
        let context = ResponseContext::load(&at_hand.store, &request, request.window()).await?;
        let given = request.input.take().unwrap_or_default().0;
        let given = context::resolved(&at_hand.store, given).await?;
        let (response, input, run) = make(at_hand, &request, &context, given, at);
        context::check_reasoning(&input)?;
        let read = context.read(&input);
        let reading = read.measure(&run, request.window(), request.truncation == "auto")?;
        read.check_calls()?;
        let question = read.question(&run, at);
        check_stores(at_hand, &request).await?;
        let fresh = at_hand.ids.of_run(&run.id).container(at);
        let container = container::choose(at_hand, &request, &read, fresh).await?;
        let of_response = ResponseInputs {
            container: container.clone(),
            filters: request.tools.iter().find_map(|tool| tool.filters().cloned()),
            reasoning: request.reasoning.clone(),
            stores: stores(&request),
            system: read.system().filter(|_| request.instructions.is_none()),
            is_truncated: request.truncation == "auto",
            conversation: context.conversation.clone(),
            heard: match at_hand.performer.upstream() {
                Some(_) => read.heard(),
                None => Vec::new(),
            },
            said: match at_hand.recording {
                Some(_) => read.said(),
                None => Vec::new(),
            },
        };
        let goes_on = match &wanted {
            PerformerChoice::Any if run.metadata.get(NAMED_BY).is_none() => {
                continuation(at_hand, &read).await?
            }
            _ => None,
        };
        let turn = context.turn(&input, goes_on.as_ref().map(|(.., turn)| *turn));
        let (wanted, answered) = match goes_on {
            Some((performance, rounds, _)) => {
                (PerformerChoice::GoOn(Box::new(performance)), rounds)
            }
            None => (wanted, Vec::new()),
        };
        let pads = request.obfuscates;
        let setting = Setting {
            turn,
            question: question.clone(),
            messages: reading.messages.clone(),
            of_response: of_response.clone(),
            answered: answered.clone(),
            pads,
        };
        let machine = machine(&run, &request, &reading, now);
        let begun =
            BegunResponse { response, input, turn, answered, pads, container: container.id, lock };
        Ok(Opened {
            objects: objects(at_hand, run, begun, at),
            machine,
            inputs: inputs(turn, question),
            reading,
            of_response,
            wanted,
            setting,
        })
    }

    /// What a response like this would look like to conditions. Nothing is made.
    pub(in super::super) async fn subject(
        self,
        at_hand: &RunServices,
    ) -> Result<ResponseSubject, EngineError> {
        let Self { mut request, .. } = self;
        let at = at_hand.clock.now().seconds();
        let context = ResponseContext::load(&at_hand.store, &request, request.window()).await?;
        let given = request.input.take().unwrap_or_default().0;
        let given = context::resolved(&at_hand.store, given).await?;
        let items: Vec<_> = given.into_iter().map(|item| item.into_item(str::to_owned)).collect();
        let run = run(&request, &request.settings(None, &[]), Id::new("resp_match"), at);
        let read = context.read(&items);
        Ok(ResponseSubject {
            question: read.question(&run, at),
            turn: context.turn(&items, None),
            system: read.system(),
            stores: stores(&request),
            run,
        })
    }

    /// How many tokens a response like this would read.
    pub(in super::super) async fn count(self, at_hand: &RunServices) -> Result<u64, EngineError> {
        let Self { mut request, .. } = self;
        let at = at_hand.clock.now().seconds();
        let context = ResponseContext::load(&at_hand.store, &request, u64::MAX).await?;
        let given = request.input.take().unwrap_or_default().0;
        let given = context::resolved(&at_hand.store, given).await?;
        let items: Vec<_> = given.into_iter().map(|item| item.into_item(str::to_owned)).collect();
        let settings = request.settings(None, &[]);
        let run = run(&request, &settings, Id::new(""), at);
        Ok(context.read(&items).length(&run))
    }
}

/// The response, its own items, and the run that performers see.
fn make(
    at_hand: &RunServices,
    request: &NewResponse,
    context: &ResponseContext,
    given: Vec<NewItem>,
    at: Timestamp,
) -> (Response, Vec<Item>, Run) {
    let chain = match (&request.conversation, &request.previous) {
        (Some(conversation), _) => Some(chain_of_conversation(conversation)),
        (None, previous) => previous.as_ref().map(chain_of_response),
    };
    let id = at_hand.ids.next_response(chain, request.is_kept(), at);
    let settings = request.settings(context.conversation_end, &given);
    let run = run(request, &settings, Id::new(id.as_str()), at);
    let ids = at_hand.ids.of_run(&run.id);
    let items = given.into_iter().enumerate();
    let items = items.map(|(nth, item)| item.into_item(|prefix| ids.item(prefix, nth, at)));
    let input = items.collect();
    (Response::begun(id, at, settings), input, run)
}

/// Rejects vector stores that do not exist.
async fn check_stores(at_hand: &RunServices, request: &NewResponse) -> Result<(), EngineError> {
    let ids = at_hand.store.missing_stores(&stores(request)).await?;
    if ids.is_empty() {
        return Ok(());
    }
    Err(EngineError::Refused(ApiErrorKind::MissingStores { ids }))
}

/// The vector stores that its tools search.
fn stores(request: &NewResponse) -> Vec<String> {
    request.tools.iter().flat_map(ResponseTool::stores).map(str::to_owned).collect()
}

/// The run that performers see in place of a response.
pub(super) fn run(
    request: &NewResponse,
    settings: &Arc<Settings>,
    id: Id<Run>,
    at: Timestamp,
) -> Run {
    let thread = settings.conversation.as_ref().map_or("", |id| id.as_str());
    Run {
        file_ids: Vec::new(),
        performed: None,
        version: Version::V2,
        id,
        created_at: at,
        assistant_id: Id::new(""),
        thread_id: Id::new(thread),
        phase: Phase::Queued,
        started_at: None,
        model: request.model.clone(),
        instructions: settings.instructions.clone(),
        tools: request.tools.iter().map(ResponseTool::tool).collect(),
        metadata: settings.metadata.clone(),
        temperature: settings.temperature,
        top_p: settings.top_p,
        reasoning_effort: None,
        max_completion_tokens: settings.max_output_tokens,
        max_prompt_tokens: None,
        truncation_strategy: Truncation::default(),
        response_format: ResponseFormat::of_response(&settings.text),
        tool_choice: ToolChoice::of_response(&settings.tool_choice),
        parallel_tool_calls: settings.parallel_tool_calls,
    }
}

fn machine(run: &Run, request: &NewResponse, reading: &Reading, now: Moment) -> Machine {
    let budget = Budget {
        max_prompt: None,
        max_completion: run.max_completion_tokens.map(i64::unsigned_abs),
        prompt: reading.prompt,
        spent: Usage::default(),
        answered: 0,
        reasoned: 0,
        window: request.window(),
        tool_calls_left: request.max_tool_calls.map(i64::unsigned_abs),
    };
    let deadline = Moment::from(run.created_at + limits::RUN_LIFETIME);
    Machine::new(run.model.clone(), deadline, budget, now).ending_with_calls()
}

/// The objects of a response, with the rounds of calls that its reply has had before.
pub(in super::super) fn objects(
    at_hand: &RunServices,
    run: Run,
    begun: BegunResponse,
    at: Timestamp,
) -> ResponseObjects {
    let rounds = begun.answered.iter().enumerate();
    let steps = rounds.map(|(number, round)| round.step(number, &run, at)).collect();
    let ids = at_hand.ids.of_run(&run.id);
    ResponseObjects::new(RunObjects::new(run, steps, None, ids), begun)
}

/// What performers may look at.
pub(in super::super) fn inputs(turn: i64, question: Option<Message>) -> PerformerInputs {
    PerformerInputs { turn: Some(turn), thread: None, assistant: None, user_message: question }
}

/// How the reply goes on whose calls have just been answered, if that is known: from where, after
/// which rounds, and in which turn.
async fn continuation(
    at_hand: &RunServices,
    read: &Read<'_>,
) -> Result<Option<(Performance, Vec<Round>, i64)>, EngineError> {
    let Some(call_id) = read.call_just_answered() else { return Ok(None) };
    let mut note = at_hand.store.continuation(call_id).await?;
    if let Some(Ok(Kept::Under(call_id))) = note.as_deref().map(read_note) {
        note = at_hand.store.continuation(&call_id).await?;
    }
    // A note of another version is as good as none: the conditions decide.
    let Some(Ok(Kept::Here(goes_on))) = note.as_deref().map(read_note) else { return Ok(None) };
    let rounds = goes_on.rounds(&read.outputs());
    Ok(rounds.map(|rounds| (goes_on.performance, rounds, goes_on.turn)))
}

fn read_note(note: &str) -> serde_json::Result<Kept<Continuation>> {
    serde_json::from_str(note)
}
