//! A collector of traces over OTLP/gRPC that keeps what it gets.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::HeaderName;
use tokio::net::TcpListener;

/// Bytes of one call at most.
const CALL_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Paths and bodies of calls.
type Calls = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A running collector, which ends with the test's runtime.
pub struct Collector {
    address: SocketAddr,
    calls: Calls,
}

impl Collector {
    /// Starts it on a free port.
    ///
    /// # Panics
    /// When there is no free port.
    #[expect(
        clippy::disallowed_methods,
        reason = "a test has no tracker, and its runtime ends the collector"
    )]
    pub async fn start() -> Self {
        let calls = Calls::default();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let app = Router::new().fallback(take).with_state(Arc::clone(&calls));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, calls }
    }

    /// URL for `telemetry.otlp_endpoint`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The calls so far: path, and body as it came, protobuf in gRPC frames.
    ///
    /// # Panics
    /// When a call panicked.
    pub fn calls(&self) -> Vec<(String, Vec<u8>)> {
        self.calls.lock().expect("not poisoned").clone()
    }
}

/// Keeps a call and answers it with an empty success.
async fn take(State(calls): State<Calls>, request: Request) -> [(HeaderName, &'static str); 2] {
    let path = request.uri().path().to_owned();
    let body = to_bytes(request.into_body(), CALL_BYTES_MAX).await;
    let body = body.expect("a body").to_vec();
    calls.lock().expect("not poisoned").push((path, body));
    [
        (HeaderName::from_static("content-type"), "application/grpc"),
        (HeaderName::from_static("grpc-status"), "0"),
    ]
}
