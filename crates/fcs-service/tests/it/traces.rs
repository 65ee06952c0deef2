//! Traces reach a collector, with the caller's trace.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use fcs_service::settings::{LogFormat, LogSettings, TelemetrySettings};
use fcs_service::{Shared, launch};
use http_body_util::BodyExt as _;
use tokio::net::TcpListener;

use crate::sample::{Sample, settings};
use crate::wire::send;

/// Paths and bodies of the calls that a collector got.
type Calls = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A collector that takes everything.
async fn collector() -> (SocketAddr, Calls) {
    let calls = Calls::default();
    let take = |State(calls): State<Calls>, request: Request| async move {
        let path = request.uri().path().to_owned();
        let body = request
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        calls
            .lock()
            .expect("not poisoned")
            .push((path, body.to_vec()));
        let ok = tonic::Status::new(tonic::Code::Ok, "");
        let response: Response = ok.into_http();
        response
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().fallback(take).with_state(Arc::clone(&calls));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, calls)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_becomes_a_span_below_its_callers() {
    let (address, calls) = collector().await;
    // The log is quiet; traces must not depend on it.
    let log = LogSettings {
        level: "off".to_owned(),
        format: LogFormat::Json,
    };
    let telemetry = TelemetrySettings {
        otlp_endpoint: Some(format!("http://{address}")),
        trace_sample_ratio: 0.0,
        ..TelemetrySettings::default()
    };
    let shared = Shared::init("sample-process", &log, &telemetry).unwrap();
    let again = Shared::init("other", &log, &TelemetrySettings::default());
    assert!(
        again.is_ok(),
        "a second call shares the first one's telemetry"
    );
    let folder = tempfile::tempdir().unwrap();
    let running = launch::<Sample>(settings(folder.path()), &shared)
        .await
        .unwrap();
    let parent = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
    assert_eq!(
        send(running.http, "GET", "/v1/items/7", parent, "")
            .await
            .status,
        404
    );
    let filter = send(running.admin, "PUT", "/log-filter", "", "error,sqlx=off").await;
    assert_eq!(filter.status, 204);
    running.stop();
    running.wait().await.unwrap();
    shared.telemetry.shutdown().await;
    let calls = calls.lock().unwrap();
    let (path, body) = calls.first().expect("the collector was called");
    assert_eq!(
        path,
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    );
    let trace_id = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes();
    assert!(contains(body, &trace_id), "the trace of the caller goes on");
    assert!(contains(body, b"sample-process"), "service.name");
    assert!(
        contains(body, b"GET /v1/items/{id}"),
        "the span is named after the route"
    );
}
