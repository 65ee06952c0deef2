//! One connection: which protocol it speaks, and its limits.

use std::time::Duration;

use axum::Router;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Limits;
use super::busy::{Busy, Total};
use super::io::{Guarded, Stream};
use crate::tls::Tls;

/// What an HTTP/2 client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEADER_BYTES_MAX: u32 = 16 * 1024;
const HTTP1_BUFFER_BYTES_MAX: usize = 32 * 1024;
const HEADERS_MAX: usize = 64;
const STREAMS_MAX: u32 = 128;
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// What the connections of a server share.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) app: Router,
    pub(super) limits: Limits,
    pub(super) tls: Option<Tls>,
    pub(super) total: Total,
    pub(super) stop: CancellationToken,
}

/// Serves a connection to its end. A client that sends nothing, or half of what tells its protocol, is
/// dropped after the header time-out, or at once when the server stops.
pub(super) async fn serve(stream: TcpStream, server: Server, watcher: Watcher) {
    let _ = stream.set_nodelay(true);
    let Some(tls) = &server.tls else {
        return serve_stream(stream, server, watcher).await;
    };
    let handshake = tokio::time::timeout(server.limits.header_timeout, tls.accept(stream));
    let accepted = tokio::select! {
        accepted = handshake => accepted,
        () = server.stop.cancelled() => return,
    };
    match accepted {
        Ok(Ok(stream)) => serve_stream(stream, server, watcher).await,
        Ok(Err(error)) => debug!(%error, "a TLS handshake failed"),
        Err(_) => debug!("a TLS handshake took too long"),
    }
}

async fn serve_stream<S: Stream>(mut stream: S, server: Server, watcher: Watcher) {
    let Server {
        app,
        limits,
        tls: _,
        total,
        stop,
    } = server;
    let first = tokio::select! {
        first = tokio::time::timeout(limits.header_timeout, first_bytes(&mut stream)) => first,
        () = stop.cancelled() => return,
    };
    let Ok(Ok(Some(first))) = first else { return };
    let speaks_http2 = first == PREFACE;
    let busy = Busy::new(total);
    let header_timeout = if speaks_http2 {
        None
    } else {
        Some(limits.header_timeout)
    };
    let io = TokioIo::new(Guarded::new(stream, first, busy.clone(), header_timeout));
    let service = TowerToHyperService::new(busy.watch(app));
    let ended = if speaks_http2 {
        watcher.watch(http2().serve_connection(io, service)).await
    } else {
        watcher
            .watch(http1(limits).serve_connection(io, service))
            .await
    };
    if let Err(error) = ended {
        // Clients that vanish or break the protocol are no event for the operators.
        debug!(%error, "a connection ended early");
    }
}

/// Reads until the protocol is clear: the whole HTTP/2 preface, or bytes that cannot become it.
/// `None` when the client leaves first.
async fn first_bytes<S: Stream>(stream: &mut S) -> std::io::Result<Option<Vec<u8>>> {
    let mut buffer = [0; PREFACE.len()];
    let mut length = 0;
    while length < buffer.len() && buffer[..length] == PREFACE[..length] {
        let read = stream.read(&mut buffer[length..]).await?;
        if read == 0 {
            return Ok(None);
        }
        length += read;
    }
    Ok(Some(buffer[..length].to_vec()))
}

fn http1(limits: Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // hyper's own timer also runs while a kept-alive connection idles; `Guarded` times the heads.
        .header_read_timeout(limits.idle_timeout)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HTTP1_BUFFER_BYTES_MAX);
    builder
}

fn http2() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
    builder
}
