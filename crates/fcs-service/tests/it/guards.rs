//! Slow and hostile clients.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval, timeout};

use crate::sample::{SOON, settings, start};
use crate::wire::get;

/// Sends bytes and returns when the server closes the connection.
async fn closed_after(address: SocketAddr, bytes: &[u8]) -> Duration {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let began = Instant::now();
    let mut rest = Vec::new();
    // A reset is as good an end as any.
    drop(
        timeout(SOON, stream.read_to_end(&mut rest))
            .await
            .expect("the connection is closed"),
    );
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_says_too_little_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(settings(folder.path())).await;
    let (silent, one_byte, half_preface, half_head) = tokio::join!(
        closed_after(running.http, b""),
        closed_after(running.http, b"G"),
        closed_after(running.http, b"PRI * HTTP/2"),
        closed_after(running.http, b"GET / HTTP/1.1\r\nHost: x\r\nX-A: "),
    );
    for taken in [silent, one_byte, half_preface, half_head] {
        assert!(
            taken >= Duration::from_millis(250),
            "the limit of 300 ms was waited for"
        );
    }
    assert_eq!(
        get(running.http, "/health").await.status,
        200,
        "others are served"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_trickles_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(settings(folder.path())).await;
    let mut stream = TcpStream::connect(running.http).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
        .await
        .unwrap();
    let mut ticks = interval(Duration::from_millis(20));
    let trickle = async {
        while stream.write_all(b"a").await.is_ok() {
            ticks.tick().await;
        }
    };
    timeout(SOON, trickle)
        .await
        .expect("the server closes although bytes keep coming");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_outlives_the_head_limit() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.http.header_timeout_ms = 100;
    settings.http.idle_timeout_ms = 1_000;
    let running = start(settings).await;
    let mut stream = TcpStream::connect(running.http).await.unwrap();
    let request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut buffer = [0; 1_024];
    stream.write_all(request).await.unwrap();
    assert!(stream.read(&mut buffer).await.unwrap() > 0);
    let began = Instant::now();
    let read = timeout(SOON, stream.read(&mut buffer))
        .await
        .expect("closed at the idle limit");
    assert!(matches!(read, Ok(0) | Err(_)));
    assert!(
        began.elapsed() >= Duration::from_millis(900),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_beyond_the_limit_wait() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.http.max_connections = 1;
    let running = start(settings).await;
    let _silent = TcpStream::connect(running.http).await.unwrap();
    let answer = timeout(SOON, get(running.http, "/health"))
        .await
        .expect("served in turn");
    assert_eq!(answer.status, 200);
}
