//! Requests that break HTTP/1.1 or its intent: 4xx at once, whatever comes after them on the connection.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::server::Server;
use crate::transport::activate;

const LIMIT: Duration = Duration::from_secs(1);

/// Sends bytes, reads until the server closes the connection, and gives the status lines of the answers.
async fn exchange(server: &Server, bytes: &[u8]) -> Vec<u16> {
    let mut stream = TcpStream::connect(server.running.http).await.unwrap();
    // The server may have refused and closed before the last byte.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = timeout(LIMIT, stream.read_to_end(&mut answer))
        .await
        .expect("an answer within a second");
    let text = String::from_utf8_lossy(&answer).into_owned();
    text.split("HTTP/1.1 ")
        .skip(1)
        .map(|answer| answer[..3].parse().unwrap())
        .collect()
}

fn post(headers: &str, body: &str) -> String {
    format!(
        "POST /v1/applications/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Idempotency-Key: k\r\n{headers}\r\n{body}"
    )
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
}

type Case = (&'static str, String);

/// Bodies whose length is told wrongly.
fn lengths() -> Vec<Case> {
    let smuggled = "0\r\n\r\nGET /v1/decisions HTTP/1.1\r\nHost: x\r\n\r\n";
    vec![
        (
            "both lengths",
            post(
                "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                smuggled,
            ),
        ),
        (
            "both lengths, turned round",
            post(
                "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                smuggled,
            ),
        ),
        (
            "two lengths",
            post("Content-Length: 2\r\nContent-Length: 3\r\n", "{}"),
        ),
        ("length list", post("Content-Length: 2, 3\r\n", "{}")),
        ("negative length", post("Content-Length: -1\r\n", "{}")),
        ("signed length", post("Content-Length: +2\r\n", "{}")),
        (
            "length beyond u64",
            post("Content-Length: 99999999999999999999\r\n", "{}"),
        ),
        ("unknown coding", post("Transfer-Encoding: gzip\r\n", "{}")),
        (
            "chunked not last",
            post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"),
        ),
        (
            "chunk size beyond u64",
            post(
                "Transfer-Encoding: chunked\r\n",
                "fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
            ),
        ),
        (
            "chunk size no number",
            post("Transfer-Encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n"),
        ),
        (
            "chunk without its end",
            post("Transfer-Encoding: chunked\r\n", "2\r\n{}0\r\n\r\n"),
        ),
        (
            "endless chunk extension",
            post(
                "Transfer-Encoding: chunked\r\n",
                &format!("2;{}", "a".repeat(60_000)),
            ),
        ),
    ]
}

/// Heads that are none.
fn heads() -> Vec<Case> {
    vec![
        ("space in a name", post("X Y: 1\r\n", "")),
        (
            "space before the colon",
            post("Content-Length : 2\r\n", "{}"),
        ),
        ("NUL in a value", post("X: a\0b\r\n", "")),
        ("folded line", post("X: a\r\n b\r\n", "")),
        ("65 fields", post(&"X: 1\r\n".repeat(65), "")),
        (
            "long field",
            post(&format!("X: {}\r\n", "a".repeat(17_000)), ""),
        ),
        (
            "other version",
            "GET / HTTP/3.0\r\nHost: x\r\n\r\n".to_owned(),
        ),
        ("no version", "GET /\r\n\r\n".to_owned()),
        ("nonsense", "\u{1}\u{2}\u{3}\r\n\r\n".to_owned()),
        (
            "TLS without TLS",
            "\u{16}\u{3}\u{1}\0\u{5}hello\r\n\r\n".to_owned(),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_framing_is_refused() {
    let server = Server::start().await;
    activate(&server, 1).await;
    let cases = [lengths(), heads()].concat();
    for (name, bytes) in cases {
        let statuses = exchange(&server, bytes.as_bytes()).await;
        let refused = statuses.first().is_some_and(|it| (400..500).contains(it));
        assert!(refused && statuses.len() == 1, "{name}: {statuses:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strange_targets_and_methods_are_refused() {
    let server = Server::start().await;
    activate(&server, 1).await;
    let long = format!("/v1/decisions?application_id={}", "a".repeat(12_000));
    let cases = [
        ("path traversal", get("/v1/decisions/../../etc/passwd"), 404),
        ("encoded traversal", get("/v1/decisions/%2e%2e%2f%2e%2e%2fetc%2fpasswd"), 400),
        ("encoded NUL", get("/v1/decisions/%00"), 400),
        ("encoded bytes that are no text", get("/v1/decisions/%ff"), 400),
        ("double slash", get("//v1//decisions"), 404),
        ("query that is no number", get("/v1/decisions?after_index=x"), 400),
        ("negative index", get("/v1/decisions?after_index=-1"), 400),
        ("index beyond u64", get("/v1/decisions?after_index=18446744073709551616"), 400),
        ("index beyond i64", get("/v1/decisions?after_index=9223372036854775808"), 400),
        ("negative page", get("/v1/decisions?page_size=-1"), 400),
        ("large page", get("/v1/decisions?page_size=1001"), 400),
        ("unknown parameter", get("/v1/decisions?cursor=x"), 400),
        ("parameter twice", get("/v1/decisions?page_size=1&page_size=2"), 400),
        ("encoded NUL in the query", get("/v1/decisions?application_id=%00"), 400),
        ("long query", get(&long), 400),
        ("other method", get("/v1/applications/score"), 405),
        ("CONNECT", "CONNECT x:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(), 404),
        ("TRACE", "TRACE /v1/decisions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(), 405),
        ("every resource", "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(), 404),
        ("method override", "GET /v1/applications/score HTTP/1.1\r\nHost: x\r\nX-HTTP-Method-Override: POST\r\nConnection: close\r\n\r\n".to_owned(), 405),
        ("highest index", get("/v1/decisions?after_index=9223372036854775807"), 200),
        ("upgrade", "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n".to_owned(), 200),
    ];
    for (name, bytes, expected) in cases {
        let statuses = exchange(&server, bytes.as_bytes()).await;
        assert_eq!(statuses, [expected], "{name}");
    }
    let alive = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2);
    let pipelined = format!("{alive}{}", get("/health"));
    assert_eq!(exchange(&server, pipelined.as_bytes()).await, [200; 3]);
}
