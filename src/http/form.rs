//! Multipart forms: small fields as values to be read like any body, and the content of a file, which goes to
//! disk as it comes and is never in memory as a whole.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use axum::{body::BodyDataStream, extract::Request, http::header};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use multer::{Field, Multipart};
use serde_json::{Map, Value};

use super::error::Result;
use crate::{
    knowledge::on_disk,
    store::blobs::Draft,
    types::{
        Refusal,
        reader::{self, Fault, FaultKind, Read},
    },
    world::World,
};

/// How much all fields but the content may have together, in bytes.
const FIELDS: usize = 64 << 10;

/// A form that came in as a whole.
pub(crate) struct Form {
    fields: Map<String, Value>,
    content: Option<Content>,
}

/// The content of the file that came with a form.
pub(crate) struct Content {
    pub filename: Option<String>,
    pub draft: Draft,
}

impl Form {
    /// Receives a form whose field `name` is a file of at most `most` bytes. What is over that is read and thrown
    /// away, so that the client gets to read its refusal.
    pub(crate) async fn receive(world: &World, request: Request, name: &str, most: u64) -> Result<Self> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let boundary = multer::parse_boundary(content_type);
        let not_a_form = |_| Refusal::NotAForm { content_type: content_type.to_owned() };
        let boundary = boundary.map_err(not_a_form)?;
        let body = Arriving::of(request);
        let mut parts = Multipart::new(body.clone(), boundary);
        let mut form = Self { fields: Map::new(), content: None };
        let mut left = FIELDS;
        while let Some(part) = parts.next_field().await.map_err(|_| Refusal::BrokenForm)? {
            if part.name() == Some(name) {
                form.content = Some(Content::receive(world, part, most).await?);
            } else {
                form.take(part, &mut left).await?;
            }
        }
        drop(parts);
        body.end().await?;
        Ok(form)
    }

    async fn take(&mut self, mut part: Field<'static>, left: &mut usize) -> Result<()> {
        let name = part.name().unwrap_or_default().to_owned();
        let mut bytes = Vec::new();
        while let Some(piece) = part.chunk().await.map_err(|_| Refusal::BrokenForm)? {
            *left = left.checked_sub(piece.len()).ok_or(Refusal::BrokenForm)?;
            bytes.extend_from_slice(&piece);
        }
        let text = String::from_utf8(bytes).map_err(|_| Refusal::BrokenForm)?;
        // Forms know no numbers and no maps: `expires_after[seconds]`.
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

    /// The content, which has to be there.
    pub(crate) fn content(self, name: &str) -> Result<Content> {
        let missing = Refusal::Invalid(Fault { path: name.to_owned(), kind: FaultKind::NotGiven });
        Ok(self.content.ok_or(missing)?)
    }
}

impl Content {
    async fn receive(world: &World, mut part: Field<'static>, most: u64) -> Result<Self> {
        let filename = part.file_name().map(unescaped).filter(|name| !name.is_empty());
        let store = world.store.clone();
        let mut draft = on_disk(move || store.blobs().begin()).await?;
        let mut read = 0_u64;
        while let Some(piece) = part.chunk().await.map_err(|_| Refusal::BrokenForm)? {
            read += piece.len() as u64;
            if read <= most && draft.push(&piece) {
                draft = flushed(draft).await?;
            }
        }
        if read > most {
            return Err(Refusal::TooLarge { limit: most, read }.into());
        }
        Ok(Self { filename, draft: flushed(draft).await? })
    }
}

/// A body on its way in. The parser of forms stops at the last boundary; a body that breaks off behind that is
/// broken all the same.
#[derive(Clone)]
struct Arriving(Arc<Mutex<BodyDataStream>>);

impl Arriving {
    fn of(request: Request) -> Self {
        Self(Arc::new(Mutex::new(request.into_body().into_data_stream())))
    }

    /// Reads what is left.
    async fn end(mut self) -> Result<()> {
        while let Some(piece) = self.next().await {
            piece.map_err(|_| Refusal::BrokenForm)?;
        }
        Ok(())
    }
}

impl Stream for Arriving {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *stream).poll_next(context)
    }
}

/// Clients escape backslashes and quotes in names, all but browsers.
fn unescaped(name: &str) -> String {
    name.replace("\\\\", "\\").replace("\\\"", "\"")
}

async fn flushed(mut draft: Draft) -> Result<Draft> {
    let flush = move || {
        draft.flush()?;
        Ok(draft)
    };
    Ok(on_disk(flush).await?)
}
