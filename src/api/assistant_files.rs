//! The files of assistants, which only v1 has: give, list, retrieve, take away.

use axum::{
    Router,
    extract::FromRequestParts,
    http::{header, request::Parts},
    routing::get,
};

use super::{assistants::change_of_v1, within};
use crate::{
    http::{
        Answer, ApiError, AppState, Asked, Found, Here, PageQuery,
        error::Result,
        extract::{Ids, OnlyV1},
    },
    types::{
        Assistant, Deleted, List, ApiErrorKind,
        assistant::Regiving,
        limits,
        reader::{FaultKind, Faults, Fields, Path, Read},
        v1::{self, AssistantFile},
    },
};

pub(super) fn routes() -> Router<AppState> {
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

/// A body that is no form. What else it may be is judged when it is read.
struct NoForm;

impl<S: Sync> FromRequestParts<S> for NoForm {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let sent = parts
            .headers
            .get(header::CONTENT_TYPE)
            .map(|kind| kind.as_bytes().to_ascii_lowercase());
        if sent.is_some_and(|kind| kind.starts_with(b"multipart/form-data")) {
            Err(ApiErrorKind::NotADict.into())
        } else {
            Ok(Self)
        }
    }
}

async fn create(
    _: OnlyV1,
    _: NoForm,
    here: Here,
    Asked { of, body }: Asked<Assistant, NewFile>,
) -> Result<Answer<AssistantFile>> {
    let known = of.find(&here).await?;
    let files = v1::files_of(&known);
    if files.len() >= limits::ASSISTANT_FILES && !files.contains(&body.file_id) {
        let kind = FaultKind::ArrayTooLong { max: limits::ASSISTANT_FILES, got: files.len() + 1 };
        return Err(ApiErrorKind::invalid("file_ids", kind).into());
    }
    let assistant = change_of_v1(&here, &of, Regiving::Give(body.file_id.clone()), None).await?;
    find(&assistant, &body.file_id).map(Answer)
}

async fn list(
    _: OnlyV1,
    Found(assistant): Found<Assistant>,
    query: PageQuery,
) -> Result<Answer<List<AssistantFile>>> {
    within(AssistantFile::all(&assistant), &query.page, &[assistant.id.to_string()])
}

async fn retrieve(_: OnlyV1, here: Here, ids: Ids<AssistantFile>) -> Result<Answer<AssistantFile>> {
    let assistant = ids.parent::<Assistant>().find(&here).await?;
    find(&assistant, ids.own()).map(Answer)
}

async fn delete(
    _: OnlyV1,
    here: Here,
    ids: Ids<AssistantFile>,
) -> Result<Answer<Deleted<AssistantFile>>> {
    let of = ids.parent::<Assistant>();
    let file = find(&of.find(&here).await?, ids.own())?;
    change_of_v1(&here, &of, Regiving::Take(ids.own().to_owned()), None).await?;
    Ok(Answer(Deleted::of(file.id)))
}

fn find(assistant: &Assistant, id: &str) -> Result<AssistantFile> {
    let found = AssistantFile::all(assistant).into_iter().find(|file| file.id.as_str() == id);
    found.ok_or_else(|| ApiError::missing::<AssistantFile>(&[id.to_owned()]))
}
