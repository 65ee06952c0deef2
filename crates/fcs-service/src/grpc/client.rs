//! Channels and requests to other services.

use std::error::Error as _;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use hyper_util::rt::TokioIo;
use opentelemetry::propagation::Injector;
use tokio::time::sleep;
use tonic::Status;
use tonic::metadata::{MetadataKey, MetadataMap};
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::Deadline;
use super::dialer::Dialer;
use crate::tls::ClientTls;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);
const HTTPS_PORT: u16 = 443;
/// Before a call that was not begun is tried again.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(20),
];

/// A channel without TLS that connects at its first use and again after a loss. The keep-alive finds a peer that
/// vanished; the deadline comes with each [`request`].
///
/// # Errors
/// When the address is no URL of the scheme `http`.
pub fn channel(url: &str) -> anyhow::Result<Channel> {
    ensure!(
        !is_https(url),
        "{url} needs the authorities to trust for TLS"
    );
    Ok(endpoint(url)?.connect_lazy())
}

/// Like [`channel`], over TLS where the address says `https`. A new connection takes the certificates as they are
/// then.
///
/// # Errors
/// When the address is no URL.
pub fn channel_with(url: &str, tls: &ClientTls) -> anyhow::Result<Channel> {
    if !is_https(url) {
        return channel(url);
    }
    let endpoint = endpoint(url)?;
    let uri = endpoint.uri();
    let host = uri.host().unwrap_or_default().to_owned();
    let port = uri.port_u16().unwrap_or(HTTPS_PORT);
    let dialer = Arc::new(Dialer::new(host, port, tls.clone()));
    let connect = service_fn(move |_| {
        let dialer = Arc::clone(&dialer);
        async move { dialer.dial().await.map(TokioIo::new) }
    });
    Ok(endpoint.connect_with_connector_lazy(connect))
}

/// Whether an address asks for TLS.
pub(crate) fn is_https(url: &str) -> bool {
    url.split_once("://")
        .is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("https"))
}

fn endpoint(url: &str) -> anyhow::Result<Endpoint> {
    let endpoint = Endpoint::from_shared(url.to_owned())
        .with_context(|| format!("the address {url:?} is not a URL such as http://host:8000"))?;
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true))
}

/// A request that carries what is left of the deadline (`grpc-timeout`) and the trace (`traceparent`).
pub fn request<T>(message: T, deadline: Deadline) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(deadline.remaining());
    let context = tracing::Span::current().context();
    opentelemetry::global::get_text_map_propagator(|propagator| {
        propagator.inject_context(&context, &mut Metadata(request.metadata_mut()));
    });
    request
}

/// Calls, and calls again when the call met a connection that its server was just closing, as it does with every
/// connection of some age. Such a call was not begun, so this is safe for every method.
///
/// # Errors
/// What the last call gave.
pub async fn again_unless_begun<T, F>(mut call: impl FnMut() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    for pause in PAUSES {
        match call().await {
            // The channel needs a moment to notice that it must connect anew.
            Err(status) if was_not_begun(&status) => sleep(pause).await,
            result => return result,
        }
    }
    call().await
}

/// Whether the client gave a call up before the first byte of it was sent, or the server said farewell (GOAWAY) and
/// that it will not look at it (RFC 9113, section 6.8).
fn was_not_begun(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        let unsent = error
            .downcast_ref::<hyper::Error>()
            .is_some_and(hyper::Error::is_canceled);
        let farewell = error.downcast_ref::<h2::Error>().is_some_and(|error| {
            error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR)
        });
        if unsent || farewell {
            return true;
        }
        cause = error.source();
    }
    false
}

struct Metadata<'a>(&'a mut MetadataMap);

impl Injector for Metadata<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(key), Ok(value)) = (MetadataKey::from_bytes(key.as_bytes()), value.parse()) {
            self.0.insert(key, value);
        }
    }
}
