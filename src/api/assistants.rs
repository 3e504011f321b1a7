//! Assistants: create, list, retrieve, modify, delete.

use axum::{Router, routing::get};

use super::{change, delete, page};
use crate::{
    http::{
        Answer, Asked, Found, Here, PageQuery,
        error::Result,
        extract::{Body, Ids},
    },
    knowledge::Regiven,
    store::Changes,
    types::{
        Assistant, List, Patch, Version, View,
        assistant::{AssistantChange, NewAssistant},
        version::Seen,
    },
};

pub(super) fn routes() -> Router {
    Router::new()
        .route("/assistants", get(list).post(create))
        .route("/assistants/{assistant_id}", get(retrieve).post(modify).delete(delete::<Assistant>))
}

async fn create(here: Here, Body(mut new): Body<NewAssistant>) -> Result<Answer<Seen<Assistant>>> {
    here.judge_model(new.model())?;
    if let Patch::Set(resources) = new.tool_resources() {
        here.knowledge.provide(resources).await?;
    }
    let file_ids = new.file_ids();
    let mut assistant = Assistant::new(here.ids.next(), here.clock.now().seconds(), new);
    if here.manner.version.is_v1() {
        let given = here.knowledge.regive(&assistant, file_ids).await?;
        regiven(&mut assistant, given);
    }
    let mut changes = Changes::new();
    changes.insert_assistant(&assistant)?;
    here.store.write(changes).await?;
    here.engine.expect(&assistant.model);
    Ok(here.answer(assistant))
}

fn regiven(assistant: &mut Assistant, given: Regiven) {
    assistant.files = given.files;
    assistant.tool_resources = given.tool_resources;
}

async fn retrieve(here: Here, Found(assistant): Found<Assistant>) -> Answer<Seen<Assistant>> {
    here.answer(assistant)
}

async fn list(here: Here, query: PageQuery) -> Result<Answer<List<Seen<Assistant>>>> {
    page(&here, &[], &query.page, |assistant: Assistant| assistant.seen(here.manner.version)).await
}

async fn modify(here: Here, Asked { of, mut body }: Asked<Assistant, AssistantChange>) -> Result<Answer<Seen<Assistant>>> {
    if let Some(model) = &body.model {
        here.judge_model(model)?;
    }
    if let Patch::Set(resources) = &mut body.tool_resources {
        of.find(&here).await?;
        here.knowledge.provide(resources).await?;
    }
    let given = match here.manner.version {
        Version::V1 => {
            let alone = here.knowledge.alone().await;
            Some((given_anew(&here, &of, &body).await?, alone))
        }
        Version::V2 => None,
    };
    let change = change(&here, &of, |assistant: &mut Assistant| {
        assistant.change(body.clone());
        if let Some((given, _)) = &given {
            regiven(assistant, given.clone());
        }
        Ok(())
    });
    change.await.map(|assistant| here.answer(assistant))
}

/// The files that v1 gives the assistant; or else what other tools make of those that it has.
async fn given_anew(here: &Here, of: &Ids<Assistant>, body: &AssistantChange) -> Result<Regiven> {
    let mut assistant = of.find(here).await?;
    let file_ids = match &body.file_ids {
        Patch::Keep => assistant.files.iter().map(|given| given.id.to_string()).collect(),
        Patch::Clear => Vec::new(),
        Patch::Set(given) => given.clone(),
    };
    assistant.change(body.clone());
    Ok(here.knowledge.regive(&assistant, file_ids).await?)
}
