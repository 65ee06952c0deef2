//! `--health` and `--ready`: the health checks of a container without a shell or an HTTP client. The admin listener
//! speaks plain text whatever TLS the public one has, so they need no certificate.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, ensure};

const LIMIT: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: u64 = 16 * 1_024;

/// Asks one of the probes of the admin listener, `/health` or `/ready`.
///
/// # Errors
/// When nobody answers within two seconds, or the answer is not 200; says what the answer was.
pub(super) fn ask(admin: SocketAddr, path: &str) -> anyhow::Result<()> {
    let address = reachable(admin);
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)
        .with_context(|| format!("nothing listens on {address}"))?;
    stream
        .set_read_timeout(Some(LIMIT))
        .context("cannot limit the wait")?;
    stream
        .set_write_timeout(Some(LIMIT))
        .context("cannot limit the wait")?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).context("cannot ask")?;
    let mut answer = String::new();
    stream
        .take(ANSWER_BYTES_MAX)
        .read_to_string(&mut answer)
        .context("no answer")?;
    let head = answer.lines().next().unwrap_or_default();
    ensure!(head.starts_with("HTTP/1.1 200 "), "{path} says {head:?}");
    Ok(())
}

/// An address that listens everywhere is asked over loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(address) if address.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => other,
    };
    SocketAddr::new(address, listen.port())
}
