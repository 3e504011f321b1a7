//! Assistants: create, list, retrieve, modify, delete.

use axum::{Router, routing::get};

use super::{change, delete, page};
use crate::{
    http::{
        Answer, AppState, PageQuery, PathAndBody, RequestContext,
        answer::ShownAnswer,
        error::Result,
        extract::{JsonBody, PathIds},
    },
    store::Changes,
    types::{
        ApiErrorKind, Assistant, List, Patch, Version, View,
        assistant::{AssistantChange, FileReassignment, NewAssistant},
        v1,
        version::Versioned,
    },
};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/assistants", get(list).post(create))
        .route("/assistants/{assistant_id}", get(retrieve).post(modify).delete(delete::<Assistant>))
}

async fn create(
    context: RequestContext,
    JsonBody(mut new): JsonBody<NewAssistant>,
) -> Result<Answer<Versioned<Assistant>>> {
    context.check_model(new.model())?;
    new.check()?;
    if let Patch::Set(resources) = new.tool_resources() {
        context.knowledge.provide(resources).await?;
    }
    let (file_ids, now) = (new.file_ids(), context.clock.now().seconds());
    let mut assistant = Assistant::new(context.ids.next(), now, new);
    if context.dialect.version.is_v1() {
        context.knowledge.check_given(&assistant.tools, &file_ids).await?;
        assistant.regive(&FileReassignment::Only(file_ids), now);
    }
    let mut changes = Changes::new();
    changes.insert_assistant(&assistant)?;
    context.store.write(changes).await?;
    if !assistant.files.is_empty() {
        let tools = assistant.tools.clone();
        assistant = context.knowledge.restock(assistant, &tools, &[]).await?;
    }
    Ok(context.answer(assistant))
}

async fn retrieve(context: RequestContext, ids: PathIds<Assistant>) -> Result<ShownAnswer> {
    context.show(&ids, |assistant| context.answer(assistant)).await
}

async fn list(
    context: RequestContext,
    query: PageQuery,
) -> Result<Answer<List<Versioned<Assistant>>>> {
    page(&context, &[], &query.page, |assistant: Assistant| assistant.seen(context.dialect.version))
        .await
}

async fn modify(
    context: RequestContext,
    PathAndBody { ids: of, mut body }: PathAndBody<Assistant, AssistantChange>,
) -> Result<Answer<Versioned<Assistant>>> {
    if let Some(model) = &body.model {
        context.check_model(model)?;
    }
    if matches!(body.tool_resources, Patch::Set(_)) {
        // This check comes first, so that a change that is not possible creates no store.
        of.find(&context).await?.try_change(body.clone())?;
    }
    if let Patch::Set(resources) = &mut body.tool_resources {
        context.knowledge.provide(resources).await?;
    }
    let changed = match context.dialect.version {
        Version::V1 => {
            let files = match body.file_ids.clone() {
                Patch::Keep => FileReassignment::Keep,
                Patch::Clear => FileReassignment::Only(Vec::new()),
                Patch::Set(given) => FileReassignment::Only(given),
            };
            change_of_v1(&context, &of, files, Some(body)).await?
        }
        Version::V2 => {
            change(&context, &of, |assistant: &mut Assistant| assistant.try_change(body.clone()))
                .await?
        }
    };
    Ok(context.answer(changed))
}

/// Changes an assistant under v1, which gives files to the assistant itself.
pub(super) async fn change_of_v1(
    context: &RequestContext,
    of: &PathIds<Assistant>,
    files: FileReassignment,
    body: Option<AssistantChange>,
) -> Result<Assistant> {
    let _alone = context.knowledge.alone().await;
    let now = context.clock.now().seconds();
    let apply = |assistant: &mut Assistant| {
        if let Some(body) = &body {
            assistant.try_change(body.clone())?;
        }
        assistant.regive(&files, now);
        Ok::<_, ApiErrorKind>(())
    };
    let mut after = of.find(context).await?;
    let before = v1::files_of(&after);
    apply(&mut after)?;
    let (new, _) = differences(&before, &v1::files_of(&after));
    context.knowledge.check_given(&after.tools, &new).await?;
    let changed = change(context, of, apply).await?;
    let (_, taken) = differences(&before, &v1::files_of(&changed));
    let tools = changed.tools.clone();
    Ok(context.knowledge.restock(changed, &tools, &taken).await?)
}

/// The added ids and the removed ids.
fn differences(before: &[String], after: &[String]) -> (Vec<String>, Vec<String>) {
    let without = |these: &[String], those: &[String]| {
        these.iter().filter(|id| !those.contains(id)).cloned().collect()
    };
    (without(after, before), without(before, after))
}
