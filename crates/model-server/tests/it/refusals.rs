//! Requests that are refused, and what a refusal leaves behind.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::service::{real_settings, serve};

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_readable_for_a_client_that_takes_gzip() {
    let server = serve(real_settings()).await;
    let mut stream = TcpStream::connect(server.running.http).await.unwrap();
    let request = "GET /v2/models/none/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                   Accept-Encoding: gzip\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    assert!(
        !head.to_ascii_lowercase().contains("content-encoding"),
        "{head}"
    );
    let problem: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(problem["error"], problem["detail"]);
}
