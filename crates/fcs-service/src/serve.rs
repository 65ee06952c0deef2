//! The accept loop. HTTP/1.1 and HTTP/2 with prior knowledge on one port, so that routes and gRPC share it.
//!
//! `axum::serve` has neither a limit for slow clients nor one for the drain; this has both. What a client may do to a
//! connection, and for how long, is in [`limits`].

mod admission;
mod connection;
mod frames;
mod io;
mod limits;
mod load;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::admission::PerAddress;
use self::connection::Server;
use self::load::Total;
use crate::metrics::connections::{ConnectionMetrics, Cut};
use crate::tls::Tls;

pub(crate) use limits::{HEADERS_MAX, Limits};
pub(crate) use load::EndConnection;

/// A pause after the listener failed for lack of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a listener serves, and how.
pub(crate) struct Public {
    pub(crate) app: Router,
    pub(crate) limits: Limits,
    /// Without it the listener speaks plain text.
    pub(crate) tls: Option<Tls>,
    pub(crate) metrics: ConnectionMetrics,
}

/// Serves until `stop`; then accepts no more, lets the requests in flight end, and returns how many requests
/// `abort` had to cut off. Idle connections close at once; half-sent requests do not count as work.
pub(crate) async fn serve(
    listener: TcpListener,
    public: Public,
    stop: CancellationToken,
    abort: CancellationToken,
) -> usize {
    let permits = Arc::new(Semaphore::new(public.limits.max_connections));
    let per_address = PerAddress::new(public.limits.max_connections_per_address);
    let mut connections = JoinSet::new();
    let total = Total::default();
    let server = Server {
        app: public.app,
        limits: public.limits,
        tls: public.tls,
        metrics: public.metrics,
        total: Arc::clone(&total),
        stop: stop.clone(),
    };
    loop {
        let (stream, address, permit) = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &permits) => accepted,
        };
        let Some(seat) = per_address.enter(address.ip()) else {
            server.metrics.cut(Cut::TooManyOfOneAddress);
            continue;
        };
        let server = server.clone();
        connections.spawn(async move {
            let _open = server.metrics.opened();
            connection::serve(stream, address, server).await;
            drop((seat, permit));
        });
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        () = ended => 0,
        () = abort.cancelled() => total.load(Ordering::Relaxed),
    }
}

/// Waits for room and for a client.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let permit = Arc::clone(permits)
        .acquire_owned()
        .await
        .expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, address)) => return (stream, address, permit),
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
