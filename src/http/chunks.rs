//! Cuts a stream into other chunks. The bytes stay the same. A client that takes each chunk for an
//! event fails visibly.
//!
//! Each piece is one chunk of HTTP/1.1, and is sent before the next one.

use std::{io, time::Duration};

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};

use super::frames::frames;
use crate::fixture::fault::Chunks;

/// Under `join`, a chunk ends at a pause of this length.
const SILENCE: Duration = Duration::from_millis(250);

/// The same body in other chunks.
pub(super) fn cut(body: Body, chunks: Chunks) -> Body {
    match chunks {
        Chunks::Split => {
            Body::from_stream(one_by_one(frames(body).flat_map(|frame| stream::iter(split(frame)))))
        }
        Chunks::Join => Body::from_stream(one_by_one(ChunkBuffer::stream(body, Until::Silence))),
        Chunks::Bytes(bytes) => {
            let bytes = usize::try_from(bytes.get()).unwrap_or(usize::MAX);
            Body::from_stream(one_by_one(ChunkBuffer::stream(body, Until::Length(bytes))))
        }
    }
}

/// The pieces. Each piece is sent before the next one is made.
fn one_by_one(
    pieces: impl Stream<Item = io::Result<Bytes>>,
) -> impl Stream<Item = io::Result<Bytes>> {
    pieces.then(|piece| async {
        tokio::task::yield_now().await;
        piece
    })
}

/// The pieces of an event. It is cut within each character of several bytes, or in the middle if it
/// has no such character.
fn split(frame: io::Result<Bytes>) -> Vec<io::Result<Bytes>> {
    let frame = match frame {
        Ok(frame) => frame,
        Err(error) => return vec![Err(error)],
    };
    let leads = frame.iter().enumerate().filter(|(_, byte)| **byte >= 0xc0);
    let mut cuts: Vec<usize> = leads.map(|(place, _)| place + 1).collect();
    if cuts.is_empty() && frame.len() > 1 {
        cuts.push(frame.len() / 2);
    }
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([frame.len()]);
    starts
        .zip(ends)
        .filter(|(start, end)| start < end)
        .map(|(start, end)| Ok(frame.slice(start..end)))
        .collect()
}

/// The end of a chunk.
enum Until {
    Silence,
    Length(usize),
}

/// Collects the pieces of a stream. The collected bytes are sent before the stream ends or breaks
/// off.
struct ChunkBuffer {
    pieces: BodyDataStream,
    until: Until,
    buffer: BytesMut,
    ended: Option<io::Result<()>>,
}

impl ChunkBuffer {
    fn stream(body: Body, until: Until) -> impl Stream<Item = io::Result<Bytes>> {
        let (pieces, buffer) = (body.into_data_stream(), BytesMut::new());
        stream::unfold(Self { pieces, until, buffer, ended: None }, |mut gathering| async move {
            Some((gathering.next().await?, gathering))
        })
    }

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        match self.until {
            Until::Silence => self.gather_until_silence().await,
            Until::Length(length) => self.gather(length).await,
        }
        if !self.buffer.is_empty() {
            let length = match self.until {
                Until::Silence => self.buffer.len(),
                Until::Length(length) => length.min(self.buffer.len()),
            };
            return Some(Ok(self.buffer.split_to(length).freeze()));
        }
        self.ended.replace(Ok(()))?.err().map(Err)
    }

    async fn gather(&mut self, length: usize) {
        while self.buffer.len() < length && self.ended.is_none() {
            let piece = self.pieces.next().await;
            self.take(piece);
        }
    }

    async fn gather_until_silence(&mut self) {
        self.gather(1).await;
        while self.ended.is_none() {
            let Ok(piece) = tokio::time::timeout(SILENCE, self.pieces.next()).await else { return };
            self.take(piece);
        }
    }

    fn take(&mut self, piece: Option<Result<Bytes, axum::Error>>) {
        match piece {
            Some(Ok(piece)) => self.buffer.extend_from_slice(&piece),
            Some(Err(error)) => self.ended = Some(Err(io::Error::other(error))),
            None => self.ended = Some(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "event: a\ndata: {\"v\":\"a\"}\n\nevent: b\ndata: {\"v\":\"Zürich, мир, \
                          世界 🙂\"}\n\nevent: done\ndata: [DONE]\n\n";

    /// The chunks of a stream that sends its events one by one.
    async fn chunks(chunks: Chunks) -> Vec<Bytes> {
        let events: Vec<_> = STREAM
            .split_inclusive("\n\n")
            .map(|event| Ok::<_, io::Error>(Bytes::from(event)))
            .collect();
        let pieces = cut(Body::from_stream(stream::iter(events)), chunks).into_data_stream();
        pieces.map(|piece| piece.unwrap()).collect().await
    }

    #[tokio::test]
    async fn split_cuts_every_event_and_every_character_of_several_bytes() {
        let pieces = chunks(Chunks::Split).await;
        assert_eq!(pieces.concat(), STREAM.as_bytes());
        let ends: Vec<usize> = pieces
            .iter()
            .scan(0, |end, piece| {
                *end += piece.len();
                Some(*end)
            })
            .collect();
        let mut start = 0;
        for event in STREAM.split_inclusive("\n\n") {
            let end = start + event.len();
            assert!(
                ends.contains(&end) && ends.iter().any(|cut| start < *cut && *cut < end),
                "{event}"
            );
            start = end;
        }
        for (place, character) in
            STREAM.char_indices().filter(|(_, character)| character.len_utf8() > 1)
        {
            assert!(
                ends.iter().any(|cut| place < *cut && *cut < place + character.len_utf8()),
                "{character}"
            );
        }
    }

    #[tokio::test]
    async fn join_puts_what_is_there_into_one_chunk() {
        assert_eq!(chunks(Chunks::Join).await, [Bytes::from(STREAM)]);
    }

    #[tokio::test]
    async fn a_stream_that_breaks_off_sends_all_its_bytes_first() {
        for chunks in [Chunks::Split, Chunks::Join, Chunks::Bytes(50.try_into().unwrap())] {
            let pieces = [Ok(Bytes::from(STREAM)), Err(io::Error::other("broken"))];
            let body = Body::from_stream(stream::iter(pieces));
            let pieces: Vec<_> = cut(body, chunks).into_data_stream().collect().await;
            let (last, whole) = pieces.split_last().unwrap();
            let whole: Vec<_> = whole.iter().map(|piece| piece.as_ref().unwrap().clone()).collect();
            assert!(last.is_err() && whole.concat() == STREAM.as_bytes(), "{chunks:?}");
        }
    }

    #[tokio::test]
    async fn all_chunks_except_the_last_have_the_given_length() {
        let pieces = chunks(Chunks::Bytes(7.try_into().unwrap())).await;
        assert_eq!(pieces.concat(), STREAM.as_bytes());
        let (last, others) = pieces.split_last().unwrap();
        assert!(others.iter().all(|piece| piece.len() == 7) && last.len() <= 7);
    }
}
