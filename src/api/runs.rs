//! Runs: create, create with a thread, list, retrieve, modify, cancel, submit tool outputs.

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::Value;

use super::{change, page, threads};
use crate::{
    engine::{EngineError, NAMED_BY, NewRun, PerformerChoice, RunTarget},
    http::{
        Answer, ApiError, AppState, Found, PageQuery, PathAndBody, Polled, RequestContext,
        answer::{OfRun, ShownAnswer},
        error::Result,
        extract::{Include, JsonBody, NamedReply, PathIds},
        sse,
    },
    types::{
        ApiErrorKind, Assistant, Id, List, Message, Metadata, Phase, Role, Run, Thread, Timestamp,
        Tool, Version, View,
        assistant::{ModelSettings, Sampling},
        limits,
        message::NewMessage,
        metadata::MetadataChange,
        new_thread::NewThread,
        reader::{Few, Fields, Path, Read, Text, ValidationErrorKind, ValidationErrors},
        run::{LastError, Truncation},
        tool::{ToolChoice, ToolOutput, ToolResources, searches},
        v1,
        version::Versioned,
        views::RunView,
    },
};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/threads/runs", post(create_with_thread))
        .route("/threads/{thread_id}/runs", get(list).post(create))
        .route("/threads/{thread_id}/runs/{run_id}", get(retrieve).post(modify))
        .route("/threads/{thread_id}/runs/{run_id}/cancel", post(cancel))
        .route("/threads/{thread_id}/runs/{run_id}/submit_tool_outputs", post(submit))
}

/// The parameters that both ways of creating a run share.
pub(super) struct RunParams {
    assistant_id: Id<Assistant>,
    stream: bool,
    model: Option<String>,
    instructions: Option<String>,
    tools: Option<Vec<Tool>>,
    metadata: Metadata,
    sampling: Sampling,
    max_prompt_tokens: Option<i64>,
    max_completion_tokens: Option<i64>,
    truncation_strategy: Truncation,
    tool_choice: ToolChoice,
    parallel_tool_calls: Option<bool>,
    version: Version,
}

impl RunParams {
    fn read_from(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let assistant_id = fields.required("assistant_id");
        let stream = fields.or_default("stream");
        let model = fields.optional("model");
        let instructions = fields.optional::<Text<{ limits::INSTRUCTIONS }>>("instructions");
        let tools = fields.optional::<Few<Tool, { limits::RUN_TOOLS }>>("tools");
        let metadata = fields.or_default("metadata");
        let sampling = Sampling::read(fields);
        let max_prompt_tokens = budget(fields, "max_prompt_tokens", limits::PROMPT_BUDGET);
        let max_completion_tokens =
            budget(fields, "max_completion_tokens", limits::COMPLETION_BUDGET);
        let truncation_strategy = fields.or_default("truncation_strategy");
        let tool_choice = fields.or_default("tool_choice");
        let version = fields.version();
        let parallel_tool_calls =
            if version.is_v2() { fields.optional("parallel_tool_calls") } else { Some(None) };
        Some(Self {
            assistant_id: assistant_id?,
            stream: stream?,
            model: model?,
            instructions: instructions?.map(|text| text.0),
            tools: tools?.map(|tools| tools.0),
            metadata: metadata?,
            sampling: sampling?,
            max_prompt_tokens: max_prompt_tokens?,
            max_completion_tokens: max_completion_tokens?,
            truncation_strategy: truncation_strategy?,
            tool_choice: tool_choice?,
            parallel_tool_calls: parallel_tool_calls?,
            version,
        })
    }

    /// The name of the reply that the metadata ask for.
    pub(super) fn named_reply(&self) -> Option<&str> {
        self.metadata.get(NAMED_BY)
    }

    /// The settings of the new run that depend on each other.
    fn settings<'s>(&'s self, assistant: &'s Assistant) -> ModelSettings<'s> {
        let sampling = &self.sampling;
        ModelSettings {
            model: self.model.as_ref().unwrap_or(&assistant.model),
            tools: self.tools.as_ref().unwrap_or(&assistant.tools),
            temperature: sampling.temperature.get().copied().unwrap_or(assistant.temperature),
            top_p: sampling.top_p.get().copied().unwrap_or(assistant.top_p),
            reasoning_effort: sampling
                .reasoning_effort
                .get()
                .copied()
                .or(assistant.reasoning_effort),
            response_format: sampling.response_format.get().unwrap_or(&assistant.response_format),
        }
    }

