//! A TCP proxy that can be slow, silent or dead, between a client and the server that it means to talk to.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What happens to connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Bytes go through.
    None,
    /// Each piece waits for so long before it goes on to the server.
    Delay(Duration),
    /// Connections stay open, and nothing goes through.
    Silence,
    /// Connections are cut, new ones at once.
    Dead,
}

/// The proxy; it ends with the value.
pub struct ChaosProxy {
    /// Where clients connect to.
    pub address: SocketAddr,
    fault: watch::Sender<Fault>,
    task: JoinHandle<()>,
}

impl ChaosProxy {
    /// A proxy on a free port before a server.
    ///
    /// # Panics
    /// When no port is free.
    #[expect(
        clippy::disallowed_methods,
        reason = "the proxy runs beside the test, not in a service"
    )]
    pub async fn before(server: SocketAddr, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("a bound port has an address");
        let (fault, faults) = watch::channel(fault);
        let task = tokio::spawn(accept(listener, server, faults));
        Self {
            address,
            fault,
            task,
        }
    }

    /// Changes what happens to open and new connections.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, faults: watch::Receiver<Fault>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(connection(client, server, faults.clone()));
        while connections.try_join_next().is_some() {}
    }
}

/// Ends when either side does, or when the fault becomes [`Fault::Dead`].
async fn connection(client: TcpStream, server: SocketAddr, mut faults: watch::Receiver<Fault>) {
    if *faults.borrow() == Fault::Dead {
        return;
    }
    let Ok(upstream) = TcpStream::connect(server).await else {
        return;
    };
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), upstream.into_split());
    let (there, back) = (faults.clone(), faults.clone());
    tokio::select! {
        () = pass(from_client, to_server, there, true) => {}
        () = pass(from_server, to_client, back, false) => {}
        _ = faults.wait_for(|fault| *fault == Fault::Dead) => {}
    }
}

/// Hands pieces on until the end of the stream.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut faults: watch::Receiver<Fault>,
    delayed: bool,
) {
    let mut piece = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        if faults
            .wait_for(|fault| *fault != Fault::Silence)
            .await
            .is_err()
        {
            return;
        }
        let fault = *faults.borrow();
        if let (Fault::Delay(time), true) = (fault, delayed) {
            tokio::time::sleep(time).await;
        }
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}
