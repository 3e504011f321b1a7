//! Assistants: create, list, retrieve, modify, delete.

use axum::{Router, routing::get};

use super::{change, delete, page};
use crate::{
    http::{
        Answer, AppState, Asked, Found, Here, PageQuery,
        error::Result,
        extract::{Body, Ids},
    },
    store::Changes,
    types::{
        Assistant, List, Patch, ApiErrorKind, Version, View,
        assistant::{AssistantChange, NewAssistant, Regiving},
        v1,
        version::Seen,
    },
};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/assistants", get(list).post(create))
        .route("/assistants/{assistant_id}", get(retrieve).post(modify).delete(delete::<Assistant>))
}

async fn create(here: Here, Body(mut new): Body<NewAssistant>) -> Result<Answer<Seen<Assistant>>> {
    here.judge_model(new.model())?;
    new.check()?;
    if let Patch::Set(resources) = new.tool_resources() {
        here.knowledge.provide(resources).await?;
    }
    let (file_ids, now) = (new.file_ids(), here.clock.now().seconds());
    let mut assistant = Assistant::new(here.ids.next(), now, new);
    if here.manner.version.is_v1() {
        here.knowledge.judge_given(&assistant.tools, &file_ids).await?;
        assistant.regive(&Regiving::Only(file_ids), now);
    }
    let mut changes = Changes::new();
    changes.insert_assistant(&assistant)?;
    here.store.write(changes).await?;
    here.engine.expect(&assistant.model);
    if !assistant.files.is_empty() {
        let tools = assistant.tools.clone();
        assistant = here.knowledge.restock(assistant, &tools, &[]).await?;
    }
    Ok(here.answer(assistant))
}

async fn retrieve(here: Here, Found(assistant): Found<Assistant>) -> Answer<Seen<Assistant>> {
    here.answer(assistant)
}

async fn list(here: Here, query: PageQuery) -> Result<Answer<List<Seen<Assistant>>>> {
    page(&here, &[], &query.page, |assistant: Assistant| assistant.seen(here.manner.version)).await
}

async fn modify(
    here: Here,
    Asked { of, mut body }: Asked<Assistant, AssistantChange>,
) -> Result<Answer<Seen<Assistant>>> {
    if let Some(model) = &body.model {
        here.judge_model(model)?;
    }
    if matches!(body.tool_resources, Patch::Set(_)) {
        // Before any store is made for a change that cannot be.
        of.find(&here).await?.try_change(body.clone())?;
    }
    if let Patch::Set(resources) = &mut body.tool_resources {
        here.knowledge.provide(resources).await?;
    }
    let changed = match here.manner.version {
        Version::V1 => {
            let files = match body.file_ids.clone() {
                Patch::Keep => Regiving::Keep,
                Patch::Clear => Regiving::Only(Vec::new()),
                Patch::Set(given) => Regiving::Only(given),
            };
            change_of_v1(&here, &of, files, Some(body)).await?
        }
        Version::V2 => {
            change(&here, &of, |assistant: &mut Assistant| assistant.try_change(body.clone()))
                .await?
        }
    };
    Ok(here.answer(changed))
}

/// Changes an assistant under v1, which gives files to the assistant itself.
pub(super) async fn change_of_v1(
    here: &Here,
    of: &Ids<Assistant>,
    files: Regiving,
    body: Option<AssistantChange>,
) -> Result<Assistant> {
    let _alone = here.knowledge.alone().await;
    let now = here.clock.now().seconds();
    let apply = |assistant: &mut Assistant| {
        if let Some(body) = &body {
            assistant.try_change(body.clone())?;
        }
        assistant.regive(&files, now);
        Ok::<_, ApiErrorKind>(())
    };
    let mut after = of.find(here).await?;
    let before = v1::files_of(&after);
    apply(&mut after)?;
    let (new, _) = differences(&before, &v1::files_of(&after));
    here.knowledge.judge_given(&after.tools, &new).await?;
    let changed = change(here, of, apply).await?;
    let (_, taken) = differences(&before, &v1::files_of(&changed));
    let tools = changed.tools.clone();
    Ok(here.knowledge.restock(changed, &tools, &taken).await?)
}

/// What came, and what went.
fn differences(before: &[String], after: &[String]) -> (Vec<String>, Vec<String>) {
    let without = |these: &[String], those: &[String]| {
        these.iter().filter(|id| !those.contains(id)).cloned().collect()
    };
    (without(after, before), without(before, after))
}
