//! Cuts a stream into other chunks: the bytes stay the same, and a client that takes a chunk for an
//! event shows it.
//!
//! Each piece goes out as one chunk of HTTP/1.1, and is sent off before the next one.

use std::{io, time::Duration};

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures_util::{
    Stream, StreamExt,
    stream::{self, Fuse},
};

use super::damage::frames;
use crate::fixture::fault::Chunks;

/// What goes out in one chunk under `join` was there without a pause of this length.
const SILENCE: Duration = Duration::from_millis(250);

/// The same body in other chunks.
pub(super) fn cut(body: Body, chunks: Chunks) -> Body {
    match chunks {
        Chunks::Split => {
            Body::from_stream(one_by_one(frames(body).flat_map(|frame| stream::iter(split(frame)))))
        }
        Chunks::Join => Body::from_stream(one_by_one(joined(body.into_data_stream()))),
        Chunks::Bytes(bytes) => {
            let bytes = usize::try_from(bytes.get()).unwrap_or(usize::MAX);
            Body::from_stream(one_by_one(of_length(body.into_data_stream().fuse(), bytes)))
        }
    }
}

/// The pieces, each of which is sent off before the next one is made.
fn one_by_one(
    pieces: impl Stream<Item = io::Result<Bytes>>,
) -> impl Stream<Item = io::Result<Bytes>> {
    pieces.then(|piece| async {
        tokio::task::yield_now().await;
        piece
    })
}

/// The pieces of an event: cut within each character of several bytes, and in the middle if there
/// is none.
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

/// All that comes without a pause, together.
fn joined(pieces: BodyDataStream) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold(Some(pieces), |pieces| async {
        let mut pieces = pieces?;
        let mut gathered = BytesMut::from(pieces.next().await?.ok()?.as_ref());
        loop {
            match tokio::time::timeout(SILENCE, pieces.next()).await {
                Ok(Some(Ok(piece))) => gathered.extend_from_slice(&piece),
                Ok(Some(Err(_)) | None) => return Some((Ok(gathered.freeze()), None)),
                Err(_) => return Some((Ok(gathered.freeze()), Some(pieces))),
            }
        }
    })
}

/// Pieces of one length, but for the last.
fn of_length(pieces: Fuse<BodyDataStream>, length: usize) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold((pieces, BytesMut::new()), move |(mut pieces, mut buffer)| async move {
        while buffer.len() < length {
            match pieces.next().await {
                Some(Ok(piece)) => buffer.extend_from_slice(&piece),
                Some(Err(error)) => return Some((Err(io::Error::other(error)), (pieces, buffer))),
                None if buffer.is_empty() => return None,
                None => return Some((Ok(buffer.split().freeze()), (pieces, buffer))),
            }
        }
        Some((Ok(buffer.split_to(length).freeze()), (pieces, buffer)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "event: a\ndata: {\"v\":\"a\"}\n\nevent: b\ndata: {\"v\":\"Zürich, мир, \
                          世界 🙂\"}\n\nevent: done\ndata: [DONE]\n\n";

    /// The chunks of a stream whose events come one by one.
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
    async fn chunks_of_a_length_have_it_but_for_the_last() {
        let pieces = chunks(Chunks::Bytes(7.try_into().unwrap())).await;
        assert_eq!(pieces.concat(), STREAM.as_bytes());
        let (last, others) = pieces.split_last().unwrap();
        assert!(others.iter().all(|piece| piece.len() == 7) && last.len() <= 7);
    }
}
