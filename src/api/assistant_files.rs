//! The files of assistants, which only v1 has: give, list, retrieve, take away.

use axum::{Router, routing::get};

use super::within;
use crate::{
    http::{
        Answer, ApiError, Asked, Found, Here, PageQuery,
        error::Result,
        extract::{Ids, OnlyV1},
    },
    knowledge::Regiven,
    types::{
        Assistant, Deleted, List, Refusal, limits,
        reader::{FaultKind, Faults, Fields, Path, Read},
        v1::{self, AssistantFile},
    },
};

pub(super) fn routes() -> Router {
    Router::new()
        .route("/assistants/{assistant_id}/files", get(list).post(create))
        .route("/assistants/{assistant_id}/files/{file_id}", get(retrieve).delete(delete))
}

struct NewFile {
    file_id: String,
}

impl Read for NewFile {
    fn read(value: serde_json::Value, at: &Path<'_>, faults: &mut Faults) -> Option<Self> {
        let mut fields = Fields::of(value, at, faults)?;
        let file_id = fields.required("file_id");
        fields.finish();
        Some(Self { file_id: file_id? })
    }
}

async fn create(_: OnlyV1, here: Here, Asked { of, body }: Asked<Assistant, NewFile>) -> Result<Answer<AssistantFile>> {
    let change = |mut files: Vec<String>| {
        if !files.contains(&body.file_id) {
            files.push(body.file_id.clone());
        }
        files
    };
    let assistant = regive(&here, &of, change).await?;
    find(&assistant, &body.file_id).map(Answer)
}

async fn list(_: OnlyV1, Found(assistant): Found<Assistant>, query: PageQuery) -> Result<Answer<List<AssistantFile>>> {
    within(AssistantFile::all(&assistant), &query.page, &[assistant.id.to_string()])
}

async fn retrieve(_: OnlyV1, here: Here, ids: Ids<AssistantFile>) -> Result<Answer<AssistantFile>> {
    let assistant = ids.parent::<Assistant>().find(&here).await?;
    find(&assistant, ids.own()).map(Answer)
}

async fn delete(_: OnlyV1, here: Here, ids: Ids<AssistantFile>) -> Result<Answer<Deleted<AssistantFile>>> {
    let of = ids.parent::<Assistant>();
    let file = find(&of.find(&here).await?, ids.own())?;
    regive(&here, &of, |files| files.into_iter().filter(|id| id != ids.own()).collect()).await?;
    Ok(Answer(Deleted::of(file.id)))
}

fn find(assistant: &Assistant, id: &str) -> Result<AssistantFile> {
    let found = AssistantFile::all(assistant).into_iter().find(|file| file.id.as_str() == id);
    found.ok_or_else(|| ApiError::missing::<AssistantFile>(&[id.to_owned()]))
}

/// Gives an assistant other files than it had.
async fn regive(here: &Here, of: &Ids<Assistant>, change: impl FnOnce(Vec<String>) -> Vec<String>) -> Result<Assistant> {
    let _alone = here.knowledge.alone().await;
    let mut held = of.find(here).await?;
    let before: Vec<String> = v1::files_of(&held).into_iter().map(str::to_owned).collect();
    // A file that only v2's code interpreter has can be taken away too.
    held.files = AssistantFile::all(&held).into_iter().map(Into::into).collect();
    let wanted = change(before);
    if wanted.len() > limits::ASSISTANT_FILES {
        let kind = FaultKind::ArrayTooLong { max: limits::ASSISTANT_FILES, got: wanted.len() };
        return Err(Refusal::invalid("file_ids", kind).into());
    }
    let Regiven { files, tool_resources } = here.knowledge.regive(&held, wanted).await?;
    super::change(here, of, |assistant: &mut Assistant| {
        assistant.files = files.clone();
        assistant.tool_resources = tool_resources.clone();
        Ok(())
    })
    .await
}
