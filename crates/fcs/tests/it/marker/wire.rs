//! Requests byte by byte: HTTP/1.1, and gRPC calls that no generated client would send.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;

const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// An answer over HTTP/1.1.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// `host:port` of a URL.
pub(crate) fn address(url: &str) -> &str {
    url.trim_start_matches("http://")
}

/// Sends a request; `head` is further header lines, each with its line end.
pub(crate) fn send(url: &str, request: &str, head: &str, body: &str) -> Answer {
    let length = body.len();
    let text = format!(
        "{request} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {length}\r\n{head}\r\n{body}"
    );
    let mut stream = TcpStream::connect(address(url)).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap();
    Answer {
        status: status.parse().unwrap(),
        body: body.to_owned(),
    }
}

/// Begins a request and goes away.
pub(crate) fn break_off(url: &str, text: &str) {
    let mut stream = TcpStream::connect(address(url)).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
}

/// Asks for a path over HTTP/2 that none can be, and waits for its refusal.
pub(crate) fn ask_malformed(url: &str, path: &str) {
    let text = |name: &[u8], value: &str| {
        let length = u8::try_from(value.len()).unwrap();
        [name, &[length], value.as_bytes()].concat()
    };
    // HPACK without an index: GET, http, then path and authority by the indices of their names.
    let head = [vec![0x82, 0x86], text(&[4], path), text(&[1], "test")].concat();
    let length = u8::try_from(head.len()).unwrap();
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let headers = [0, 0, length, 1, 5, 0, 0, 0, 1];
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let mut stream = TcpStream::connect(address(url)).unwrap();
    stream
        .write_all(&[&preface[..], &settings, &headers, &head].concat())
        .unwrap();
    stream.set_read_timeout(Some(ANSWER_LIMIT)).unwrap();
    let reset = [0, 0, 4, 3, 0, 0, 0, 0, 1];
    let mut answer: Vec<u8> = Vec::new();
    while !answer.windows(reset.len()).any(|frame| frame == reset) {
        let mut more = [0; 1024];
        let length = stream.read(&mut more).unwrap();
        assert!(length > 0, "it was not refused: {answer:?}");
        answer.extend(&more[..length]);
    }
}

/// Calls a method, which may be none, with a message, which may be none; gives the head's `grpc-status`.
pub(crate) async fn call(url: &str, path: &str, message: &[u8]) -> String {
    let stream = tokio::net::TcpStream::connect(address(url)).await.unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    let mut connection = pin!(connection);
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let body = [&[0], &length[..], message].concat();
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{url}{path}"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    let answered = async {
        let answer = sender.send_request(request).await.unwrap();
        let status = answer.headers().get("grpc-status").cloned();
        answer.into_body().collect().await.unwrap();
        status.map_or_else(String::new, |it| it.to_str().unwrap().to_owned())
    };
    tokio::select! {
        status = answered => status,
        ended = &mut connection => panic!("the connection ended: {ended:?}"),
    }
}
