//! Uploads: create, add parts, complete, cancel.

use axum::{Router, extract::Request, routing::post};

use crate::{
    http::{Answer, AppState, Asked, Form, Found, Here, error::Result, extract::Body},
    types::{
        Upload, UploadPart, limits,
        reader::{Faults, Fields, Path, Read},
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

async fn create(here: Here, Body(new): Body<NewUpload>) -> Result<Answer<Upload>> {
    let upload = Upload::new(here.ids.next(), here.clock.now().seconds(), new);
    here.knowledge.make_upload(&upload).await?;
    Ok(Answer(upload.shown()))
}

/// A form with the content and nothing beside it.
struct PartForm;

impl Read for PartForm {
    fn read(value: serde_json::Value, at: &Path<'_>, faults: &mut Faults) -> Option<Self> {
        Fields::of(value, at, faults)?.finish();
        Some(Self)
    }
}

async fn add_part(
    here: Here,
    Found(upload): Found<Upload>,
    request: Request,
) -> Result<Answer<UploadPart>> {
    let mut form = Form::receive(&here, request, "data", limits::PART_BYTES).await?;
    let PartForm = form.read()?;
    let content = form.content("data")?;
    Ok(Answer(here.knowledge.add_part(&upload, content.draft).await?))
}

async fn complete(
    here: Here,
    Asked { of, body }: Asked<Upload, CompleteUpload>,
) -> Result<Answer<Upload>> {
    let upload = of.find(&here).await?;
    Ok(Answer(here.knowledge.complete(&upload, &body).await?.shown()))
}

async fn cancel(here: Here, Found(upload): Found<Upload>) -> Result<Answer<Upload>> {
    Ok(Answer(here.knowledge.end_upload(&upload.id, UploadStatus::Cancelled).await?.shown()))
}
