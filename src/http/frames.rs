//! Cuts a stream of server-sent events at the ends of its events.

use std::io;

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures_util::{
    Stream, StreamExt,
    stream::{self, Fuse},
};

/// The events of a stream, one by one. The rest of a broken stream is sent, too.
pub(super) fn frames(body: Body) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold((body.into_data_stream().fuse(), BytesMut::new()), |(pieces, buffer)| {
        next_frame(pieces, buffer)
    })
}

type FrameSource = Fuse<BodyDataStream>;

async fn next_frame(
    mut pieces: FrameSource,
    mut buffer: BytesMut,
) -> Option<(io::Result<Bytes>, (FrameSource, BytesMut))> {
    loop {
        if let Some(end) = memchr::memmem::find(&buffer, b"\n\n") {
            let frame = buffer.split_to(end + 2).freeze();
            return Some((Ok(frame), (pieces, buffer)));
        }
        let Some(piece) = pieces.next().await else {
            return (!buffer.is_empty()).then(|| (Ok(buffer.split().freeze()), (pieces, buffer)));
        };
        match piece {
            Ok(piece) => buffer.extend_from_slice(&piece),
            Err(error) => return Some((Err(io::Error::other(error)), (pieces, buffer))),
        }
    }
}
