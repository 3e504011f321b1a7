//! Which reply would answer a run. This creates no run. It is the one call of the control API that
//! takes the body of a call of the OpenAI API: one that creates a run or a response.

use std::time::{Duration, Instant};

use axum::{Router, extract::FromRequestParts, http::request::Parts, routing::post};
use serde::Serialize;
use serde_json::{Value, json};

use super::runs::{self, CreateThreadAndRun};
use crate::{
    engine::{NAMED_BY, PerformerChoice, ResponseOrder, ResponseSubject},
    fixture::{
        Reply,
        matching::{Miss, OwnedSubject, RunMetadata, Subject},
    },
    http::{
        Answer, ApiError, AppState, RequestContext, SessionRequest,
        dialect::Dialect,
        error::Result,
        extract::{JsonBody, NamedReply, limit, pairs},
    },
    session::SessionState,
    types::{
        Api, ApiErrorKind, Id, Message, Role, Thread, VectorStore,
        reader::{Path, Read, ValidationErrors},
        response::request::NewResponse,
        tool::searches,
    },
};

pub(crate) fn routes() -> Router<AppState> {
    Router::new().route("/match", post(match_replies))
}

/// The longest time that one request may take to judge replies.
const PATIENCE: Duration = Duration::from_secs(5);

/// One reply, with the conditions that hold and those that do not.
#[derive(Serialize)]
struct JudgedReply {
    object: &'static str,
    reply: Option<String>,
    file: String,
    line: usize,
    /// Whether all its conditions hold.
    matches: bool,
    /// Whether the reply has reached its `times`.
    used_up: bool,
    held: Vec<Miss>,
    misses: Vec<Miss>,
}

async fn match_replies(
    to: SessionRequest,
    named: NamedReply,
    Turn(turn): Turn,
    JsonBody(body): JsonBody<Asked>,
) -> Result<Answer<Value>> {
    let context = RequestContext::enter(&to, Dialect::default()).await;
    let named = named.0.or_else(|| body.named_reply().map(str::to_owned));
    let subject = match body {
        Asked::Run(body) => subject(&context, *body, turn.unwrap_or(1)).await?,
        Asked::Response(request) => subject_of_response(&context, *request, turn).await?,
    };
    let (keys, state) = (to.session.keys.now(), context.state.clone());
    let judged = tokio::task::spawn_blocking(move || judge(&state, &subject, named.as_deref()));
    let mut judged = judged.await.map_err(std::io::Error::other)?;
    keys.clean(&mut judged);
    Ok(Answer(judged))
}

/// The subject of the request: a run with its thread, or a response.
enum Asked {
    Run(Box<CreateThreadAndRun>),
    Response(Box<NewResponse>),
}

impl Asked {
    fn named_reply(&self) -> Option<&str> {
        match self {
            Self::Run(body) => body.order.named_reply(),
            Self::Response(request) => request.metadata.get(NAMED_BY),
        }
    }
}

impl Read for Asked {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let is_response = value.get("assistant_id").is_none() && value.get("model").is_some();
        if is_response {
            NewResponse::read(value, at, errors).map(|it| Self::Response(Box::new(it)))
        } else {
            CreateThreadAndRun::read(value, at, errors).map(|it| Self::Run(Box::new(it)))
        }
    }
}

/// The number of the run in its thread, from 1, or the number of the question of a response.
struct Turn(Option<i64>);

impl FromRequestParts<AppState> for Turn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let given = pairs(parts, app).await?.into_iter().find(|(key, _)| key == "turn");
        let Some((_, given)) = given else { return Ok(Self(None)) };
        let turn =
            limit(&given, 1, i64::MAX).map_err(|kind| ApiErrorKind::invalid("turn", kind))?;
        Ok(Self(Some(turn)))
    }
}

