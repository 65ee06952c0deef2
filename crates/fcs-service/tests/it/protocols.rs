//! HTTP and gRPC on one port, and what the edge adds to both.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::sample::{SOON, settings, start};
use crate::wire::{get, send};

const JSON: &str = "Content-Type: application/json\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grpc_and_http_share_a_port() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(settings(folder.path())).await;
    let channel = fcs_service::grpc::channel(&format!("http://{}", running.http)).unwrap();
    let mut client = HealthClient::new(channel.clone());
    let deadline = fcs_service::grpc::Deadline::after(SOON);
    let ask = |service: &str| {
        let message = HealthCheckRequest {
            service: service.to_owned(),
        };
        fcs_service::grpc::request(message, deadline)
    };
    assert_eq!(
        client
            .check(ask("sample"))
            .await
            .unwrap()
            .into_inner()
            .status,
        1
    );
    assert_eq!(
        client.check(ask("other")).await.unwrap_err().code(),
        Code::NotFound
    );
    let answer = send(running.http, "POST", "/v1/echo", JSON, r#"{"text":"hi"}"#).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, r#"{"text":"hi"}"#)
    );
    let unknown = tonic::client::Grpc::new(channel);
    assert_eq!(unimplemented(unknown).await, Code::Unimplemented);
    let metrics = get(running.admin, "/metrics").await.body;
    for line in [
        "grpc_requests_total{method=\"/grpc.health.v1.Health/Check\",code=\"OK\"} 1",
        "grpc_requests_total{method=\"/grpc.health.v1.Health/Check\",code=\"NOT_FOUND\"} 1",
        "grpc_requests_total{method=\"unmatched\",code=\"UNIMPLEMENTED\"} 1",
        "grpc_requests_total{method=\"unmatched\",code=\"INTERNAL\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert!(!metrics.contains("Surprise"), "a client cannot make labels");
}

