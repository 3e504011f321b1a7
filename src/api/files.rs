//! Files: upload, list, retrieve, delete, content.

use std::io::Read as _;

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use futures_util::stream;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{deleted, page, retrieve};
use crate::{
    http::{
        Answer, ApiError, AppState, Form, Found, RequestContext, SessionRequest, error::Result,
        extract::FileQuery,
    },
    knowledge::on_disk,
    session::SessionState,
    store,
    types::{
        ApiErrorKind, File,
        file::{FileForm, NewFile, check_extension},
        limits,
        list::{DeletedFile, FileList},
        resource::Spelling,
    },
};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/files", get(list).post(create))
        .route("/files/{file_id}", get(retrieve::<File>).delete(delete))
        .route("/files/{file_id}/content", get(content))
}

async fn create(in_session: SessionRequest, request: Request) -> Result<Answer<File>> {
    let (mut form, context) =
        Form::receive(in_session, request, "file", limits::FILE_BYTES).await?;
    let FileForm { purpose, expires_after } = form.read()?;
    let content = form.content("file")?;
    let filename = content.filename.ok_or(ApiErrorKind::NoFilename)?;
    check_extension(&filename, purpose).map_err(|kind| ApiErrorKind::invalid("", kind))?;
    if content.draft.bytes() == 0 {
        return Err(ApiErrorKind::EmptyFile.into());
    }
    let new = NewFile { filename, purpose, expires_after };
    let id = if context.dialect.is_azure() {
        context.ids.next_as("assistant-", Spelling::Base62)
    } else {
        context.ids.next()
    };
    Ok(Answer(context.knowledge.make_file(id, new, content.draft).await?))
}

async fn list(context: RequestContext, query: FileQuery) -> Result<Answer<FileList>> {
    let within: Vec<_> =
        query.purpose.iter().map(|purpose| ("purpose", purpose.as_str())).collect();
    let within: store::Within<'_> = &within;
    let Answer(list) = page(&context, within, &query.page, |file: File| file).await?;
    Ok(Answer(list.into()))
}

async fn delete(context: RequestContext, Found(file): Found<File>) -> Result<Answer<DeletedFile>> {
    let was_there = context.knowledge.delete_file(&file.id).await?;
    Ok(Answer(deleted(was_there, &file.id, &[file.id.to_string()])?.into()))
}

/// How much of a file is read at a time, in bytes.
const STRIDE: usize = 256 << 10;

/// The bytes of the upload, unchanged, as an attachment: a browser never shows them.
async fn content(context: RequestContext, Found(file): Found<File>) -> Result<Response> {
    if !file.purpose.may_be_downloaded() {
        return Err(ApiErrorKind::NotForDownload { purpose: file.purpose }.into());
    }
    let missing = || ApiError::missing::<File>(&[file.id.to_string()]);
    let blob = context.store.blob_of(&file.id).await?.ok_or_else(missing)?;
    download(&context, blob, file.bytes, &file.filename).await
}

/// A content as it came, piece by piece.
pub(super) async fn download(
    state: &SessionState,
    blob: String,
    bytes: u64,
    filename: &str,
) -> Result<Response> {
    let store = state.store.clone();
    let opened = on_disk(move || store.blobs().open(&blob)).await?;
    let pieces = stream::try_unfold(opened, |mut opened| async {
        let read = move || {
            let mut piece = Vec::with_capacity(STRIDE);
            opened.by_ref().take(STRIDE as u64).read_to_end(&mut piece)?;
            Ok((piece, opened))
        };
        let (piece, opened) = on_disk(read).await?;
        Ok::<_, std::io::Error>((!piece.is_empty()).then(|| (Bytes::from(piece), opened)))
    });
    let mut response = Body::from_stream(pieces).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    headers.insert(header::CONTENT_DISPOSITION, attachment(filename));
    Ok(response)
}

/// The characters that the second form of a name escapes: all but letters, digits, `.`, `-` and
/// `_`.
const IN_HEADERS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');

/// The name under which a client saves the content. It is no path, and it has no character that
/// breaks a header or a shell. The second form has the characters outside ASCII.
fn attachment(filename: &str) -> HeaderValue {
    let name = filename.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\') || c == ' ' { c } else { '_' })
        .collect();
    let value = if plain == name {
        format!("attachment; filename=\"{plain}\"")
    } else {
        let encoded = utf8_percent_encode(name, IN_HEADERS);
        format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
    };
    HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static("attachment"))
}
