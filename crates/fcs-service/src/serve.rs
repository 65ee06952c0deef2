//! The accept loop. HTTP/1.1 and HTTP/2 with prior knowledge on one port, so that routes and gRPC share it.
//!
//! `axum::serve` has neither a limit for slow clients nor one for the drain; this has both.

mod busy;
mod connection;
mod io;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::busy::Total;
use self::connection::Server;
use crate::settings::HttpSettings;
use crate::tls::Tls;

/// A pause after the listener failed for lack of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Limits of a listener.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) header_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_connections: usize,
}

impl Limits {
    pub(crate) fn of(settings: &HttpSettings) -> Self {
        Self {
            header_timeout: Duration::from_millis(settings.header_timeout_ms),
            idle_timeout: Duration::from_millis(settings.idle_timeout_ms),
            max_connections: settings.max_connections,
        }
    }
}

/// What a listener serves, and how.
pub(crate) struct Public {
    pub(crate) app: Router,
    pub(crate) limits: Limits,
    /// Without it the listener speaks plain text.
    pub(crate) tls: Option<Tls>,
}

/// Serves until `stop`; then accepts no more, lets the requests in flight end, and returns how many requests
/// `abort` had to cut off. Idle connections close at once; half-sent requests do not count as work.
pub(crate) async fn serve(
    listener: TcpListener,
    public: Public,
    stop: CancellationToken,
    abort: CancellationToken,
) -> usize {
    let Public { app, limits, tls } = public;
    let graceful = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(limits.max_connections));
    let mut connections = JoinSet::new();
    let total = Total::default();
    let server = Server {
        app,
        limits,
        tls,
        total: Arc::clone(&total),
        stop: stop.clone(),
    };
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &permits) => accepted,
        };
        let (stream, permit) = accepted;
        let (server, watcher) = (server.clone(), graceful.watcher());
        connections.spawn(async move {
            connection::serve(stream, server, watcher).await;
            drop(permit);
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => 0,
        () = abort.cancelled() => total.load(Ordering::Relaxed),
    }
}

/// Waits for room and for a client.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (TcpStream, tokio::sync::OwnedSemaphorePermit) {
    let permit = Arc::clone(permits)
        .acquire_owned()
        .await
        .expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(error) if is_of_one_client(&error) => {}
            Err(error) => {
                warn!(%error, "cannot accept a connection; trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether an error of accept concerns only the client that just left.
fn is_of_one_client(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}
