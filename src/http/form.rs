//! Multipart forms. Small fields become values, which are read like any body. The content of a file
//! goes to disk as it arrives, and is never in memory as a whole.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use axum::{
    body::BodyDataStream,
    extract::Request,
    http::{HeaderMap, header},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use multer::{Constraints, Field, Multipart, SizeLimit};
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::{dialect::Dialect, error::Result, extract::RequestContext, state::SessionRequest};
use crate::{
    session::SessionState,
    store::blobs::Draft,
    types::{
        ApiErrorKind,
        reader::{self, Read, ValidationErrorKind},
    },
};

/// How many fields a form may have beside the content, and how large each may be, in bytes. The
/// parser enforces the size of each.
const FIELDS: usize = 64;
const FIELD: u64 = 64 << 10;

/// Whether a request has a form with a file.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| {
        kind.trim_start().get(..10).is_some_and(|it| it.eq_ignore_ascii_case("multipart/"))
    })
}

/// A form that has arrived completely.
pub(crate) struct Form {
    fields: Map<String, Value>,
    content: Option<UploadedContent>,
}

/// The content of the file that came with a form.
pub(crate) struct UploadedContent {
    pub filename: Option<String>,
    pub draft: Draft,
}

impl Form {
    /// Receives a form whose field `name` is a file of at most `most` bytes. It reads and discards
    /// the rest, so that the client can read the rejection.
    ///
    /// The form enters the state that its session has once the form is complete.
    pub(crate) async fn receive(
        in_session: SessionRequest,
        request: Request,
        name: &str,
        most: u64,
    ) -> Result<(Self, RequestContext)> {
        let state = Arc::clone(&in_session.state);
        let dialect = Dialect::from_request(&request);
        let content_type = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let boundary = multer::parse_boundary(content_type);
        let not_a_form = |_| ApiErrorKind::NotAForm { content_type: content_type.to_owned() };
        let boundary = boundary.map_err(not_a_form)?;
        let body = IncomingBody::new(request);
        let sizes = SizeLimit::new().per_field(FIELD).for_field(name, u64::MAX);
        let limits = Constraints::new().size_limit(sizes);
        let mut parts = Multipart::with_constraints(body.clone(), boundary, limits);
        let mut form = Self { fields: Map::new(), content: None };
        let mut left = FIELDS;
        while let Some(part) = parts.next_field().await.map_err(|_| ApiErrorKind::BrokenForm)? {
            body.was_taken();
            if size_of_headers(&part) > PART_HEADERS {
                return Err(ApiErrorKind::BrokenForm.into());
            }
            if part.name() == Some(name) {
                form.content = Some(UploadedContent::receive(&state, part, &body, most).await?);
            } else {
                form.take(part, &mut left).await?;
            }
        }
        drop(parts);
        body.end().await?;
        Ok((form, RequestContext::enter(&in_session, dialect).await))
    }

    async fn take(&mut self, part: Field<'static>, left: &mut usize) -> Result<()> {
        let name = part.name().unwrap_or_default().to_owned();
        *left = left.checked_sub(1).ok_or(ApiErrorKind::BrokenForm)?;
        let bytes = part.bytes().await.map_err(|_| ApiErrorKind::BrokenForm)?;
        let text = String::from_utf8(bytes.into()).map_err(|_| ApiErrorKind::BrokenForm)?;
        // Forms have no numbers and no maps: `expires_after[seconds]`.
        match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
            Some((outer, inner)) => {
                let map = self.fields.entry(outer).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(map) = map {
                    let value = text.parse::<i64>().map_or(Value::String(text), Value::from);
                    map.insert(inner.to_owned(), value);
                }
            }
            None => _ = self.fields.insert(name, Value::String(text)),
        }
        Ok(())
    }

    /// Reads the fields beside the content.
    pub(crate) fn read<T: Read>(&mut self) -> Result<T> {
        Ok(reader::read(Value::Object(std::mem::take(&mut self.fields)))?)
    }

    /// The content, which must exist.
    pub(crate) fn content(self, name: &str) -> Result<UploadedContent> {
        let missing = ApiErrorKind::invalid(name, ValidationErrorKind::NotGiven);
        Ok(self.content.ok_or(missing)?)
    }
}

/// How many pieces may wait for the disk.
const WAITING: usize = 4;

