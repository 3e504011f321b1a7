//! Containers and the files in them: create, list, retrieve, delete, content.

use axum::{
    Router,
    extract::{FromRequest, Request, State},
    response::Response,
    routing::get,
};

use super::{deleted, files::download, page};
use crate::{
    http::{
        Answer, ApiError, AppState, Dialect, Form, PageQuery, RequestContext, SessionRequest,
        error::Result,
        extract::{JsonBody, NameFilter, PathIds},
        is_form,
    },
    types::{
        ApiErrorKind, Container, ContainerFile, Deleted,
        container::{NewContainer, PutFile},
        limits,
        list::ItemList,
        reader::ValidationErrorKind,
    },
};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/containers", get(list).post(create))
        .route("/containers/{container_id}", get(retrieve).delete(delete))
        .route("/containers/{container_id}/files", get(list_files).post(create_file))
        .route("/containers/{container_id}/files/{file_id}", get(retrieve_file).delete(delete_file))
        .route("/containers/{container_id}/files/{file_id}/content", get(content))
}

async fn create(
    context: RequestContext,
    JsonBody(new): JsonBody<NewContainer>,
) -> Result<Answer<Container>> {
    let id = context.ids.next_container(context.clock.now().seconds());
    Ok(Answer(context.knowledge.make_container(id, &new).await?))
}

async fn list(
    context: RequestContext,
    NameFilter(name): NameFilter,
    query: PageQuery,
) -> Result<Answer<ItemList<Container>>> {
    let within: Vec<_> = name.iter().map(|name| ("name", name.as_str())).collect();
    let Answer(list) =
        page(&context, &within, &query.page, |container: Container| container).await?;
    Ok(Answer(list.into()))
}

/// Documented: to retrieve a container counts as use.
async fn retrieve(context: RequestContext, ids: PathIds<Container>) -> Result<Answer<Container>> {
    let id = ids.key();
    context.count_poll(async { _ = context.knowledge.touch_container(&id).await }).await;
    ids.find(&context).await.map(Answer)
}

async fn delete(
    context: RequestContext,
    ids: PathIds<Container>,
) -> Result<Answer<Deleted<Container>>> {
    let id = ids.key();
    let was_there = context.knowledge.delete_container(&id).await?;
    deleted(was_there, &id, ids.all()).map(Answer)
}

async fn list_files(
    context: RequestContext,
    ids: PathIds<Container>,
    query: PageQuery,
) -> Result<Answer<ItemList<ContainerFile>>> {
    let container = context.knowledge.running_container(&ids.key()).await?;
    let within = [("container_id", container.id.as_str())];
    let Answer(list) = page(&context, &within, &query.page, |file: ContainerFile| file).await?;
    Ok(Answer(list.into()))
}

/// Takes a form with a content, or the id of a file, as a form or as JSON.
async fn create_file(
    in_session: SessionRequest,
    State(app): State<AppState>,
    ids: PathIds<Container>,
    request: Request,
) -> Result<Answer<ContainerFile>> {
    in_session.state.knowledge.running_container(&ids.key()).await?;
    let (put, content, context) = if is_form(request.headers()) {
        let (mut form, context) =
            Form::receive(in_session, request, "file", limits::FILE_BYTES).await?;
        (form.read::<PutFile>()?, form.content("file").ok(), context)
    } else {
        let dialect = Dialect::from_request(&request);
        let JsonBody(put) = JsonBody::<PutFile>::from_request(request, &app).await?;
        (put, None, RequestContext::enter(&in_session, dialect).await)
    };
    let container = context.knowledge.running_container(&ids.key()).await?.id;
    let file = match (content, put.file_id) {
        (Some(content), _) => {
            let filename = content.filename.ok_or(ApiErrorKind::NoFilename)?;
            context.knowledge.upload_into(&container, &filename, content.draft).await?
        }
        (None, Some(id)) => context.knowledge.copy_into(&container, &id).await?,
        (None, None) => {
            return Err(ApiErrorKind::invalid("file", ValidationErrorKind::NotGiven).into());
        }
    };
    Ok(Answer(file))
}

/// A file in a running container.
async fn find_file(
    context: &RequestContext,
    ids: &PathIds<ContainerFile>,
) -> Result<ContainerFile> {
    context.knowledge.running_container(&ids.key().0).await?;
    ids.find(context).await
}

async fn retrieve_file(
    context: RequestContext,
    ids: PathIds<ContainerFile>,
) -> Result<Answer<ContainerFile>> {
    find_file(&context, &ids).await.map(Answer)
}

async fn delete_file(
    context: RequestContext,
    ids: PathIds<ContainerFile>,
) -> Result<Answer<Deleted<ContainerFile>>> {
    let (container, file) = ids.key();
    context.knowledge.running_container(&container).await?;
    let was_there = context.knowledge.delete_from_container(&container, &file).await?;
    deleted(was_there, &file, ids.all()).map(Answer)
}

async fn content(context: RequestContext, ids: PathIds<ContainerFile>) -> Result<Response> {
    let file = find_file(&context, &ids).await?;
    let blob = context.store.blob_in_container(&ids.key()).await?;
    let blob = blob.ok_or_else(|| ApiError::missing::<ContainerFile>(ids.all()))?;
    download(&context, blob, file.bytes, file.filename()).await
}
