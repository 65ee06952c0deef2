//! One connection: which protocol it speaks, and its limits.

use std::future::pending;
use std::net::SocketAddr;
use std::pin::pin;

use axum::Router;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Limits;
use super::io::{Guarded, Stream};
use super::limits::{
    ABUSE_FAREWELL, HEADER_BYTES_MAX, HEADERS_MAX, KEEP_ALIVE_INTERVAL, KEEP_ALIVE_TIMEOUT,
    STREAM_WINDOW, STREAMS_MAX,
};
use super::load::{Load, Total};
use crate::metrics::connections::{ConnectionMetrics, Cut};
use crate::tls::{PeerIdentity, Tls};

/// What an HTTP/2 client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the connections of a server share.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) app: Router,
    pub(super) limits: Limits,
    pub(super) tls: Option<Tls>,
    pub(super) metrics: ConnectionMetrics,
    pub(super) total: Total,
    pub(super) stop: CancellationToken,
}

/// Serves a connection to its end. A client that sends nothing, or half of what tells its protocol, is
/// dropped after the header time-out, or at once when the server stops.
pub(super) async fn serve(stream: TcpStream, client: SocketAddr, server: Server) {
    let _ = stream.set_nodelay(true);
    let age = Instant::now() + server.limits.age_of(client);
    let Some(tls) = &server.tls else {
        return serve_stream(stream, None, age, server).await;
    };
    let handshake = timeout(server.limits.header_timeout, tls.accept(stream));
    let accepted = tokio::select! {
        accepted = handshake => accepted,
        () = server.stop.cancelled() => return,
    };
    match accepted {
        Ok(Ok((stream, identity))) => serve_stream(stream, identity, age, server).await,
        Ok(Err(error)) => {
            server.metrics.cut(Cut::Handshake);
            debug!(%error, "a TLS handshake failed");
        }
        Err(_) => server.metrics.cut(Cut::SlowHead),
    }
}

async fn serve_stream<S: Stream>(
    mut stream: S,
    identity: Option<PeerIdentity>,
    age: Instant,
    server: Server,
) {
    let limits = server.limits;
    let first = tokio::select! {
        first = timeout(limits.header_timeout, first_bytes(&mut stream)) => first,
        () = server.stop.cancelled() => return,
    };
    let first = match first {
        Ok(Ok(Some(first))) => first,
        Ok(_) => return,
        Err(_) => return server.metrics.cut(Cut::SlowHead),
    };
    let speaks_http2 = first == PREFACE;
    let load = Load::new(server.total.clone());
    let service = TowerToHyperService::new(load.watch(server.app.clone(), identity));
    let guarded = Guarded::new(stream, first, &load, &server);
    let watch = Watch { load, age, server };
    if speaks_http2 {
        let io = TokioIo::new(guarded.with_frame_limit());
        watch.run(http2().serve_connection(io, service)).await;
    } else {
        let io = TokioIo::new(guarded.with_head_limit());
        watch.run(http1().serve_connection(io, service)).await;
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

fn http1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // `Guarded` times the heads, and `Watch` the time between requests.
        .header_read_timeout(None)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEADER_BYTES_MAX);
    builder
}

fn http2() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .max_header_list_size(u32::try_from(HEADER_BYTES_MAX).expect("a small number"))
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
    builder
}

/// Ends a connection when it is time.
struct Watch {
    load: Load,
    /// When the client is asked to open another connection.
    age: Instant,
    server: Server,
}

/// Why a connection is asked to end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    Stop,
    Age,
    Cut(Cut),
}

impl Watch {
    async fn run<C>(self, connection: C)
    where
        C: GracefulConnection<Error: std::fmt::Display>,
    {
        let mut connection = pin!(connection);
        let reason = tokio::select! {
            ended = connection.as_mut() => return log(ended),
            reason = self.must_end() => reason,
        };
        if let Reason::Cut(cut) = reason {
            self.server.metrics.cut(cut);
        }
        if reason == Reason::Cut(Cut::SlowRead) {
            return;
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            ended = connection => log(ended),
            () = self.out_of_patience(reason) => {}
        }
    }

    /// Completes when the connection must take no further request.
    async fn must_end(&self) -> Reason {
        let overdue = async {
            loop {
                match self.overdue() {
                    Ok(cut) => return Reason::Cut(cut),
                    Err(again) => sleep_until(again).await,
                }
            }
        };
        tokio::select! {
            reason = overdue => reason,
            () = self.server.stop.cancelled() => Reason::Stop,
            () = self.load.condemned() => Reason::Cut(Cut::Abuse),
            () = sleep_until(self.age) => Reason::Age,
        }
    }

    /// What is wrong now, or when to look again.
    fn overdue(&self) -> Result<Cut, Instant> {
        let limits = &self.server.limits;
        let idle = if self.load.started() == 0 {
            limits.header_timeout
        } else {
            limits.idle_timeout
        };
        let now = Instant::now();
        let idle_end = self.load.idle_since().unwrap_or(now) + idle;
        let read_end = self.load.unread_since().unwrap_or(now) + limits.write_timeout;
        if read_end <= now {
            Ok(Cut::SlowRead)
        } else if idle_end <= now {
            Ok(Cut::Idle)
        } else {
            Err(idle_end.min(read_end))
        }
    }

    /// Completes when a connection that was asked to end has had its time.
    async fn out_of_patience(&self, reason: Reason) {
        let limits = &self.server.limits;
        let asked = Instant::now();
        let farewell = match reason {
            Reason::Cut(Cut::Abuse) => ABUSE_FAREWELL,
            _ => limits.header_timeout,
        };
        let unhelpful = async {
            loop {
                let now = Instant::now();
                let idle = self.load.idle_since().unwrap_or(now).max(asked);
                let unread = self.load.unread_since().unwrap_or(now);
                let end = (idle + farewell).min(unread + limits.write_timeout);
                if end <= now {
                    return;
                }
                sleep_until(end).await;
            }
        };
        let too_old = async {
            match reason {
                // The drain has a deadline of its own.
                Reason::Stop => pending().await,
                Reason::Age | Reason::Cut(_) => sleep_until(asked + limits.age_grace).await,
            }
        };
        tokio::select! {
            () = unhelpful => {}
            () = too_old => {}
        }
    }
}

/// Clients that vanish or break the protocol are no event for the operators.
fn log<E: std::fmt::Display>(ended: Result<(), E>) {
    if let Err(error) = ended {
        debug!(%error, "a connection ended early");
    }
}
