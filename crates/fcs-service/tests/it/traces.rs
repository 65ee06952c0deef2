//! Traces reach a collector, with the caller's trace.

use fcs_service::settings::{LogFormat, LogSettings, TelemetrySettings};
use fcs_service::{Shared, launch};
use fcs_testkit::collector::Collector;

use crate::sample::{Sample, settings};
use crate::wire::send;

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_becomes_a_span_below_its_callers() {
    let collector = Collector::start().await;
    // The log is quiet; traces must not depend on it.
    let log = LogSettings {
        level: "off".to_owned(),
        format: LogFormat::Json,
    };
    let telemetry = TelemetrySettings {
        otlp_endpoint: Some(collector.url()),
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
    let calls = collector.calls();
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