    /// The new run. It takes each setting from the order, or else from the assistant. Tools of the
    /// order replace those of the assistant.
    pub(super) fn run(
        self,
        id: Id<Run>,
        created_at: Timestamp,
        thread_id: Id<Thread>,
        assistant: Assistant,
        more: Option<&str>,
    ) -> Run {
        let file_ids = v1::files_of(&assistant);
        let ModelSettings { temperature, top_p, reasoning_effort, .. } = self.settings(&assistant);
        Run {
            file_ids,
            performed: None,
            version: self.version,
            id,
            created_at,
            assistant_id: assistant.id,
            thread_id,
            phase: Phase::Queued,
            started_at: None,
            model: self.model.unwrap_or(assistant.model),
            instructions: joined(self.instructions.or(assistant.instructions), more),
            tools: self.tools.unwrap_or(assistant.tools),
            metadata: self.metadata,
            temperature,
            top_p,
            reasoning_effort,
            max_completion_tokens: self.max_completion_tokens,
            max_prompt_tokens: self.max_prompt_tokens,
            truncation_strategy: self.truncation_strategy,
            response_format: self.sampling.response_format.set_or(assistant.response_format),
            tool_choice: self.tool_choice,
            parallel_tool_calls: self.parallel_tool_calls.unwrap_or(true),
        }
    }
}

/// `additional_instructions` come after the others. The separator is not recorded; here it is a
/// newline.
fn joined(instructions: Option<String>, more: Option<&str>) -> Option<String> {
    match (
        instructions.filter(|text| !text.is_empty() || more.is_none()),
        more.filter(|more| !more.is_empty()),
    ) {
        (Some(text), Some(more)) => Some(format!("{text}\n{more}")),
        (None, Some(more)) => Some(more.to_owned()),
        (text, None) => text,
    }
}

/// A token budget of at least `min`.
fn budget(fields: &mut Fields<'_, '_>, key: &'static str, min: i64) -> Option<Option<i64>> {
    match fields.optional::<i64>(key)? {
        Some(got) if got < min => fields.error(key, ValidationErrorKind::IntegerBelow { min, got }),
        budget => Some(budget),
    }
}

/// A run on a thread that exists.
struct CreateRun {
    order: RunParams,
    additional_instructions: Option<String>,
    additional_messages: Vec<NewMessage>,
}

impl Read for CreateRun {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let order = RunParams::read_from(&mut fields);
        let additional_instructions =
            fields.optional::<Text<{ limits::INSTRUCTIONS }>>("additional_instructions");
        let additional_messages = fields.or_default("additional_messages");
        fields.finish();
        Some(Self {
            order: order?,
            additional_instructions: additional_instructions?.map(|text| text.0),
            additional_messages: additional_messages?,
        })
    }
}

/// A run on a new thread.
pub(super) struct CreateThreadAndRun {
    pub order: RunParams,
    pub thread: NewThread,
}

impl Read for CreateThreadAndRun {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let order = RunParams::read_from(&mut fields);
        let thread = fields.or_default::<NewThread>("thread");
        // The tool resources of the run are those of its thread.
        let tool_resources = if fields.version().is_v2() {
            fields.optional::<ToolResources>("tool_resources")
        } else {
            Some(None)
        };
        fields.finish();
        let mut thread = thread?;
        if let Some(given) = tool_resources? {
            thread.tool_resources.replace_parts(given);
        }
        Some(Self { order: order?, thread })
    }
}

