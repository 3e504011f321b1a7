//! The phase of a connection, and the time since its last byte. A peer that stops in the middle of
//! a request is closed after some time. When the server ends, all connections without movement are
//! closed at once.

use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
};

/// The phase of a connection in its current request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// No byte of another request has arrived.
    Idle,
    /// A part of the head has arrived.
    Head,
    /// The body is arriving.
    Body,
    /// The server processes the request.
    Work,
    /// The response is in transit.
    Answer,
}

const PHASES: [Phase; 5] = [Phase::Idle, Phase::Head, Phase::Body, Phase::Work, Phase::Answer];

/// The progress of one connection.
#[derive(Debug)]
pub(super) struct Progress {
    begun: Instant,
    /// The time of the last byte, in milliseconds since the connection began.
    moved: AtomicU64,
    phase: AtomicU8,
    close: Notify,
}

impl Progress {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            moved: AtomicU64::new(0),
            phase: AtomicU8::new(0),
            close: Notify::new(),
        }
    }

    /// Enters a phase from any phase.
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.moves();
    }

    /// Enters a phase, if the connection is in the given one.
    fn advance(&self, from: Phase, to: Phase) {
        let (from, to) = (from as u8, to as u8);
        if self.phase.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.moves();
        }
    }

    fn phase(&self) -> Phase {
        PHASES[usize::from(self.phase.load(Ordering::Relaxed))]
    }

    fn moves(&self) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(now, Ordering::Relaxed);
    }

    fn stands_still_for(&self) -> Duration {
        let moved = Duration::from_millis(self.moved.load(Ordering::Relaxed));
        self.begun.elapsed().saturating_sub(moved)
    }

    /// Completes when the connection must close.
    pub(super) async fn closed(&self) {
        self.close.notified().await;
    }
}

/// All connections of a server.
#[derive(Clone, Debug, Default)]
pub(super) struct Connections(Arc<Mutex<HashMap<u64, Arc<Progress>>>>);

/// A connection. It is counted until this value is dropped.
pub(super) struct Counted {
    all: Connections,
    number: u64,
    pub progress: Arc<Progress>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.all.0.lock().remove(&self.number);
    }
}

impl Connections {
    /// Counts a connection, unless the maximum is reached.
    pub(super) fn admit(&self, number: u64, most: usize) -> Option<Counted> {
        let mut all = self.0.lock();
        if all.len() >= most {
            return None;
        }
        let progress = Arc::new(Progress::new());
        all.insert(number, Arc::clone(&progress));
        Some(Counted { all: self.clone(), number, progress })
    }

    /// Closes the connections in one of these phases that have not moved for so long.
    pub(super) fn close_still(&self, phases: &[Phase], patience: Duration) {
        for progress in self.0.lock().values() {
            if phases.contains(&progress.phase()) && progress.stands_still_for() >= patience {
                progress.close.notify_one();
            }
        }
    }
}

/// A stream of bytes that notes its movement.
pub(super) struct Watched<T> {
    pub io: T,
    pub progress: Arc<Progress>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(context, buffer);
        if buffer.filled().len() > before {
            match self.progress.phase() {
                Phase::Idle => self.progress.enter(Phase::Head),
                _ => self.progress.moves(),
            }
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(context, bytes);
        if polled.is_ready() {
            self.progress.moves();
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(context, slices);
        if polled.is_ready() {
            self.progress.moves();
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

/// A body. At its end, the connection enters another phase.
pub(super) struct Tracked<B> {
    pub body: B,
    pub progress: Arc<Progress>,
    pub during: Phase,
    pub then: Phase,
}

impl<B> Drop for Tracked<B> {
    fn drop(&mut self) {
        self.progress.advance(self.during, self.then);
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Tracked<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.progress.advance(self.during, self.then);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