impl UploadedContent {
    /// Writes the content to disk while more of it arrives.
    async fn receive(
        state: &SessionState,
        mut part: Field<'static>,
        arriving: &IncomingBody,
        most: u64,
    ) -> Result<Self> {
        let filename = filename(&part).filter(|name| !name.is_empty());
        let (pieces, mut waiting) = mpsc::channel::<Bytes>(WAITING);
        let store = state.store.clone();
        let writing = tokio::task::spawn_blocking(move || {
            let mut draft = store.blobs().begin()?;
            while let Some(piece) = waiting.blocking_recv() {
                draft.write(&piece)?;
            }
            Ok::<_, std::io::Error>(draft)
        });
        let mut read = 0_u64;
        while let Some(piece) = part.chunk().await.map_err(|_| ApiErrorKind::BrokenForm)? {
            arriving.was_taken();
            read += piece.len() as u64;
            // If the disk has failed, the answer below says so.
            if read <= most && pieces.send(piece).await.is_err() {
                break;
            }
        }
        drop(pieces);
        let draft = writing.await.unwrap_or_else(|error| Err(std::io::Error::other(error)))?;
        if read > most {
            return Err(ApiErrorKind::TooLarge { limit: most, read }.into());
        }
        Ok(Self { filename, draft })
    }
}

/// The name of a file. The extended form, if it exists, is the one that is not garbled.
fn filename(part: &Field<'static>) -> Option<String> {
    let disposition = part
        .headers()
        .get(header::CONTENT_DISPOSITION)
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    let extended = disposition
        .as_deref()
        .and_then(|text| text.split(';').find_map(|item| item.trim().strip_prefix("filename*=")));
    match extended.and_then(|value| value.trim_matches('"').split_once("''")) {
        Some((_, encoded)) => Some(percent_decode_str(encoded).decode_utf8_lossy().into_owned()),
        None => part.file_name().map(unescaped),
    }
}

/// A body that arrives. The parser of forms stops at the last boundary. A body that breaks off
/// after that is still broken.
#[derive(Clone)]
struct IncomingBody {
    stream: Arc<Mutex<BodyDataStream>>,
    /// How many bytes have arrived since data was last taken out of the form.
    unclaimed: Arc<AtomicUsize>,
    /// How many bytes have been passed on without a pause.
    burst: usize,
}

/// How many bytes to pass on without a pause. The parser takes all available bytes before it
/// returns any of them, and a fast client always has more.
const BURST: usize = 256 << 10;

/// How many bytes may arrive before they belong to a field or its content: only names and headers.
const UNCLAIMED: usize = 8 << 20;

/// How large the headers of one part may be together, in bytes: only a name and a type.
const PART_HEADERS: usize = 64 << 10;

fn size_of_headers(part: &Field<'_>) -> usize {
    part.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

impl IncomingBody {
    fn new(request: Request) -> Self {
        let stream = Arc::new(Mutex::new(request.into_body().into_data_stream()));
        Self { stream, unclaimed: Arc::default(), burst: 0 }
    }

    fn was_taken(&self) {
        self.unclaimed.store(0, Ordering::Relaxed);
    }

    /// Reads the rest.
    async fn end(mut self) -> Result<()> {
        while let Some(piece) = self.next().await {
            piece.map_err(|_| ApiErrorKind::BrokenForm)?;
            self.was_taken();
        }
        Ok(())
    }
}

impl Stream for IncomingBody {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.burst > BURST {
            self.burst = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = {
            let mut stream = self.stream.lock();
            Pin::new(&mut *stream).poll_next(context)
        };
        match &polled {
            Poll::Ready(Some(Ok(piece))) => {
                self.burst += piece.len();
                if self.unclaimed.fetch_add(piece.len(), Ordering::Relaxed) > UNCLAIMED {
                    return Poll::Ready(Some(Err(axum::Error::new(
                        "too much of the form makes no sense",
                    ))));
                }
            }
            _ => self.burst = 0,
        }
        polled
    }
}

/// All clients but browsers escape backslashes and quotes in names.
fn unescaped(name: &str) -> String {
    name.replace("\\\\", "\\").replace("\\\"", "\"")
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    /// A fast client sends everything at once. The parser must return it in pieces all the same.
    #[tokio::test]
    async fn a_large_file_is_read_in_small_pieces_at_any_speed() {
        const PIECES: usize = 512;
        let piece = Bytes::from(vec![7; 64 << 10]);
        let head = Bytes::from_static(
            b"--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n",
        );
        let all = [head]
            .into_iter()
            .chain(std::iter::repeat_n(piece.clone(), PIECES))
            .chain([Bytes::from_static(b"\r\n--XX--\r\n")]);
        let body = Body::from_stream(futures_util::stream::iter(all.map(Ok::<_, std::io::Error>)));
        let arriving = IncomingBody::new(Request::new(body));
        let mut parts = Multipart::new(arriving.clone(), "XX");
        let mut part = parts.next_field().await.unwrap().unwrap();
        let (mut read, mut largest) = (0, 0);
        while let Some(chunk) = part.chunk().await.unwrap() {
            arriving.was_taken();
            read += chunk.len();
            largest = largest.max(chunk.len());
        }
        assert_eq!(read, PIECES * piece.len());
        assert!(largest <= 4 * BURST, "{largest}");
    }
}
