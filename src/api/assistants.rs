//! Assistants: create, list, retrieve, modify, delete.

use axum::{Router, routing::get};

use super::{change, delete, page, retrieve};
use crate::{
    http::{Answer, Asked, Here, PageQuery, error::Result, extract::Body},
    store::Changes,
    types::{
        Assistant, List, Patch,
        assistant::{AssistantChange, NewAssistant},
    },
};

pub(super) fn routes() -> Router {
    Router::new()
        .route("/assistants", get(list).post(create))
        .route("/assistants/{assistant_id}", get(retrieve::<Assistant>).post(modify).delete(delete::<Assistant>))
}

async fn create(here: Here, Body(mut new): Body<NewAssistant>) -> Result<Answer<Assistant>> {
    here.judge_model(new.model())?;
    if let Patch::Set(resources) = new.tool_resources() {
        here.knowledge.provide(resources).await?;
    }
    let assistant = Assistant::new(here.ids.next(), here.clock.now().seconds(), new);
    let mut changes = Changes::new();
    changes.insert_assistant(&assistant)?;
    here.store.write(changes).await?;
    here.engine.expect(&assistant.model);
    Ok(Answer(assistant))
}

async fn list(here: Here, query: PageQuery) -> Result<Answer<List<Assistant>>> {
    page(&here, &[], &query.page, |assistant| assistant).await
}

async fn modify(here: Here, Asked { of, mut body }: Asked<Assistant, AssistantChange>) -> Result<Answer<Assistant>> {
    if let Some(model) = &body.model {
        here.judge_model(model)?;
    }
    if let Patch::Set(resources) = &mut body.tool_resources {
        of.find(&here).await?;
        here.knowledge.provide(resources).await?;
    }
    let change = change(&here, &of, |assistant: &mut Assistant| {
        assistant.change(body.clone());
        Ok(())
    });
    change.await.map(Answer)
}