async fn create(
    context: RequestContext,
    include: Include,
    named: NamedReply,
    PathAndBody { ids: of, mut body }: PathAndBody<Thread, CreateRun>,
) -> Result<Response> {
    let assistant = match find_assistant(&context, &body.order).await {
        Ok(assistant) => assistant,
        // If both the thread and the assistant are missing, the error names the thread.
        Err(error) => return of.find(&context).await.and(Err(error)),
    };
    check(&context, &body.order, &assistant)?;
    let attached =
        context.knowledge.brought(context.dialect.version, &mut body.additional_messages).await?;
    let (now, thread_id) = (context.clock.now().seconds(), Id::<Thread>::new(of.own()));
    context.knowledge.check_attached(&attached, Some(&thread_id)).await?;
    if searches(body.order.settings(&assistant).tools) {
        let thread = of.find(&context).await?;
        // A file that comes with the run gets a new store in place of an expired one.
        let of_thread =
            if attached.has_searched() { &[] } else { thread.tool_resources.vector_store_ids() };
        check_stores(&context, &assistant, of_thread).await?;
    }
    let messages = body.additional_messages.into_iter();
    let messages = messages
        .map(|new| Message::sent(context.ids.next(), now, thread_id.clone(), new))
        .collect();
    let stream = body.order.stream;
    let run = body.order.run(
        context.ids.next(),
        now,
        thread_id.clone(),
        assistant,
        body.additional_instructions.as_deref(),
    );
    start(
        &context,
        NewRun {
            // The run searches the files that come with it at once, so both are written together.
            onto: RunTarget::Existing(thread_id, attached),
            messages,
            wanted: wanted(&context, named, &run),
            run,
        },
        stream,
        &include,
    )
    .await
}

async fn create_with_thread(
    context: RequestContext,
    include: Include,
    named: NamedReply,
    JsonBody(body): JsonBody<CreateThreadAndRun>,
) -> Result<Response> {
    let assistant = find_assistant(&context, &body.order).await?;
    check(&context, &body.order, &assistant)?;
    if searches(body.order.settings(&assistant).tools) {
        check_stores(&context, &assistant, body.thread.tool_resources.vector_store_ids()).await?;
    }
    // This check comes first, so that a run that is not possible creates nothing.
    let instructions = body.order.instructions.as_deref().or(assistant.instructions.as_deref());
    let asked = body.thread.messages.iter().any(|message| message.role == Role::User);
    if context.dialect.version.is_v2() && !asked && instructions.is_none_or(str::is_empty) {
        return Err(EngineError::NothingToRun.into());
    }
    let (thread, messages, attachments) = threads::make(&context, body.thread).await?;
    let stream = body.order.stream;
    let run =
        body.order.run(context.ids.next(), thread.created_at, thread.id.clone(), assistant, None);
    start(
        &context,
        NewRun {
            onto: RunTarget::New(thread, Box::new(attachments)),
            messages,
            wanted: wanted(&context, named, &run),
            run,
        },
        stream,
        &include,
    )
    .await
}

/// Rejects a run if the model cannot be used, or if the settings contradict each other.
pub(super) fn check(
    context: &RequestContext,
    order: &RunParams,
    assistant: &Assistant,
) -> Result<()> {
    let settings = order.settings(assistant);
    match &order.model {
        Some(model) => context.check_model(model)?,
        None => context.check_age(settings.model)?,
    }
    Ok(settings.check(&order.sampling)?)
}

/// Rejects a run that would search an expired store.
async fn check_stores(
    context: &RequestContext,
    assistant: &Assistant,
    of_thread: &[String],
) -> Result<()> {
    let mut stores = assistant.searched_stores(context.dialect.version);
    stores.extend_from_slice(of_thread);
    match context.knowledge.expired_among(&stores).await? {
        Some(id) => Err(ApiErrorKind::RunOnExpiredStore { id }.into()),
        None => Ok(()),
    }
}

pub(super) async fn find_assistant(
    context: &RequestContext,
    order: &RunParams,
) -> Result<Assistant> {
    let id = Id::new(order.assistant_id.as_str());
    let found = context.store.find::<Assistant>(&id).await?;
    let assistant = found.ok_or_else(|| ApiError::missing::<Assistant>(&[id.to_string()]))?;
    match &order.tools {
        // The tool that searches need not be the assistant's own. A tool of the run can search the
        // assistant's files as well.
        Some(tools) if context.dialect.version.is_v1() && !assistant.files.is_empty() => {
            let _alone = context.knowledge.alone().await;
            Ok(context.knowledge.restock(assistant, tools, &[]).await?)
        }
        _ => Ok(assistant),
    }
}

