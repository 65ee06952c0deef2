//! The byte stream of a connection: the bytes that told the protocol come first, and a request head that
//! trickles is cut off.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::busy::Busy;

/// What a connection's bytes come through: TCP, or TLS over it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}

/// A stream whose request heads have a time limit.
pub(super) struct Guarded<S> {
    stream: S,
    first: Vec<u8>,
    busy: Busy,
    header_timeout: Option<Duration>,
    head: Option<Head>,
}

/// A request head that is being read.
struct Head {
    late: Pin<Box<Sleep>>,
    /// Requests that had begun before this one.
    after: u64,
}

impl<S> Guarded<S> {
    /// `first` is what was already read. Without a time-out the protocol keeps watch itself.
    pub(super) fn new(
        stream: S,
        first: Vec<u8>,
        busy: Busy,
        header_timeout: Option<Duration>,
    ) -> Self {
        Self {
            stream,
            first,
            busy,
            header_timeout,
            head: None,
        }
    }

    /// Starts the clock when bytes arrive that no request has claimed.
    fn note_bytes(&mut self) {
        self.forget_read_head();
        if let Some(limit) = self.header_timeout
            && self.head.is_none()
            && self.busy.is_idle()
        {
            let late = Box::pin(tokio::time::sleep(limit));
            self.head = Some(Head {
                late,
                after: self.busy.started(),
            });
        }
    }

    /// Stops the clock when the head has become a request.
    fn forget_read_head(&mut self) {
        if self
            .head
            .as_ref()
            .is_some_and(|head| head.after != self.busy.started())
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
            if buffer.filled().len() > before {
                this.note_bytes();
            }
            return Poll::Ready(read);
        }
        ready!(this.poll_late(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the request head took too long",
        )))
    }
}

impl<S: Stream> AsyncWrite for Guarded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
