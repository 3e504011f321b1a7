//! Uploads: create, add parts, complete, cancel.

use axum::{Router, extract::Request, routing::post};

use crate::{
    http::{
        Answer, AppState, Form, Found, PathAndBody, RequestContext, SessionRequest, error::Result,
        extract::JsonBody,
    },
    types::{
        Upload, UploadPart, limits,
        reader::{Fields, Path, Read, ValidationErrors},
        upload::{CompleteUpload, NewUpload, UploadStatus},
    },
};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/uploads", post(create))
        .route("/uploads/{upload_id}/parts", post(add_part))
        .route("/uploads/{upload_id}/complete", post(complete))
        .route("/uploads/{upload_id}/cancel", post(cancel))
}

async fn create(
    context: RequestContext,
    JsonBody(new): JsonBody<NewUpload>,
) -> Result<Answer<Upload>> {
    let upload = Upload::new(context.ids.next(), context.clock.now().seconds(), new);
    context.knowledge.make_upload(&upload).await?;
    Ok(Answer(upload.view()))
}

/// A form with the content only.
struct PartForm;

impl Read for PartForm {
    fn read(
        value: serde_json::Value,
        at: &Path<'_>,
        errors: &mut ValidationErrors,
    ) -> Option<Self> {
        Fields::new(value, at, errors)?.finish();
        Some(Self)
    }
}

async fn add_part(
    in_session: SessionRequest,
    Found(upload): Found<Upload>,
    request: Request,
) -> Result<Answer<UploadPart>> {
    let (mut form, context) =
        Form::receive(in_session, request, "data", limits::PART_BYTES).await?;
    let PartForm = form.read()?;
    let content = form.content("data")?;
    Ok(Answer(context.knowledge.add_part(&upload, content.draft).await?))
}

async fn complete(
    context: RequestContext,
    PathAndBody { ids: of, body }: PathAndBody<Upload, CompleteUpload>,
) -> Result<Answer<Upload>> {
    let upload = of.find(&context).await?;
    Ok(Answer(context.knowledge.complete(&upload, &body).await?.view()))
}

async fn cancel(context: RequestContext, Found(upload): Found<Upload>) -> Result<Answer<Upload>> {
    Ok(Answer(context.knowledge.end_upload(&upload.id, UploadStatus::Cancelled).await?.view()))
}
