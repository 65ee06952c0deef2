//! What a client may do to a connection.

use std::net::SocketAddr;
use std::time::Duration;

use crate::settings::HttpSettings;

/// Bytes of a request head.
pub(super) const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Fields of a request head.
pub(crate) const HEADERS_MAX: usize = 64;
/// Requests at a time on an HTTP/2 connection.
pub(super) const STREAMS_MAX: u32 = 128;
/// Bytes of one request that may wait for the service to read them. h2 closes a connection on which too many small
/// frames wait (half of its window of 1 MiB, at 256 bytes less its content for each), so a stream of small messages
/// must come to a halt before that.
pub(super) const STREAM_WINDOW: u32 = 128 * 1024;
/// A peer that vanished is found by a ping.
pub(super) const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
pub(super) const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// Requests of a connection that were given up before their answer: so many are no accident when they are also most of
/// all requests.
pub(super) const ABANDONED_MAX: u64 = 128;

/// What a client that abused its connection has to read its last answer.
pub(super) const ABUSE_FAREWELL: Duration = Duration::from_millis(500);

/// Limits of a listener.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// For the first bytes, the TLS handshake, a request head, and the first request.
    pub(crate) header_timeout: Duration,
    /// Without a request.
    pub(crate) idle_timeout: Duration,
    /// Without a step forward while there is something for the client to read.
    pub(crate) write_timeout: Duration,
    /// Until the client is asked to open another connection, and then until this one is closed.
    pub(crate) age: Duration,
    pub(crate) age_grace: Duration,
    pub(crate) max_connections: usize,
    pub(crate) max_connections_per_address: usize,
}

impl Limits {
    pub(crate) fn of(settings: &HttpSettings) -> Self {
        Self {
            header_timeout: Duration::from_millis(settings.header_timeout_ms),
            idle_timeout: Duration::from_millis(settings.idle_timeout_ms),
            write_timeout: Duration::from_millis(settings.write_timeout_ms),
            age: Duration::from_millis(settings.max_connection_age_ms),
            age_grace: Duration::from_millis(settings.connection_age_grace_ms),
            max_connections: settings.max_connections,
            max_connections_per_address: settings.max_connections_per_address,
        }
    }

    /// The age limit of one connection. Spread over a tenth by the client's port, so that connections that were opened
    /// together are not closed together.
    pub(super) fn age_of(&self, client: SocketAddr) -> Duration {
        self.age + self.age / 1_280 * u32::from(client.port() % 128)
    }
}
