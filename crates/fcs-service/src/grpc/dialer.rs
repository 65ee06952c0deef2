//! Connections to one server over TLS.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tracing::warn;

use crate::tls::{ClientTls, Protocol};

/// Connects to one server, and logs why that fails: once, however many requests it fails.
pub(super) struct Dialer {
    host: String,
    port: u16,
    tls: ClientTls,
    last_failure: Mutex<Option<String>>,
}

impl Dialer {
    pub(super) fn new(host: String, port: u16, tls: ClientTls) -> Self {
        Self {
            host,
            port,
            tls,
            last_failure: Mutex::default(),
        }
    }

    pub(super) async fn dial(self: Arc<Self>) -> io::Result<Told> {
        let connect = self.tls.connect(&self.host, self.port, Protocol::Http2);
        match connect.await {
            Ok(stream) => Ok(Told {
                stream,
                dialer: self,
            }),
            Err(error) => {
                self.note(Some(&error));
                Err(error)
            }
        }
    }

    fn note(&self, error: Option<&io::Error>) {
        let failure = error.map(ToString::to_string);
        let mut last = self
            .last_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = &failure
            && failure != *last
        {
            warn!(
                server = self.host,
                port = self.port,
                error,
                "cannot talk over TLS"
            );
        }
        *last = failure;
    }
}

/// A connection. In TLS 1.3 a server refuses a client's certificate after the client's part of the handshake, so the
/// client learns of it when it reads.
pub(super) struct Told {
    stream: TlsStream<TcpStream>,
    dialer: Arc<Dialer>,
}

impl AsyncRead for Told {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let read = ready!(Pin::new(&mut this.stream).poll_read(cx, buffer));
        // Servers may end a connection without a farewell of TLS.
        let ended = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
        match &read {
            Err(error) if !ended(error) => this.dialer.note(Some(error)),
            Err(_) => {}
            Ok(()) => this.dialer.note(None),
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Told {
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
}
