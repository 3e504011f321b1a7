//! The files of assistants, which only v1 has: create, list, retrieve, delete.

use axum::{
    Router,
    extract::FromRequestParts,
    http::{header, request::Parts},
    routing::get,
};

use super::{assistants::change_of_v1, within};
use crate::{
    http::{
        Answer, ApiError, AppState, Found, PageQuery, PathAndBody, RequestContext,
        error::Result,
        extract::{OnlyV1, PathIds},
    },
    types::{
        ApiErrorKind, Assistant, Deleted, List,
        assistant::FileReassignment,
        limits,
        reader::{Fields, Path, Read, ValidationErrorKind, ValidationErrors},
        v1::{self, AssistantFile},
    },
};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/assistants/{assistant_id}/files", get(list).post(create))
        .route("/assistants/{assistant_id}/files/{file_id}", get(retrieve).delete(delete))
}

struct NewAssistantFile {
    file_id: String,
}

impl Read for NewAssistantFile {
    fn read(
        value: serde_json::Value,
        at: &Path<'_>,
        errors: &mut ValidationErrors,
    ) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let file_id = fields.required("file_id");
        fields.finish();
        Some(Self { file_id: file_id? })
    }
}

/// A body that is not a form. The reader of the body checks the rest.
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
    context: RequestContext,
    PathAndBody { ids: of, body }: PathAndBody<Assistant, NewAssistantFile>,
) -> Result<Answer<AssistantFile>> {
    let known = of.find(&context).await?;
    let files = v1::files_of(&known);
    if files.len() >= limits::ASSISTANT_FILES && !files.contains(&body.file_id) {
        let kind = ValidationErrorKind::ArrayTooLong {
            max: limits::ASSISTANT_FILES,
            got: files.len() + 1,
        };
        return Err(ApiErrorKind::invalid("file_ids", kind).into());
    }
    let assistant =
        change_of_v1(&context, &of, FileReassignment::Give(body.file_id.clone()), None).await?;
    find(&assistant, &body.file_id).map(Answer)
}

async fn list(
    _: OnlyV1,
    Found(assistant): Found<Assistant>,
    query: PageQuery,
) -> Result<Answer<List<AssistantFile>>> {
    within(AssistantFile::all(&assistant), &query.page, &[assistant.id.to_string()])
}

async fn retrieve(
    _: OnlyV1,
    context: RequestContext,
    ids: PathIds<AssistantFile>,
) -> Result<Answer<AssistantFile>> {
    let assistant = ids.parent::<Assistant>().find(&context).await?;
    find(&assistant, ids.own()).map(Answer)
}

async fn delete(
    _: OnlyV1,
    context: RequestContext,
    ids: PathIds<AssistantFile>,
) -> Result<Answer<Deleted<AssistantFile>>> {
    let of = ids.parent::<Assistant>();
    let file = find(&of.find(&context).await?, ids.own())?;
    change_of_v1(&context, &of, FileReassignment::Take(ids.own().to_owned()), None).await?;
    Ok(Answer(Deleted::of(file.id)))
}

fn find(assistant: &Assistant, id: &str) -> Result<AssistantFile> {
    let found = AssistantFile::all(assistant).into_iter().find(|file| file.id.as_str() == id);
    found.ok_or_else(|| ApiError::missing::<AssistantFile>(&[id.to_owned()]))
}