/// The run as the conditions of replies would see it.
async fn subject(
    context: &RequestContext,
    body: CreateThreadAndRun,
    turn: i64,
) -> Result<OwnedSubject> {
    let CreateThreadAndRun { order, thread } = body;
    let assistant = runs::find_assistant(context, &order).await?;
    runs::check(context, &order, &assistant)?;
    let asked = thread.messages.iter().rfind(|message| message.role == Role::User).cloned();
    let brings_files = thread.messages.iter().any(|message| !message.attachments.is_empty());
    let thread_id = Id::<Thread>::new("thread_match");
    let now = context.clock.now().seconds();
    let (name, metadata) = (assistant.name.clone(), assistant.metadata.clone());
    let mut stores = assistant.searched_stores(context.dialect.version);
    stores.extend(thread.tool_resources.vector_store_ids().iter().cloned());
    let run = order.run(Id::new("run_match"), now, thread_id.clone(), assistant, None);
    let files = brings_files || has_files(context, &stores).await?;
    let attachments = asked.as_ref().is_some_and(|message| !message.attachments.is_empty());
    let message = asked.map(|new| Message::sent(Id::new("msg_match"), now, thread_id, new).text());
    Ok(OwnedSubject::new(&Subject {
        api: Api::Assistants,
        assistant_id: run.assistant_id.as_str(),
        assistant_name: name.as_deref(),
        model: &run.model,
        instructions: run.instructions.as_deref(),
        message: message.as_deref(),
        turn,
        tools: &run.tools,
        attachments,
        files: files && searches(&run.tools),
        metadata: RunMetadata([Some(&run.metadata), Some(&thread.metadata), Some(&metadata)]),
    }))
}

/// A response as the conditions of replies would see it.
async fn subject_of_response(
    context: &RequestContext,
    request: NewResponse,
    turn: Option<i64>,
) -> Result<OwnedSubject> {
    context.check_model_of_response(&request.model)?;
    request.check()?;
    let order = ResponseOrder { request, wanted: PerformerChoice::Any };
    let ResponseSubject { run, question, turn: number, system, stores } =
        context.engine.subject_of(order).await?;
    let message = question.as_ref().map(Message::text);
    Ok(OwnedSubject::new(&Subject {
        api: Api::Responses,
        assistant_id: "",
        assistant_name: None,
        model: &run.model,
        instructions: run.instructions.as_deref().or(system.as_deref()),
        message: message.as_deref(),
        turn: turn.unwrap_or(number),
        tools: &run.tools,
        attachments: question.as_ref().is_some_and(|message| !message.attachments.is_empty()),
        files: searches(&run.tools) && has_files(context, &stores).await?,
        metadata: RunMetadata([Some(&run.metadata), None, None]),
    }))
}

/// Whether one of the stores has a file. A lookup for a run would mark the stores as used; this one
/// does not.
async fn has_files(context: &RequestContext, stores: &[String]) -> Result<bool> {
    for id in stores {
        let store = context.store.find::<VectorStore>(&Id::new(id.as_str())).await?;
        if store.is_some_and(|store| store.file_counts.total > 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn judge(state: &SessionState, subject: &OwnedSubject, named: Option<&str>) -> Value {
    let subject = subject.subject();
    let end = Instant::now() + PATIENCE;
    let sets = state.fixtures.sets();
    let mut replies = sets.iter().flat_map(|set| &set.replies);
    let (mut answers, mut judged) = (None, Vec::new());
    for reply in replies.by_ref().take_while(|_| Instant::now() < end) {
        let reply_judged = judged_reply(state, reply, &subject);
        let is_chosen = match named {
            Some(name) => reply.name.as_deref() == Some(name) && !reply_judged.used_up,
            None => reply_judged.matches && !reply_judged.used_up,
        };
        if is_chosen && answers.is_none() {
            answers = Some(reply.place());
        }
        judged.push(reply_judged);
    }
    json!({
        "object": "match",
        "reply": answers,
        "named": named,
        "data": judged,
        "has_more": replies.next().is_some(),
    })
}

fn judged_reply(state: &SessionState, reply: &Reply, subject: &Subject<'_>) -> JudgedReply {
    let misses = reply.when.misses(subject);
    let uses = state.reply_usage.uses_of(reply);
    JudgedReply {
        object: "match.reply",
        reply: reply.name.clone(),
        file: reply.origin.file.clone(),
        line: reply.origin.line,
        matches: misses.is_empty(),
        used_up: reply.times.is_some_and(|times| uses >= times),
        held: reply.when.held(subject),
        misses,
    }
}