/// Calls a method that no service has.
async fn unimplemented(mut client: tonic::client::Grpc<tonic::transport::Channel>) -> Code {
    client.ready().await.unwrap();
    let path = http::uri::PathAndQuery::from_static("/surprise.Surprise/Surprise");
    let codec = tonic_prost::ProstCodec::<HealthCheckRequest, HealthCheckRequest>::default();
    let request = tonic::Request::new(HealthCheckRequest::default());
    client.unary(request, path, codec).await.unwrap_err().code()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_outlives_the_request_limit_and_ends_by_force() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.http.request_timeout_ms = 50;
    settings.shutdown.drain_deadline_ms = 100;
    let running = start(settings).await;
    let channel = fcs_service::grpc::channel(&format!("http://{}", running.http)).unwrap();
    let mut client = HealthClient::new(channel);
    let message = HealthCheckRequest {
        service: "sample".to_owned(),
    };
    let mut stream = client.watch(message).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    // Nothing more comes; the stream must still be open well after the limit of a request.
    let more = timeout(Duration::from_millis(300), stream.message()).await;
    assert!(more.is_err(), "the stream is still open");
    running.stop();
    assert!(
        timeout(SOON, stream.message())
            .await
            .expect("the deadline ends it")
            .is_err()
    );
    let error = running.wait().await.unwrap_err();
    assert!(error.to_string().contains("cut off 1 requests"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passed_grpc_deadline_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.service.levers.gate = Some(Arc::new(Semaphore::new(0)));
    let running = start(settings).await;
    let request = http::Request::post(format!("http://{}/sample.Gate/Wait", running.http))
        .header("content-type", "application/grpc")
        .header("grpc-timeout", "50m")
        .body(tonic::body::Body::empty())
        .unwrap();
    assert_eq!(call(running.http, request).await, Code::DeadlineExceeded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_comes_too_late_is_not_begun() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let levers = settings.service.levers.clone();
    let running = start(settings).await;
    let request = http::Request::get(format!("http://{}/v1/gate", running.http))
        .header("content-type", "application/grpc")
        .header("grpc-timeout", "0m")
        .body(tonic::body::Body::empty())
        .unwrap();
    assert_eq!(call(running.http, request).await, Code::DeadlineExceeded);
    assert!(levers.arrived.notified().now_or_never().is_none());
    let metrics = get(running.admin, "/metrics").await.body;
    assert!(metrics.contains("requests_expired_total 1"), "{metrics}");
}

/// The code of a call that fails before it has an answer.
async fn call(address: SocketAddr, request: http::Request<tonic::body::Body>) -> Code {
    // A channel of tonic would keep the deadline itself.
    let stream = TcpStream::connect(address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let shaken = hyper::client::conn::http2::handshake(executor, io).await;
    let (mut client, connection) = shaken.unwrap();
    let connection = tokio::spawn(connection);
    let answer = timeout(SOON, client.send_request(request)).await.unwrap();
    let answer = answer.unwrap();
    connection.abort();
    assert_eq!(answer.status(), 200);
    let status = tonic::Status::from_header_map(answer.headers());
    status.expect("the head has the status").code()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_content_type_of_grpc_takes_no_limit_away_over_http_1() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.http.request_timeout_ms = 50;
    settings.service.levers.gate = Some(Arc::new(Semaphore::new(0)));
    let running = start(settings).await;
    let headers = "Content-Type: application/grpc\r\ngrpc-timeout: 9H\r\n";
    let answer = timeout(SOON, send(running.http, "GET", "/v1/gate", headers, ""));
    assert_eq!(answer.await.expect("the limit ends it").status, 504);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_message_never_comes_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.http.body_timeout_ms = 50;
    let running = start(settings).await;
    for timeout in [None, Some("9H")] {
        let silence = futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
        let body = tonic::body::Body::new(axum::body::Body::from_stream(silence));
        let url = format!("http://{}/grpc.health.v1.Health/Check", running.http);
        let mut request = http::Request::post(url)
            .header("content-type", "application/grpc")
            .body(body)
            .unwrap();
        if let Some(timeout) = timeout {
            let value = http::HeaderValue::from_static(timeout);
            request.headers_mut().insert("grpc-timeout", value);
        }
        assert_eq!(call(running.http, request).await, Code::DeadlineExceeded);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_are_problems_whoever_made_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.http.max_body_bytes = 64;
    settings.http.request_timeout_ms = 100;
    settings.service.levers.gate = Some(Arc::new(Semaphore::new(0)));
    let running = start(settings).await;
    let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(64));
    let cases = [
        ("GET", "/v1/nothing", "", "", 404, "NO_ROUTE"),
        ("DELETE", "/v1/echo", "", "", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/v1/items/abc", "", "", 400, "INVALID_REQUEST"),
        ("GET", "/v1/items/7", "", "", 404, "ITEM_UNKNOWN"),
        ("POST", "/v1/echo", "", "{}", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", "/v1/echo", JSON, "{", 400, "MALFORMED_JSON"),
        (
            "POST",
            "/v1/echo",
            JSON,
            r#"{"texts":1}"#,
            400,
            "INVALID_BODY",
        ),
        ("POST", "/v1/echo", JSON, &long, 413, "BODY_TOO_LARGE"),
        ("GET", "/v1/panic", "", "", 500, "INTERNAL"),
        ("GET", "/v1/defect", "", "", 500, "BROKEN"),
        ("GET", "/v1/gate", "", "", 504, "REQUEST_TIMEOUT"),
    ];
    for (method, path, headers, body, status, reason) in cases {
        let answer = send(running.http, method, path, headers, body).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{method} {path}"
        );
        let problem = answer.json();
        assert_eq!(problem["reason"], reason, "{method} {path}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["error"], problem["detail"], "{method} {path}");
        assert_eq!(
            problem["request_id"],
            answer.header("x-request-id"),
            "{method} {path}"
        );
        assert!(!answer.body.contains("secret-"), "{}", answer.body);
    }
    let not_allowed = send(running.http, "DELETE", "/v1/echo", "", "").await;
    assert_eq!(not_allowed.header("allow"), "POST");
    let invalid = send(running.http, "POST", "/v1/echo", JSON, r#"{"texts":1}"#)
        .await
        .json();
    assert_eq!(invalid["violations"][0]["pointer"], "/texts");
    assert_eq!(
        get(running.http, "/v1/items/7").await.header("retry-after"),
        "7"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_keeps_its_callers_identifier() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(settings(folder.path())).await;
    let headers = "X-Request-Id: order-2026-11-22\r\n";
    let answer = send(running.http, "GET", "/health", headers, "").await;
    assert_eq!(answer.header("x-request-id"), "order-2026-11-22");
    let hostile = "X-Request-Id: \"><script>alert(1)</script>\r\n";
    let answer = send(running.http, "GET", "/health", hostile, "").await;
    assert_eq!(answer.header("x-request-id").len(), 32);
}
