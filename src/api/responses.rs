//! Responses: create, retrieve, delete, cancel, list input items, count input tokens,
//! compact.

use axum::{
    Router,
    extract::FromRequestParts,
    http::request::Parts,
    response::{IntoResponse, Response as HttpResponse},
    routing::{get, post},
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    engine::{Event, Events, LoggedEvent, PerformerChoice, ResponseOrder, listen_to_end},
    http::{
        Answer, ApiError, AppState, Found, PageQuery, PathAndBody, RequestContext,
        answer::OfRun,
        error::Result,
        extract::{JsonBody, NamedReply, PathIds, pairs},
        sse,
    },
    types::{
        ApiErrorKind, Deleted, Id, Item, Response,
        list::{ItemList, List},
        reader::{Path, Read, ValidationErrorKind, ValidationErrors},
        response::{
            Compaction, ResponseStatus,
            compaction::NewCompaction,
            request::{CountTokens, NewResponse},
        },
    },
};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/responses", post(create))
        .route("/responses/input_tokens", post(count_tokens))
        .route("/responses/compact", post(compact))
        .route("/responses/{response_id}", get(retrieve).delete(delete))
        .route("/responses/{response_id}/cancel", post(cancel))
        .route("/responses/{response_id}/input_items", get(input_items))
}

async fn create(
    context: RequestContext,
    named: NamedReply,
    JsonBody(request): JsonBody<NewResponse>,
) -> Result<HttpResponse> {
    context.check_model_of_response(&request.model)?;
    request.check()?;
    let (stream, in_background) = (request.stream, request.is_in_background());
    let wanted = named.0.map_or(PerformerChoice::Any, PerformerChoice::Reply);
    let order = ResponseOrder { request, wanted };
    let (id, mut answer) = if stream {
        let (listener, stream) = sse::response_channel();
        let response = context.engine.respond(order, Some(listener)).await?;
        (response.id, stream.into_response())
    } else if in_background {
        let response = context.engine.respond(order, None).await?;
        (response.id.clone(), Answer(response.over_rest()).into_response())
    } else {
        let (listener, events) = listen_to_end();
        let id = context.engine.respond(order, Some(listener)).await?.id;
        (id, Answer(ended(events).await?.over_rest()).into_response())
    };
    answer.extensions_mut().insert(OfRun(Id::new(id.as_str())));
    Ok(answer)
}

/// The response in its final state.
async fn ended(mut events: Events) -> Result<Response> {
    while let Some(event) = events.next().await {
        if let Event::Response(event) = &event
            && let Some(response) = event.ended()
        {
            return Ok(response.clone());
        }
    }
    // The session was reset, or the database cannot be written.
    Err(ApiErrorKind::Internal { request_id: String::new() }.into())
}

/// The number of tokens that a response would read.
#[derive(Serialize)]
struct InputTokens {
    object: &'static str,
    input_tokens: u64,
}

async fn count_tokens(
    context: RequestContext,
    JsonBody(CountTokens(request)): JsonBody<CountTokens>,
) -> Result<Answer<InputTokens>> {
    request.check()?;
    let order = ResponseOrder { request, wanted: PerformerChoice::Any };
    let input_tokens = context.engine.count_tokens(order).await?;
    Ok(Answer(InputTokens { object: "response.input_tokens", input_tokens }))
}

async fn compact(
    context: RequestContext,
    JsonBody(NewCompaction(request)): JsonBody<NewCompaction>,
) -> Result<Answer<Compaction>> {
    context.check_model_of_response(&request.model)?;
    request.check()?;
    let order = ResponseOrder { request, wanted: PerformerChoice::Any };
    Ok(Answer(context.engine.compact(order).await?))
}

/// Whether the client requests a response as a stream, and after which event it starts.
struct StreamQuery {
    stream: bool,
    /// One less than the number of the first event.
    starting_after: Option<u64>,
}

impl FromRequestParts<AppState> for StreamQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let mut query = Self { stream: false, starting_after: None };
        for (key, value) in pairs(parts, app).await? {
            let wrong = |expected: &str| {
                let expected = expected.to_owned();
                let kind = ValidationErrorKind::WrongType { expected, got: "a string" };
                ApiErrorKind::invalid(key.as_str(), kind)
            };
            match key.as_str() {
                "stream" => query.stream = value.parse().map_err(|_| wrong("a boolean"))?,
                "starting_after" => {
                    let number = value.parse().map_err(|_| wrong("an integer"))?;
                    query.starting_after = Some(number);
                }
                _ => {}
            }
        }
        Ok(query)
    }
}

async fn retrieve(
    context: RequestContext,
    ids: PathIds<Response>,
    query: StreamQuery,
) -> Result<HttpResponse> {
    if query.stream {
        return resume(&context, &ids.find(&context).await?, query.starting_after).await;
    }
    let id = ids.key();
    context.count_poll(context.engine.poll_response(&id)).await;
    Ok(Answer(ids.find(&context).await?.over_rest()).into_response())
}

/// The events of a response in the background: the past ones and the future ones.
async fn resume(
    context: &RequestContext,
    response: &Response,
    after: Option<u64>,
) -> Result<HttpResponse> {
    let skipped = after.map_or(0, |after| after.saturating_add(1));
    let (listener, stream) = sse::response_channel();
    if context.engine.listen(&response.id, listener, skipped).await {
        return Ok(stream.into_response());
    }
    let Some(kept) = context.store.stream_of_response(&response.id).await? else {
        return Err(ApiErrorKind::NotStreamed.into());
    };
    let events: Vec<LoggedEvent> = serde_json::from_str(&kept).map_err(std::io::Error::other)?;
    let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
    Ok(sse::replayed(events.into_iter().skip(skipped)).into_response())
}

async fn delete(
    context: RequestContext,
    ids: PathIds<Response>,
) -> Result<Answer<Deleted<Response>>> {
    let id = ids.key();
    let was_there = context.engine.delete_response(&id).await?;
    super::deleted(was_there, &id, ids.all()).map(Answer)
}

/// A cancel has no body, but some clients send an empty one.
struct Nothing;

impl Read for Nothing {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        Map::read(value, at, errors).map(|_| Self)
    }
}

/// Documented: only a response in the background can be cancelled. A response that has ended does
/// not change.
async fn cancel(
    context: RequestContext,
    PathAndBody { ids, .. }: PathAndBody<Response, Nothing>,
) -> Result<HttpResponse> {
    let response = ids.find(&context).await?;
    if !response.settings.background {
        return Err(ApiErrorKind::NotInBackground.into());
    }
    if matches!(response.status, ResponseStatus::Queued | ResponseStatus::InProgress) {
        context.engine.cancel_response(&response.id).await?;
    }
    Ok(Answer(ids.find(&context).await?.over_rest()).into_response())
}

async fn input_items(
    context: RequestContext,
    Found(response): Found<Response>,
    query: PageQuery,
) -> Result<Answer<ItemList>> {
    match context.store.input_items(&response, &query.page).await? {
        Some(page) => Ok(Answer(List::from_page(page, |item: Item| item).into())),
        None => {
            let text =
                format!("Item with id '{}' not found.", query.page.after.unwrap_or_default());
            Err(ApiErrorKind::Missing { text, param: None }.into())
        }
    }
}
