//! The byte stream of a connection: the bytes that told the protocol come first, and a client that trickles, floods or
//! does not read is cut off.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::connection::Server;
use super::frames::FrameMeter;
use super::load::Load;
use crate::metrics::connections::{ConnectionMetrics, Cut};

/// What a connection's bytes come through: TCP, or TLS over it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}

/// A stream with limits.
pub(super) struct Guarded<S> {
    stream: S,
    first: Vec<u8>,
    load: Load,
    header_timeout: Duration,
    write_timeout: Duration,
    metrics: ConnectionMetrics,
    times_heads: bool,
    head: Option<Head>,
    frames: Option<FrameMeter>,
    /// Runs while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

/// A request head that is being read.
struct Head {
    late: Pin<Box<Sleep>>,
    /// Requests that had begun before this one.
    after: u64,
}

impl<S> Guarded<S> {
    /// `first` is what was already read.
    pub(super) fn new(stream: S, first: Vec<u8>, load: &Load, server: &Server) -> Self {
        Self {
            stream,
            first,
            load: load.clone(),
            header_timeout: server.limits.header_timeout,
            write_timeout: server.limits.write_timeout,
            metrics: server.metrics.clone(),
            times_heads: false,
            head: None,
            frames: None,
            stalled: None,
        }
    }

    /// For HTTP/1: a request head has a time limit.
    pub(super) fn with_head_limit(self) -> Self {
        Self {
            times_heads: true,
            ..self
        }
    }

    /// For HTTP/2: frames that carry nothing have a limit.
    pub(super) fn with_frame_limit(self) -> Self {
        Self {
            frames: Some(FrameMeter::new(Instant::now())),
            ..self
        }
    }

    /// Starts the clock when bytes arrive that no request has claimed.
    fn note_bytes(&mut self) {
        self.forget_read_head();
        if self.times_heads && self.head.is_none() && self.load.idle_since().is_some() {
            self.head = Some(Head {
                late: Box::pin(sleep(self.header_timeout)),
                after: self.load.started(),
            });
        }
    }

    /// Stops the clock when the head has become a request.
    fn forget_read_head(&mut self) {
        if self
            .head
            .as_ref()
            .is_some_and(|head| head.after != self.load.started())
        {
            self.head = None;
        }
    }

    /// Ready when the head took too long.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.forget_read_head();
        match &mut self.head {
            Some(head) => head.late.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }

    /// What came of writing, and an error when nothing could be written for too long.
    fn unless_stalled<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let limit = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(self.cut(Cut::SlowRead, "the client does not read")))
    }

    fn note_written(&mut self, written: &Poll<io::Result<usize>>) {
        if let (Some(frames), Poll::Ready(Ok(bytes))) = (&mut self.frames, written) {
            frames.wrote(*bytes);
        }
    }

    fn cut(&self, cut: Cut, message: &'static str) -> io::Error {
        self.metrics.cut(cut);
        io::Error::new(io::ErrorKind::TimedOut, message)
    }
}

impl<S: Stream> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.first.is_empty() {
            let length = this.first.len().min(buffer.remaining());
            buffer.put_slice(&this.first[..length]);
            this.first.drain(..length);
            this.note_bytes();
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(cx, buffer) {
            let bytes = &buffer.filled()[before..];
            if let Some(frames) = &mut this.frames
                && !frames.read(bytes, Instant::now())
            {
                return Poll::Ready(Err(this.cut(Cut::Flood, "a flood of frames")));
            }
            if !bytes.is_empty() {
                this.note_bytes();
            }
            return Poll::Ready(read);
        }
        ready!(this.poll_late(cx));
        Poll::Ready(Err(
            this.cut(Cut::SlowHead, "the request head took too long")
        ))
    }
}

impl<S: Stream> AsyncWrite for Guarded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.note_written(&written);
        this.unless_stalled(written, cx)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.unless_stalled(flushed, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.note_written(&written);
        this.unless_stalled(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