/// Under Azure, a missing deployment of this name became visible only at the first run.
fn wanted(context: &RequestContext, named: NamedReply, run: &Run) -> PerformerChoice {
    match named.0 {
        _ if context.dialect.is_azure() && context.state.check_model(&run.model).is_err() => {
            PerformerChoice::Failure(LastError::invalid_engine(&run.model))
        }
        Some(name) => PerformerChoice::Reply(name),
        None => PerformerChoice::Any,
    }
}

async fn start(
    context: &RequestContext,
    new: NewRun,
    stream: bool,
    include: &Include,
) -> Result<Response> {
    let of_run = OfRun(new.run.id.clone());
    let mut response = if stream {
        let (listener, stream) = sse::channel(context.dialect.version, include);
        context.engine.create(new, Some(listener)).await?;
        stream.into_response()
    } else {
        context.run(context.engine.create(new, None).await?).into_response()
    };
    response.extensions_mut().insert(of_run);
    Ok(response)
}

async fn list(
    context: RequestContext,
    Found(thread): Found<Thread>,
    query: PageQuery,
) -> Result<Answer<List<ShownRun>>> {
    let shown = |run: Run| run.into_answer().seen(context.dialect.version);
    page(&context, &[("thread_id", thread.id.as_str())], &query.page, shown).await
}

/// A run in the form of responses.
type ShownRun = Versioned<RunView<'static>>;

async fn retrieve(context: RequestContext, ids: PathIds<Run>) -> Result<ShownAnswer> {
    let (thread, run) = ids.key();
    context.count_poll(context.engine.poll(&run, &thread)).await;
    context.show(&ids, |run| context.run(run)).await
}

/// Recorded: only the metadata can be changed, and only after the run has ended.
async fn modify(
    context: RequestContext,
    PathAndBody { ids: of, body }: PathAndBody<Run, MetadataChange>,
) -> Result<Polled<ShownRun>> {
    let changed = change(&context, &of, |run: &mut Run| {
        if !run.status().is_terminal() {
            return Err(EngineError::NotChangeable(run.status()));
        }
        body.metadata.clone().apply_or(&mut run.metadata, Metadata::default);
        Ok(())
    });
    changed.await.map(|run| context.run(run))
}

/// A cancel has no body, but some clients send an empty one.
struct Nothing;

impl Read for Nothing {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        Fields::new(value, at, errors)?.finish();
        Some(Self)
    }
}

async fn cancel(
    context: RequestContext,
    PathAndBody { ids: of, .. }: PathAndBody<Run, Nothing>,
) -> Result<Polled<ShownRun>> {
    let run = of.find(&context).await?;
    Ok(context.run(context.engine.cancel(&run.id, &run.thread_id).await?))
}

struct SubmitOutputs {
    outputs: Vec<ToolOutput>,
    stream: bool,
}

impl Read for SubmitOutputs {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let outputs = fields.required::<Vec<ToolOutput>>("tool_outputs");
        let stream = fields.or_default("stream");
        let outputs = outputs?;
        if outputs.iter().map(|output| output.output.len()).sum::<usize>() >= limits::TOOL_OUTPUTS {
            return fields.error("tool_outputs", ValidationErrorKind::OutputsTooLarge);
        }
        fields.finish();
        Some(Self { outputs, stream: stream? })
    }
}

async fn submit(
    context: RequestContext,
    include: Include,
    PathAndBody { ids: of, body }: PathAndBody<Run, SubmitOutputs>,
) -> Result<Response> {
    let run = of.find(&context).await?;
    if body.stream {
        let (listener, stream) = sse::channel(context.dialect.version, &include);
        context.engine.submit(&run.id, &run.thread_id, body.outputs, Some(listener)).await?;
        return Ok(stream.into_response());
    }
    Ok(context
        .run(context.engine.submit(&run.id, &run.thread_id, body.outputs, None).await?)
        .into_response())
}
